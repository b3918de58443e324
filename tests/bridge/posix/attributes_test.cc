// Times, extended attributes, numbers of inodes, and what statfs says.
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <set>

#include "tests/bridge/posix/fixture.h"

namespace posix {
namespace {

using Times = std::array<timespec, 2>;

constexpr timespec kOld{.tv_sec = 1'000'000'000, .tv_nsec = 123456789};
constexpr timespec kOlder{.tv_sec = 900'000'000, .tv_nsec = 1};

int set_times(const std::string& at, const Times& times) {
    return error_of(::utimensat(AT_FDCWD, at.c_str(), times.data(), AT_SYMLINK_NOFOLLOW));
}
bool same(const timespec& a, const timespec& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

TEST_F(Posix, Times_AreKeptToTheNanosecond) {
    const std::string file = make_file("file");
    ASSERT_EQ(set_times(file, {kOlder, kOld}), 0);
    const struct stat found = stat_of(file);
    EXPECT_TRUE(same(found.st_atim, kOlder)) << found.st_atim.tv_sec << " " << found.st_atim.tv_nsec;
    EXPECT_TRUE(same(found.st_mtim, kOld)) << found.st_mtim.tv_sec << " " << found.st_mtim.tv_nsec;
}

TEST_F(Posix, Times_Before1970AndAfter2038AreKept) {
    const std::string file = make_file("file");
    const timespec before{.tv_sec = -100, .tv_nsec = 500};
    const timespec after{.tv_sec = 5'000'000'000, .tv_nsec = 500};
    ASSERT_EQ(set_times(file, {before, after}), 0);
    const struct stat found = stat_of(file);
    EXPECT_TRUE(same(found.st_atim, before)) << found.st_atim.tv_sec;
    EXPECT_TRUE(same(found.st_mtim, after)) << found.st_mtim.tv_sec;
}

TEST_F(Posix, Times_CanBeSetOneAtATime) {
    const std::string file = make_file("file");
    ASSERT_EQ(set_times(file, {kOld, kOld}), 0);
    ASSERT_EQ(set_times(file, {timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, kOlder}), 0);
    EXPECT_TRUE(same(stat_of(file).st_atim, kOld));
    EXPECT_TRUE(same(stat_of(file).st_mtim, kOlder));
    ASSERT_EQ(set_times(file, {kOlder, timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}}), 0);
    EXPECT_TRUE(same(stat_of(file).st_atim, kOlder));
    EXPECT_TRUE(same(stat_of(file).st_mtim, kOlder));
}

TEST_F(Posix, Times_CanBeSetToNow) {
    const std::string file = make_file("file");
    ASSERT_EQ(set_times(file, {kOld, kOld}), 0);
    ASSERT_EQ(set_times(file, {kOlder, timespec{.tv_sec = 0, .tv_nsec = UTIME_NOW}}), 0);
    EXPECT_TRUE(same(stat_of(file).st_atim, kOlder));
    EXPECT_GT(stat_of(file).st_mtim.tv_sec, kOld.tv_sec + 1000);
}

TEST_F(Posix, Times_OfALinkAreItsOwn) {
    const std::string file = make_file("file");
    ASSERT_EQ(set_times(file, {kOld, kOld}), 0);
    ASSERT_EQ(::symlink("file", path("link").c_str()), 0);
    ASSERT_EQ(set_times(path("link"), {kOlder, kOlder}), 0);
    EXPECT_TRUE(same(stat_of(path("link")).st_mtim, kOlder));
    EXPECT_TRUE(same(stat_of(file).st_mtim, kOld));
}

TEST_F(PosixUsers, Times_OfAnothersFileAreSetToNowAtMost) {
    const std::string file = make_file("file", "", 0666);
    ASSERT_EQ(set_times(file, {kOld, kOld}), 0);
    EXPECT_EQ(as(bob_, [&] { return set_times(file, {kOlder, kOlder}); }), EPERM);
    EXPECT_EQ(as(bob_, [&] { return error_of(::utimensat(AT_FDCWD, file.c_str(), nullptr, 0)); }), 0);
    EXPECT_GT(stat_of(file).st_mtim.tv_sec, kOld.tv_sec + 1000);
    ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
    EXPECT_EQ(as(bob_, [&] { return error_of(::utimensat(AT_FDCWD, file.c_str(), nullptr, 0)); }), EACCES);
}

TEST_F(Posix, Write_ChangesTheTimes) {
    const std::string file = make_file("file", "content");
    ASSERT_EQ(set_times(file, {kOld, kOld}), 0);
    const Fd fd = open(file, O_WRONLY);
    ASSERT_EQ(::write(fd.get(), "x", 1), 1);
    EXPECT_GT(stat_of(file).st_mtim.tv_sec, kOld.tv_sec + 1000);
    ASSERT_EQ(set_times(file, {kOld, kOld}), 0);
    ASSERT_EQ(::truncate(file.c_str(), 1), 0);
    EXPECT_GT(stat_of(file).st_mtim.tv_sec, kOld.tv_sec + 1000);
}

TEST_F(Posix, NamesMadeAndRemoved_ChangeTheDirectorysTimes) {
    const std::string directory = make_directory("directory");
    const auto changed_by = [&](int result) {
        EXPECT_EQ(result, 0);
        const bool changed = stat_of(directory).st_mtim.tv_sec > kOld.tv_sec + 1000;
        EXPECT_EQ(set_times(directory, {kOld, kOld}), 0);
        return changed;
    };
    ASSERT_EQ(set_times(directory, {kOld, kOld}), 0);
    EXPECT_TRUE(changed_by(::mkdir((directory + "/a").c_str(), 0755)));
    EXPECT_TRUE(changed_by(::rename((directory + "/a").c_str(), (directory + "/b").c_str())));
    EXPECT_TRUE(changed_by(::rmdir((directory + "/b").c_str())));
    EXPECT_TRUE(changed_by(::symlink("x", (directory + "/c").c_str())));
    EXPECT_TRUE(changed_by(::link((directory + "/c").c_str(), (directory + "/d").c_str())));
    EXPECT_TRUE(changed_by(::unlink((directory + "/c").c_str())));
}

TEST_F(Posix, ChangeTime_GoesForwardWithTheAttributes) {
    const std::string file = make_file("file");
    const timespec before = stat_of(file).st_ctim;
    // The clock of times ticks in milliseconds: until it has ticked.
    timespec after = before;
    for (int i = 0; i < 100000 && same(before, after); ++i) {
        ASSERT_EQ(::chmod(file.c_str(), i % 2 == 0 ? 0600 : 0644), 0);
        after = stat_of(file).st_ctim;
    }
    EXPECT_TRUE(after.tv_sec > before.tv_sec ||
                (after.tv_sec == before.tv_sec && after.tv_nsec > before.tv_nsec));
}

TEST_F(Posix, Inodes_HaveNumbersOfTheirOwnThatStay) {
    std::set<ino_t> numbers;
    for (int i = 0; i < 200; ++i)
        numbers.insert(stat_of(make_file("file" + std::to_string(i))).st_ino);
    EXPECT_EQ(numbers.size(), 200U);
    const ino_t number = stat_of(path("file7")).st_ino;
    const Fd fd = open(path("file7"), O_RDONLY);
    struct stat found;
    ASSERT_EQ(::fstat(fd.get(), &found), 0);
    EXPECT_EQ(found.st_ino, number);
    EXPECT_EQ(found.st_dev, stat_of(directory()).st_dev);
}

TEST_F(Posix, Statfs_TellsOfTheFileSystem) {
    struct statvfs found;
    ASSERT_EQ(::statvfs(directory().c_str(), &found), 0);
    EXPECT_GT(found.f_blocks, 0U);
    EXPECT_GE(found.f_blocks, found.f_bfree);
    EXPECT_GE(found.f_bfree, found.f_bavail);
    EXPECT_GE(found.f_namemax, 255U);
    EXPECT_GT(found.f_bsize, 0U);
    const Fd fd = open(make_file("file"), O_RDONLY);
    struct statvfs again;
    ASSERT_EQ(::fstatvfs(fd.get(), &again), 0);
    EXPECT_EQ(again.f_blocks, found.f_blocks);
}

class PosixXattrs : public Posix {
  protected:
    static int set(const std::string& at, const char* name, const std::string& value, int flags = 0) {
        return error_of(::lsetxattr(at.c_str(), name, value.data(), value.size(), flags));
    }
    static std::string get(const std::string& at, const char* name) {
        std::string value(4096, '\0');
        const ssize_t length = ::lgetxattr(at.c_str(), name, value.data(), value.size());
        EXPECT_GE(length, 0) << name << ": " << errno;
        value.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
        return value;
    }
};

TEST_F(PosixXattrs, Value_IsKeptAsItIs) {
    const std::string directory = make_directory("directory");
    for (const std::string& at : {make_file("file"), directory}) {
        for (const std::string& value :
             {std::string(), std::string("text"), std::string("\0\n\xff", 3), std::string(2000, 'v')}) {
            ASSERT_EQ(set(at, "user.test", value), 0) << value.size();
            EXPECT_EQ(get(at, "user.test"), value);
        }
    }
}

TEST_F(PosixXattrs, CreateAndReplace_AreToldApart) {
    const std::string file = make_file("file");
    EXPECT_EQ(set(file, "user.test", "x", XATTR_REPLACE), ENODATA);
    EXPECT_EQ(set(file, "user.test", "x", XATTR_CREATE), 0);
    EXPECT_EQ(set(file, "user.test", "y", XATTR_CREATE), EEXIST);
    EXPECT_EQ(set(file, "user.test", "z", XATTR_REPLACE), 0);
    EXPECT_EQ(get(file, "user.test"), "z");
}

TEST_F(PosixXattrs, List_NamesThemAll) {
    const std::string file = make_file("file");
    std::set<std::string> wanted;
    for (int i = 0; i < 20; ++i) {
        const std::string name = "user.name" + std::to_string(i);
        ASSERT_EQ(set(file, name.c_str(), "value"), 0);
        wanted.insert(name);
    }
    std::string list(static_cast<std::size_t>(::listxattr(file.c_str(), nullptr, 0)), '\0');
    ASSERT_EQ(::listxattr(file.c_str(), list.data(), list.size()), static_cast<ssize_t>(list.size()));
    std::set<std::string> found;
    for (std::size_t at = 0; at < list.size(); at = list.find('\0', at) + 1) {
        const std::string name = list.c_str() + at;
        if (name.starts_with("user.")) found.insert(name);
    }
    EXPECT_EQ(found, wanted);
    EXPECT_EQ(error_of(::listxattr(file.c_str(), list.data(), 3)), ERANGE);
}

TEST_F(PosixXattrs, Size_IsToldAndARoomTooSmallRefused) {
    const std::string file = make_file("file");
    ASSERT_EQ(set(file, "user.test", "0123456789"), 0);
    EXPECT_EQ(::getxattr(file.c_str(), "user.test", nullptr, 0), 10);
    char buffer[5];
    EXPECT_EQ(error_of(::getxattr(file.c_str(), "user.test", buffer, sizeof buffer)), ERANGE);
}

TEST_F(PosixXattrs, Removed_IsGone) {
    const std::string file = make_file("file");
    ASSERT_EQ(set(file, "user.test", "x"), 0);
    ASSERT_EQ(::removexattr(file.c_str(), "user.test"), 0);
    EXPECT_EQ(error_of(::getxattr(file.c_str(), "user.test", nullptr, 0)), ENODATA);
    EXPECT_EQ(error_of(::removexattr(file.c_str(), "user.test")), ENODATA);
}

TEST_F(PosixXattrs, OfALink_AreNotTheUsers) {
    ASSERT_EQ(::symlink("nowhere", path("link").c_str()), 0);
    EXPECT_EQ(set(path("link"), "user.test", "x"), EPERM);
}

TEST_F(PosixXattrs, ByDescriptor_AreTheSame) {
    const std::string file = make_file("file");
    const Fd fd = open(file, O_RDWR);
    ASSERT_EQ(::fsetxattr(fd.get(), "user.test", "x", 1, 0), 0);
    EXPECT_EQ(get(file, "user.test"), "x");
    ASSERT_EQ(::unlink(file.c_str()), 0);
    char byte = 0;
    EXPECT_EQ(::fgetxattr(fd.get(), "user.test", &byte, 1), 1);
    EXPECT_EQ(byte, 'x');
}

}  // namespace
}  // namespace posix
