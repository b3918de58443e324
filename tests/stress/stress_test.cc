// Eight threads in shared directories against the real daemon. Each thread has names of its own there, whose
// files and subtrees it compares with a model after every step; beside them all threads fight over a few
// common names, where only the outcome of each operation is known. VIRTIOFS_STRESS_SECONDS says for how long
// (60 if it is not set).
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tests/support/daemon_volume.h"

namespace tests {
namespace {

using guest::DirectoryEntry;
using guest::File;
using nt::Status;

constexpr unsigned kThreads = 8;
constexpr std::uint32_t kRead = nt::access::kFileGenericRead;
constexpr std::uint32_t kReadWrite = kRead | nt::access::kWriteData;
constexpr std::uint32_t kDelete = nt::access::kDelete | nt::access::kReadAttributes;

const std::u16string kShared[] = {u"\\left", u"\\right", u"\\left\\deep", u"\\right\\deep\\deeper"};

std::chrono::seconds duration() {
    const char* text = std::getenv("VIRTIOFS_STRESS_SECONDS");
    return std::chrono::seconds(text != nullptr ? std::atoi(text) : 60);
}

std::string narrow(std::u16string_view path) {
    std::string text;
    for (const char16_t c : path)
        text.push_back(c == u'\\' ? '/' : static_cast<char>(c));
    return text;
}

class Worker {
  public:
    Worker(guest::Volume& volume, unsigned number)
        : volume_(volume), random_(number + 1), suffix_(1, static_cast<char16_t>(u'0' + number)) {}

    void run(std::chrono::steady_clock::time_point end) {
        while (std::chrono::steady_clock::now() < end && !testing::Test::HasFailure()) {
            ++operations_;
            switch (pick(12)) {
                case 0:
                case 1:
                    create_or_overwrite();
                    break;
                case 2:
                    write_somewhere();
                    break;
                case 3:
                    append();
                    break;
                case 4:
                    resize();
                    break;
                case 5:
                    rename_own();
                    break;
                case 6:
                    remove_own();
                    break;
                case 7:
                    move_subtree();
                    break;
                case 8:
                    list_shared();
                    break;
                case 9:
                case 10:
                    fight();
                    break;
                default:
                    check_some();
                    break;
            }
        }
    }

    const std::map<std::u16string, std::string>& files() const { return files_; }
    std::size_t operations() const { return operations_; }

  private:
    std::size_t pick(std::size_t below) { return random_() % below; }
    std::u16string own_path() {
        std::u16string directory = pick(4) == 0 && !subtree_.empty() ? subtree_ : kShared[pick(4)];
        return directory + u"\\own" + suffix_ + u"_" + static_cast<char16_t>(u'a' + pick(5));
    }
    std::string some_data() {
        return std::string(pick(3) == 0 ? pick(300000) : pick(9000), static_cast<char>('a' + pick(26)));
    }

    File* open(const std::u16string& path, std::uint32_t access) {
        const auto attributes = volume_.attributes_of(path);
        EXPECT_EQ(attributes.has_value(), files_.contains(path)) << narrow(path);
        if (!attributes) return nullptr;
        const auto opened = volume_.open(path, {.granted_access = access});
        EXPECT_TRUE(opened) << narrow(path);
        if (!opened) return nullptr;
        EXPECT_EQ(opened->info.file_size, files_[path].size()) << narrow(path);
        return opened->file;
    }
    bool write(File& file, std::string_view data, const guest::WritePosition& where) {
        const auto written = volume_.write(file, std::as_bytes(std::span(data)), where);
        EXPECT_TRUE(written);
        return written.has_value();
    }

