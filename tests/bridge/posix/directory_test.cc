// Reading directories (of VIRTIOFS_TEST_NAMES names; without: 10,000), and names of every kind.
#include <dirent.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "tests/bridge/posix/fixture.h"

namespace posix {
namespace {

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

class PosixManyNames : public Posix {
  protected:
    void SetUp() override {
        Posix::SetUp();
        make_directory("many");
        if (const char* const given = ::getenv("VIRTIOFS_TEST_NAMES")) count_ = std::stoi(given);
        for (int i = 0; i < count_; ++i)
            make("kept-" + std::to_string(i));
    }
    int count() const { return count_; }
    // With "." and "..".
    std::size_t entries() const { return static_cast<std::size_t>(count_) + 2; }
    std::string many(const std::string& name) const { return path("many/" + name); }
    void make(const std::string& name) const { open(many(name), O_CREAT | O_EXCL | O_WRONLY); }
    Directory open_many() const { return Directory(::opendir(path("many").c_str())); }

  private:
    int count_ = 10000;
};

TEST_F(PosixManyNames, Reading_FindsEachOnce) {
    const Directory directory = open_many();
    ASSERT_TRUE(directory);
    std::map<std::string, int> seen;
    errno = 0;
    while (const dirent* const entry = ::readdir(directory.get())) {
        ++seen[entry->d_name];
        if (entry->d_name[0] == 'k') {
            EXPECT_TRUE(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
        }
    }
    EXPECT_EQ(errno, 0);
    EXPECT_EQ(seen.size(), entries());
    EXPECT_EQ(seen["."], 1);
    EXPECT_EQ(seen[".."], 1);
    for (const auto& [name, count] : seen)
        ASSERT_EQ(count, 1) << name;
}

TEST_F(PosixManyNames, Seeking_GoesBackToTheSameName) {
    const Directory directory = open_many();
    ASSERT_TRUE(directory);
    std::vector<std::pair<long, std::string>> places;
    while (true) {
        const long place = ::telldir(directory.get());
        const dirent* const entry = ::readdir(directory.get());
        if (entry == nullptr) break;
        places.emplace_back(place, entry->d_name);
    }
    ASSERT_EQ(places.size(), entries());
    for (std::size_t i = 0; i < places.size(); i += 97) {
        const auto& [place, name] = places[places.size() - 1 - i];
        ::seekdir(directory.get(), place);
        const dirent* const entry = ::readdir(directory.get());
        ASSERT_NE(entry, nullptr);
        EXPECT_EQ(entry->d_name, name);
    }
}

TEST_F(PosixManyNames, Reading_WhileNamesComeAndGoFindsAllThatStay) {
    for (int i = 0; i < 100; ++i)
        make("going-" + std::to_string(i));
    const Directory directory = open_many();
    ASSERT_TRUE(directory);
    std::map<std::string, int> seen;
    int step = 0;
    while (const dirent* const entry = ::readdir(directory.get())) {
        ++seen[entry->d_name];
        if (++step % 20 != 0 || step / 20 >= 100) continue;
        ASSERT_EQ(::unlink(many("going-" + std::to_string(step / 20)).c_str()), 0);
        make("coming-" + std::to_string(step / 20));
    }
    for (int i = 0; i < count(); ++i)
        ASSERT_EQ(seen["kept-" + std::to_string(i)], 1) << i;
    for (const auto& [name, count] : seen)
        ASSERT_LE(count, 1) << name;
}

TEST_F(PosixManyNames, Rewinding_ShowsWhatIsNew) {
    const Directory directory = open_many();
    ASSERT_TRUE(directory);
    while (::readdir(directory.get()) != nullptr) {
    }
    make("new");
    ASSERT_EQ(::unlink(many("kept-7").c_str()), 0);
    ::rewinddir(directory.get());
    std::set<std::string> seen;
    while (const dirent* const entry = ::readdir(directory.get()))
        seen.insert(entry->d_name);
    EXPECT_TRUE(seen.contains("new"));
    EXPECT_FALSE(seen.contains("kept-7"));
    EXPECT_EQ(seen.size(), entries());
}

TEST_F(PosixManyNames, RemovingWhileReading_EmptiesTheDirectory) {
    // As rm -r does it: reads and removes until nothing is left.
    int rounds = 0;
    for (bool found = true; found && rounds < 100; ++rounds) {
        found = false;
        const Directory directory = open_many();
        while (const dirent* const entry = ::readdir(directory.get())) {
            if (entry->d_name[0] == '.') continue;
            found = true;
            ASSERT_EQ(::unlinkat(::dirfd(directory.get()), entry->d_name, 0), 0) << entry->d_name;
        }
    }
    EXPECT_LT(rounds, 10);
    EXPECT_EQ(::rmdir(path("many").c_str()), 0);
}

TEST_F(Posix, Entries_CarryTypesAndNumbers) {
    make_file("file");
    make_directory("directory");
    ASSERT_EQ(::symlink("x", path("link").c_str()), 0);
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0644), 0);
    const Directory directory(::opendir(this->directory().c_str()));
    int found = 0;
    while (const dirent* const entry = ::readdir(directory.get())) {
        const std::string name = entry->d_name;
        if (name == "..") continue;
        ++found;
        const struct stat attributes = stat_of(path(name));
        EXPECT_EQ(entry->d_ino, attributes.st_ino) << name;
        if (entry->d_type != DT_UNKNOWN) {
            EXPECT_EQ(DTTOIF(entry->d_type), attributes.st_mode & S_IFMT) << name;
        }
    }
    EXPECT_EQ(found, 5);
}

TEST_F(Posix, EmptyDirectory_HasItselfAndItsParent) {
    const std::string at = make_directory("directory");
    const Directory directory(::opendir(at.c_str()));
    std::set<std::string> seen;
    while (const dirent* const entry = ::readdir(directory.get()))
        seen.insert(entry->d_name);
    EXPECT_EQ(seen, (std::set<std::string>{".", ".."}));
}

TEST_F(Posix, Names_OfAnyBytesAreKept) {
    std::string every;
    for (int byte = 1; byte < 256; ++byte) {
        if (byte != '/') every.push_back(static_cast<char>(byte));
    }
    const std::vector<std::string> names{" ",   "a b", "new\nline", "\xff\xfe", "ünïcødé",
                                         "...", "-rf", "a\\b",      every};
    for (const std::string& name : names)
        make_file(name, name);
    for (const std::string& name : names)
        EXPECT_EQ(content_of(path(name)), name);
    EXPECT_EQ(names_in(directory()).size(), names.size());
}

TEST_F(Posix, Names_HaveUpTo255Bytes) {
    const std::string longest(255, 'n');
    make_file(longest, "content");
    EXPECT_EQ(content_of(path(longest)), "content");
    EXPECT_EQ(names_in(directory()), std::vector<std::string>{longest});
    ASSERT_EQ(::rename(path(longest).c_str(), path(std::string(255, 'm')).c_str()), 0);
    const std::string beyond(256, 'n');
    EXPECT_EQ(error_of(::open(path(beyond).c_str(), O_CREAT | O_WRONLY, 0644)), ENAMETOOLONG);
    EXPECT_EQ(error_of(::mkdir(path(beyond).c_str(), 0755)), ENAMETOOLONG);
    EXPECT_EQ(error_of(::rename(path(std::string(255, 'm')).c_str(), path(beyond).c_str())), ENAMETOOLONG);
    struct stat found;
    EXPECT_EQ(error_of(::stat(path(beyond).c_str(), &found)), ENAMETOOLONG);
}

TEST_F(Posix, Paths_ReachToTheirLimit) {
    // Directories one in another, until a path of PATH_MAX - 1 bytes names the last.
    std::string at = directory();
    while (at.size() + 202 < PATH_MAX - 1) {
        at += "/" + std::string(200, 'd');
        ASSERT_EQ(::mkdir(at.c_str(), 0755), 0) << at.size();
    }
    at += "/" + std::string(PATH_MAX - 1 - at.size() - 1, 'f');
    ASSERT_EQ(at.size(), PATH_MAX - 1U);
    open(at, O_CREAT | O_WRONLY);
    EXPECT_TRUE(S_ISREG(stat_of(at).st_mode));
    EXPECT_EQ(error_of(::open((at + "f").c_str(), O_CREAT | O_WRONLY, 0644)), ENAMETOOLONG);
}

TEST_F(Posix, Trees_DeeperThanAnyPathWork) {
    Fd at = open(directory(), O_RDONLY | O_DIRECTORY);
    const std::string name(100, 'd');
    constexpr int kDepth = 100;
    for (int i = 0; i < kDepth; ++i) {
        ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0755), 0) << i;
        Fd next(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        ASSERT_TRUE(next) << i;
        at = std::move(next);
    }
    const Fd file(::openat(at.get(), "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    EXPECT_TRUE(file);
    ASSERT_EQ(::unlinkat(at.get(), "file", 0), 0);
    for (int i = 0; i < kDepth; ++i) {
        Fd parent(::openat(at.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        ASSERT_TRUE(parent) << i;
        ASSERT_EQ(::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR), 0) << i;
        at = std::move(parent);
    }
    EXPECT_TRUE(names_in(directory()).empty());
}

TEST_F(Posix, WorkingDirectory_ThatIsRemovedIsGone) {
    const std::string directory = make_directory("directory");
    Process inside([&](int, int) {
        if (::chdir(directory.c_str()) != 0 || ::rmdir(directory.c_str()) != 0) return 200;
        return error_of(::open("file", O_CREAT | O_WRONLY, 0644));
    });
    EXPECT_EQ(inside.finish(), ENOENT);
}

TEST_F(Posix, Names_MadeAndRemovedByManyAtOnceAddUp) {
    constexpr int kProcesses = 6;
    constexpr int kEach = 100;
    std::vector<std::unique_ptr<Process>> processes;
    for (int number = 0; number < kProcesses; ++number) {
        processes.push_back(std::make_unique<Process>([this, number](int ready, int go) {
            (void)!::write(ready, "", 1);
            char byte = 0;
            (void)!::read(go, &byte, 1);
            for (int i = 0; i < kEach; ++i) {
                const std::string name = path(std::to_string(number) + "-" + std::to_string(i));
                const std::string moved = name + "-moved";
                if (::mkdir(name.c_str(), 0755) != 0 || ::rename(name.c_str(), moved.c_str()) != 0) return 1;
                if (i % 2 == 0 && ::rmdir(moved.c_str()) != 0) return 2;
                // The same name for all: somebody makes it, somebody removes it.
                ::mkdir(path("common").c_str(), 0755);
                ::rmdir(path("common").c_str());
            }
            return 0;
        }));
        ASSERT_TRUE(processes.back()->wait_until_ready());
    }
    for (const auto& process : processes)
        EXPECT_EQ(process->finish(), 0);
    ::rmdir(path("common").c_str());
    EXPECT_EQ(names_in(directory()).size(), kProcesses * kEach / 2U);
}

}  // namespace
}  // namespace posix