    void create_or_overwrite() {
        const std::u16string path = own_path();
        const std::string data = some_data();
        if (!files_.contains(path)) {
            EXPECT_FALSE(volume_.attributes_of(path)) << narrow(path);
            const auto made = volume_.create(path, {.granted_access = kReadWrite});
            ASSERT_TRUE(made) << narrow(path) << std::hex << static_cast<std::uint32_t>(made.error());
            write(*made->file, data, {});
            volume_.close(made->file);
        } else {
            EXPECT_EQ(volume_.create(path, {.granted_access = kReadWrite}).error(),
                      Status::kObjectNameCollision);
            File* file = open(path, kReadWrite);
            ASSERT_NE(file, nullptr);
            EXPECT_TRUE(volume_.overwrite(*file, 0, false, 0));
            write(*file, data, {});
            volume_.close(file);
        }
        files_[path] = data;
    }
    // A random own file that exists.
    const std::u16string* existing() {
        if (files_.empty()) return nullptr;
        auto place = files_.begin();
        std::advance(place, static_cast<std::ptrdiff_t>(pick(files_.size())));
        return &place->first;
    }
    void write_somewhere() {
        const std::u16string* path = existing();
        if (path == nullptr) return;
        File* file = open(*path, kReadWrite);
        ASSERT_NE(file, nullptr);
        std::string& model = files_[*path];
        const std::string data = some_data();
        const std::size_t at = pick(model.size() + 5000);
        if (!data.empty() && write(*file, data, {.offset = at})) {
            if (model.size() < at + data.size()) model.resize(at + data.size());
            model.replace(at, data.size(), data);
        }
        EXPECT_EQ(volume_.file_info(*file)->file_size, model.size());
        volume_.close(file);
    }
    void append() {
        const std::u16string* path = existing();
        if (path == nullptr) return;
        File* file = open(*path, nt::access::kAppendData);
        ASSERT_NE(file, nullptr);
        const std::string data = some_data();
        if (write(*file, data, {.to_end_of_file = true})) files_[*path] += data;
        volume_.close(file);
    }
    void resize() {
        const std::u16string* path = existing();
        if (path == nullptr) return;
        File* file = open(*path, kReadWrite);
        ASSERT_NE(file, nullptr);
        const std::size_t size = pick(20000);
        EXPECT_EQ(volume_.set_size(*file, size, guest::SizeKind::kEndOfFile)->file_size, size);
        files_[*path].resize(size);
        volume_.close(file);
    }
    void rename_own() {
        const std::u16string* from = existing();
        if (from == nullptr) return;
        const std::u16string old_path = *from;
        const std::u16string new_path = own_path();
        if (old_path == new_path) return;
        const bool replace = pick(2) == 0;
        File* file = open(old_path, kDelete);
        ASSERT_NE(file, nullptr);
        const auto done = volume_.rename(*file, old_path, new_path, replace);
        volume_.close(file);
        if (files_.contains(new_path) && !replace) {
            EXPECT_EQ(done, nt::fail(Status::kObjectNameCollision)) << narrow(new_path);
            return;
        }
        ASSERT_TRUE(done) << narrow(old_path) << " to " << narrow(new_path) << ": " << std::hex
                          << static_cast<std::uint32_t>(done.error());
        files_[new_path] = std::move(files_[old_path]);
        files_.erase(old_path);
    }
    void remove_own() {
        const std::u16string* path = existing();
        if (path == nullptr) return;
        const std::u16string gone = *path;
        File* file = open(gone, kDelete);
        ASSERT_NE(file, nullptr);
        EXPECT_TRUE(volume_.can_delete(*file, gone));
        volume_.cleanup(*file, gone, {.remove = true});
        EXPECT_EQ(volume_.attributes_of(gone), nt::fail(Status::kObjectNameNotFound));
        volume_.close(file);
        files_.erase(gone);
    }
    // Moves a directory with everything in it from one shared directory to another.
    void move_subtree() {
        const std::u16string target = kShared[pick(4)] + u"\\tree" + suffix_;
        if (subtree_.empty()) {
            const auto made = volume_.create(
                target, {.options = nt::create_option::kDirectoryFile, .granted_access = kRead});
            ASSERT_TRUE(made) << narrow(target);
            volume_.close(made->file);
            subtree_ = target;
            return;
        }
        if (target == subtree_) return;
        const auto opened = volume_.open(subtree_, {.granted_access = kDelete});
        ASSERT_TRUE(opened) << narrow(subtree_);
        const auto done = volume_.rename(*opened->file, subtree_, target, false);
        ASSERT_TRUE(done) << narrow(subtree_) << " to " << narrow(target) << ": " << std::hex
                          << static_cast<std::uint32_t>(done.error());
        volume_.close(opened->file);
        std::map<std::u16string, std::string> moved;
        for (auto& [path, content] : files_) {
            const bool inside = path.starts_with(subtree_ + u"\\");
            moved[inside ? target + path.substr(subtree_.size()) : path] = std::move(content);
        }
        files_ = std::move(moved);
        subtree_ = target;
    }
    void list_shared() {
        const std::u16string& directory = kShared[pick(4)];
        const auto opened = volume_.open(directory, {.granted_access = kRead});
        ASSERT_TRUE(opened);
        std::map<std::u16string, std::uint64_t> seen;
        EXPECT_EQ(volume_.read_directory(*opened->file, std::nullopt,
                                         [&](const DirectoryEntry& entry) {
                                             if (entry.name.starts_with(u"own" + suffix_)) {
                                                 seen.emplace(entry.name, entry.info.file_size);
                                             }
                                             return true;
                                         }),
                  true);
        volume_.close(opened->file);
        std::map<std::u16string, std::uint64_t> expected;
        for (const auto& [path, content] : files_) {
            const std::size_t slash = path.rfind(u'\\');
            if (path.substr(0, slash) == directory) expected.emplace(path.substr(slash + 1), content.size());
        }
        EXPECT_EQ(seen.size(), expected.size()) << narrow(directory);
        EXPECT_TRUE(seen == expected) << narrow(directory);
    }
    void check_some() {
        const std::u16string* path = existing();
        if (path == nullptr) return;
        File* file = open(*path, kRead);
        ASSERT_NE(file, nullptr);
        const std::string& model = files_[*path];
        std::string data(model.size() + 10, '?');
        const auto got = volume_.read(*file, std::as_writable_bytes(std::span(data)), 0);
        data.resize(got.value_or(0));
        EXPECT_TRUE(data == model) << narrow(*path);
        volume_.close(file);
    }

    // Common names: any of these outcomes may come, and no other.
    void expect_one_of(Status status, std::initializer_list<Status> allowed, const char* what) {
        for (const Status one : allowed) {
            if (status == one) return;
        }
        ADD_FAILURE() << what << ": " << std::hex << static_cast<std::uint32_t>(status);
    }
    void fight() {
        const auto common = [this] {
            return kShared[pick(2)] + u"\\common" + static_cast<char16_t>(u'a' + pick(3));
        };
        const std::u16string path = common();
        const bool directory = pick(3) == 0;
        if (pick(2) == 0) {
            const auto made =
                volume_.create(path, {.options = directory ? nt::create_option::kDirectoryFile : 0U,
                                      .granted_access = kReadWrite});
            if (!made) {
                expect_one_of(made.error(), {Status::kObjectNameCollision}, "create");
                return;
            }
            if (!directory) write(*made->file, "fight", {});
            volume_.close(made->file);
            return;
        }
        const auto opened = volume_.open(path, {.granted_access = kDelete});
        if (!opened) {
            expect_one_of(opened.error(), {Status::kObjectNameNotFound}, "open");
            return;
        }
        EXPECT_TRUE(volume_.file_info(*opened->file));  // lives on, whatever the others do to the name
        if (pick(2) == 0) {
            volume_.cleanup(*opened->file, path, {.remove = true});
        } else {
            const auto done = volume_.rename(*opened->file, path, common(), pick(2) == 0);
            if (!done) {
                expect_one_of(
                    done.error(),
                    {Status::kObjectNameNotFound, Status::kObjectNameCollision, Status::kAccessDenied},
                    "rename");
            }
        }
        volume_.close(opened->file);
    }

    guest::Volume& volume_;
    std::minstd_rand random_;
    std::u16string suffix_;
    std::u16string subtree_;
    std::map<std::u16string, std::string> files_;
    std::size_t operations_ = 0;
};

TEST(Stress, EightThreadsInSharedDirectories_StayTrueToTheModel) {
    DaemonVolume host;
    ASSERT_TRUE(host);
    for (const std::u16string& directory : kShared) {
        std::filesystem::create_directories(host.directory() / narrow(directory).substr(1));
    }
    std::vector<std::unique_ptr<Worker>> workers;
    for (unsigned i = 0; i < kThreads; ++i)
        workers.push_back(std::make_unique<Worker>(host.volume(), i));
    const auto end = std::chrono::steady_clock::now() + duration();
    std::vector<std::thread> threads;
    for (const auto& worker : workers)
        threads.emplace_back([&worker, end] { worker->run(end); });
    for (std::thread& thread : threads)
        thread.join();

    // The host's own view.
    std::set<std::string> expected;
    std::size_t operations = 0;
    for (const auto& worker : workers) {
        operations += worker->operations();
        for (const auto& [path, content] : worker->files()) {
            const std::string relative = narrow(path).substr(1);
            expected.insert(relative);
            EXPECT_TRUE(host.content(relative) == content) << relative;
        }
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(host.directory())) {
        const std::string relative = std::filesystem::relative(entry.path(), host.directory()).string();
        if (relative.find("/own") == std::string::npos) continue;
        EXPECT_TRUE(expected.contains(relative)) << relative;
    }
    EXPECT_GT(operations, 100U * kThreads);
    host.volume().session().forget_idle();
    EXPECT_LT(host.daemon().descriptor_count().value(), 100U);
    RecordProperty("operations", std::to_string(operations));
}

}  // namespace
}  // namespace tests
