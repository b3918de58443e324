// What programs of a Linux guest may expect of the share, as far as a shell cannot show it: other users,
// modes, times, mappings, holes, locks, open files without a name. In the directory that SHARE names; as
// root. XATTR=1: extended attributes are there. CACHE=none: shared mappings are not.
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// An open file that closes itself.
class File {
  public:
    File(const std::string& path, int flags, mode_t mode = 0644)
        : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int fd() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }

  private:
    int fd_;
};

// Runs `act` in a process of another user, without any other groups; its result is an errno or 0.
template <typename Act>
int as_user(uid_t uid, gid_t gid, Act act) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setgroups(0, nullptr) != 0 || ::setresgid(gid, gid, gid) != 0 ||
            ::setresuid(uid, uid, uid) != 0) {
            ::_exit(255);
        }
        ::_exit(act());
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

int error_of(int result) {
    return result < 0 ? errno : 0;
}

// Makes a file by another user's hand.
int make_file(const std::string& path) {
    return File(path, O_WRONLY | O_CREAT | O_EXCL).is_open() ? 0 : errno;
}

void write_file(const std::string& path, const std::string& text, mode_t mode = 0644) {
    const File file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    ASSERT_TRUE(file.is_open()) << path << ": " << std::strerror(errno);
    ASSERT_EQ(::write(file.fd(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

std::string read_file(const std::string& path) {
    const File file(path, O_RDONLY);
    std::string text(1 << 16, '\0');
    const auto length = ::read(file.fd(), text.data(), text.size());
    text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return text;
}

struct stat status_of(const std::string& path) {
    struct stat status = {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path << ": " << std::strerror(errno);
    return status;
}

// Every test has a directory of its own, which anyone may write to.
class Posix : public testing::Test {
  protected:
    void SetUp() override {
        directory_ =
            setting("SHARE") + "/posix." + testing::UnitTest::GetInstance()->current_test_info()->name();
        ::umask(0);
        ASSERT_EQ(::mkdir(directory_.c_str(), 0777), 0) << directory_ << ": " << std::strerror(errno);
    }
    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    const std::string& directory() const { return directory_; }

  private:
    std::string directory_;
};

TEST_F(Posix, Create_ByAnotherUser_BelongsToThatUser) {
    const int error = as_user(1000, 1001, [&] { return make_file(path("file")); });
    ASSERT_EQ(error, 0);
    EXPECT_EQ(status_of(path("file")).st_uid, 1000U);
    EXPECT_EQ(status_of(path("file")).st_gid, 1001U);
    ASSERT_EQ(as_user(1000, 1001, [&] { return error_of(::mkdir(path("dir").c_str(), 0700)); }), 0);
    EXPECT_EQ(status_of(path("dir")).st_uid, 1000U);
    ASSERT_EQ(as_user(1000, 1001, [&] { return error_of(::symlink("x", path("link").c_str())); }), 0);
    EXPECT_EQ(status_of(path("link")).st_uid, 1000U);
}

TEST_F(Posix, Create_WithUmask_LeavesItsBitsOut) {
    ::umask(027);
    write_file(path("file"), "", 0666);
    ASSERT_EQ(::mkdir(path("dir").c_str(), 0777), 0);
    ::umask(0);
    EXPECT_EQ(status_of(path("file")).st_mode & 07777U, 0640U);
    EXPECT_EQ(status_of(path("dir")).st_mode & 07777U, 0750U);
}

TEST_F(Posix, Create_InSetGroupIdDirectory_InheritsTheGroup) {
    ASSERT_EQ(::chown(directory().c_str(), 0, 4242), 0);
    ASSERT_EQ(::chmod(directory().c_str(), 02777), 0);
    ASSERT_EQ(as_user(1000, 1000, [&] { return make_file(path("file")); }), 0);
    ASSERT_EQ(as_user(1000, 1000, [&] { return error_of(::mkdir(path("dir").c_str(), 0755)); }), 0);
    EXPECT_EQ(status_of(path("file")).st_gid, 4242U);
    EXPECT_EQ(status_of(path("dir")).st_gid, 4242U);
    EXPECT_EQ(status_of(path("dir")).st_mode & 07777U, 02755U);
}

TEST_F(Posix, Open_WithoutPermission_IsRefused) {
    write_file(path("file"), "secret", 0600);
    EXPECT_EQ(as_user(1000, 1000, [&] { return File(path("file"), O_RDONLY).is_open() ? 0 : errno; }),
              EACCES);
    ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
    EXPECT_EQ(as_user(1000, 1000, [&] { return make_file(path("dir/file")); }), EACCES);
    EXPECT_EQ(as_user(1000, 1000, [&] { return error_of(::chmod(path("file").c_str(), 0777)); }), EPERM);
}

TEST_F(Posix, Unlink_InStickyDirectory_IsTheOwnersAlone) {
    ASSERT_EQ(::chmod(directory().c_str(), 01777), 0);
    ASSERT_EQ(as_user(1000, 1000, [&] { return make_file(path("file")); }), 0);
    EXPECT_EQ(as_user(1001, 1001, [&] { return error_of(::unlink(path("file").c_str())); }), EPERM);
    EXPECT_EQ(as_user(1000, 1000, [&] { return error_of(::unlink(path("file").c_str())); }), 0);
}

TEST_F(Posix, Write_ByAnotherUser_ClearsSetUserId) {
    write_file(path("file"), "x");
    ASSERT_EQ(::chmod(path("file").c_str(), 06777), 0);
    const int error = as_user(1000, 1000, [&] {
        const File file(path("file"), O_WRONLY);
        return error_of(static_cast<int>(::write(file.fd(), "y", 1)));
    });
    EXPECT_EQ(error, 0);
    EXPECT_EQ(status_of(path("file")).st_mode & 07777U, 0777U);
}

TEST_F(Posix, Rename_NoReplaceOntoFile_IsRefused) {
    write_file(path("from"), "from");
    write_file(path("to"), "to");
    EXPECT_EQ(
        error_of(::renameat2(AT_FDCWD, path("from").c_str(), AT_FDCWD, path("to").c_str(), RENAME_NOREPLACE)),
        EEXIST);
    EXPECT_EQ(read_file(path("to")), "to");
}

TEST_F(Posix, Rename_Exchange_SwapsBoth) {
    write_file(path("one"), "1");
    write_file(path("two"), "2");
    ASSERT_EQ(::renameat2(AT_FDCWD, path("one").c_str(), AT_FDCWD, path("two").c_str(), RENAME_EXCHANGE), 0);
    EXPECT_EQ(read_file(path("one")), "2");
    EXPECT_EQ(read_file(path("two")), "1");
}

TEST_F(Posix, Unlink_OfOpenFile_LeavesItsData) {
    const File file(path("file"), O_RDWR | O_CREAT);
    ASSERT_EQ(::write(file.fd(), "still here", 10), 10);
    ASSERT_EQ(::unlink(path("file").c_str()), 0);
    std::array<char, 10> text{};
    EXPECT_EQ(::pread(file.fd(), text.data(), text.size(), 0), 10);
    EXPECT_EQ(std::string(text.data(), text.size()), "still here");
    struct stat status = {};
    ASSERT_EQ(::fstat(file.fd(), &status), 0);
    EXPECT_EQ(status.st_nlink, 0U);
    EXPECT_EQ(::ftruncate(file.fd(), 3), 0);
}

TEST_F(Posix, Directory_RemovedWhileInUse_CanStillBeAskedAbout) {
    ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
    const File place(path("dir"), O_PATH | O_DIRECTORY);
    ASSERT_EQ(::rmdir(path("dir").c_str()), 0);
    struct stat status = {};
    EXPECT_EQ(::fstat(place.fd(), &status), 0) << std::strerror(errno);
    EXPECT_EQ(error_of(::openat(place.fd(), "file", O_WRONLY | O_CREAT, 0644)), ENOENT);
}

TEST_F(Posix, DirectIo_AndCachedIo_SeeEachOther) {
    constexpr std::size_t kSize = 8192;
    void* memory = nullptr;
    ASSERT_EQ(::posix_memalign(&memory, 4096, kSize), 0);
    auto* const bytes = static_cast<char*>(memory);
    std::fill_n(bytes, kSize, 'd');
    const File direct(path("file"), O_RDWR | O_CREAT | O_DIRECT);
    ASSERT_TRUE(direct.is_open());
    EXPECT_EQ(::pwrite(direct.fd(), bytes, kSize, 0), static_cast<ssize_t>(kSize));
    EXPECT_EQ(read_file(path("file")), std::string(kSize, 'd'));
    const File cached(path("file"), O_WRONLY);
    ASSERT_EQ(::pwrite(cached.fd(), "c", 1, 4096), 1);
    EXPECT_EQ(::pread(direct.fd(), bytes, 4096, 4096), 4096);
    EXPECT_EQ(std::string(bytes, 2), "cd");
    std::free(memory);
}

TEST_F(Posix, Append_ThroughTwoOpens_LosesNothing) {
    const File one(path("file"), O_WRONLY | O_CREAT | O_APPEND);
    const File two(path("file"), O_WRONLY | O_APPEND);
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(::write(one.fd(), "1", 1), 1);
        ASSERT_EQ(::write(two.fd(), "2", 1), 1);
    }
    EXPECT_EQ(read_file(path("file")).size(), 40U);
}

TEST_F(Posix, Mapping_Shared_ReachesTheFile) {
    if (setting("CACHE") == "none") GTEST_SKIP() << "no shared mappings without a cache";
    write_file(path("file"), std::string(10'000, 'a'));
    {
        const File file(path("file"), O_RDWR);
        void* const address = ::mmap(nullptr, 10'000, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
        ASSERT_NE(address, MAP_FAILED) << std::strerror(errno);
        static_cast<char*>(address)[9'999] = 'z';
        EXPECT_EQ(::msync(address, 10'000, MS_SYNC), 0);
        ::munmap(address, 10'000);
    }
    EXPECT_EQ(read_file(path("file")), std::string(9'999, 'a') + 'z');
}

TEST_F(Posix, Mapping_Private_ShowsTheFile) {
    write_file(path("file"), "mapped");
    const File file(path("file"), O_RDONLY);
    void* const address = ::mmap(nullptr, 6, PROT_READ, MAP_PRIVATE, file.fd(), 0);
    ASSERT_NE(address, MAP_FAILED) << std::strerror(errno);
    EXPECT_EQ(std::string(static_cast<const char*>(address), 6), "mapped");
    ::munmap(address, 6);
}

TEST_F(Posix, Times_AreKeptToTheNanosecond) {
    write_file(path("file"), "x");
    const timespec times[2] = {{1'000'000'001, 123'456'789}, {2'000'000'002, 987'654'321}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path("file").c_str(), times, 0), 0);
    const auto status = status_of(path("file"));
    EXPECT_EQ(status.st_atim.tv_sec, 1'000'000'001);
    EXPECT_EQ(status.st_atim.tv_nsec, 123'456'789);
    EXPECT_EQ(status.st_mtim.tv_sec, 2'000'000'002);
    EXPECT_EQ(status.st_mtim.tv_nsec, 987'654'321);
}

TEST_F(Posix, Times_OfALink_AreTheLinks) {
    ASSERT_EQ(::symlink("nowhere", path("link").c_str()), 0);
    const timespec times[2] = {{7, 0}, {8, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path("link").c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
    EXPECT_EQ(status_of(path("link")).st_mtim.tv_sec, 8);
}

TEST_F(Posix, Truncate_Longer_ReadsAsZeros) {
    write_file(path("file"), "abc");
    ASSERT_EQ(::truncate(path("file").c_str(), 6), 0);
    EXPECT_EQ(read_file(path("file")), std::string("abc\0\0\0", 6));
    ASSERT_EQ(::truncate(path("file").c_str(), 1), 0);
    EXPECT_EQ(read_file(path("file")), "a");
}

TEST_F(Posix, Holes_AreFoundAndPunched) {
    const File file(path("file"), O_RDWR | O_CREAT);
    constexpr off_t kData = 1 << 20;
    ASSERT_EQ(::pwrite(file.fd(), "data", 4, kData), 4);
    ASSERT_EQ(::fsync(file.fd()), 0);
    EXPECT_EQ(::lseek(file.fd(), 0, SEEK_DATA), kData);
    ASSERT_EQ(::fallocate(file.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kData, 4096), 0)
        << std::strerror(errno);
    std::array<char, 4> text{'x', 'x', 'x', 'x'};
    EXPECT_EQ(::pread(file.fd(), text.data(), text.size(), kData), 4);
    EXPECT_EQ(std::string(text.data(), 4), std::string(4, '\0'));
    ASSERT_EQ(::fallocate(file.fd(), 0, 0, 2 << 20), 0);
    struct stat status = {};
    ASSERT_EQ(::fstat(file.fd(), &status), 0);
    EXPECT_EQ(status.st_size, 2 << 20);
}

TEST_F(Posix, CopyFileRange_CopiesInTheHost) {
    write_file(path("from"), "0123456789");
    const File from(path("from"), O_RDONLY);
    const File to(path("to"), O_WRONLY | O_CREAT);
    off_t offset = 2;
    ASSERT_EQ(::copy_file_range(from.fd(), &offset, to.fd(), nullptr, 5, 0), 5) << std::strerror(errno);
    ASSERT_EQ(::fsync(to.fd()), 0);
    EXPECT_EQ(read_file(path("to")), "23456");
}

TEST_F(Posix, ExtendedAttributes_AreSetReadListedAndRemoved) {
    write_file(path("file"), "x");
    const std::string file = path("file");
    if (setting("XATTR") != "1") {
        EXPECT_EQ(error_of(::setxattr(file.c_str(), "user.one", "1", 1, 0)), EOPNOTSUPP);
        return;
    }
    ASSERT_EQ(::setxattr(file.c_str(), "user.one", "value", 5, 0), 0) << std::strerror(errno);
    EXPECT_EQ(error_of(::setxattr(file.c_str(), "user.one", "v", 1, XATTR_CREATE)), EEXIST);
    std::array<char, 64> value{};
    EXPECT_EQ(::getxattr(file.c_str(), "user.one", value.data(), value.size()), 5);
    EXPECT_STREQ(value.data(), "value");
    EXPECT_EQ(error_of(static_cast<int>(::getxattr(file.c_str(), "user.one", value.data(), 2))), ERANGE);
    EXPECT_GE(::listxattr(file.c_str(), value.data(), value.size()), 9);
    ASSERT_EQ(::removexattr(file.c_str(), "user.one"), 0);
    EXPECT_EQ(error_of(static_cast<int>(::getxattr(file.c_str(), "user.one", value.data(), value.size()))),
              ENODATA);
}

TEST_F(Posix, Names_AreAnyBytesUpTo255) {
    const std::string longest(255, 'n');
    const std::string bytes = "\x01\xff\xfe \\:*?\"";
    EXPECT_EQ(make_file(path(longest)), 0);
    EXPECT_EQ(make_file(path(bytes)), 0);
    EXPECT_EQ(make_file(path(longest + "n")), ENAMETOOLONG);
    EXPECT_EQ(::access(path(bytes).c_str(), F_OK), 0);
}

TEST_F(Posix, SpecialFiles_AreMadeAsTheyAre) {
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    EXPECT_TRUE(S_ISFIFO(status_of(path("fifo")).st_mode));
    ASSERT_EQ(::mknod(path("null").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0) << std::strerror(errno);
    EXPECT_TRUE(S_ISCHR(status_of(path("null")).st_mode));
    EXPECT_EQ(status_of(path("null")).st_rdev, makedev(1, 3));
}

TEST_F(Posix, Links_ShareAnInodeAndCountNames) {
    write_file(path("one"), "x");
    ASSERT_EQ(::link(path("one").c_str(), path("two").c_str()), 0);
    EXPECT_EQ(status_of(path("one")).st_ino, status_of(path("two")).st_ino);
    EXPECT_EQ(status_of(path("one")).st_nlink, 2U);
    ASSERT_EQ(::unlink(path("one").c_str()), 0);
    EXPECT_EQ(status_of(path("two")).st_nlink, 1U);
}

TEST_F(Posix, SymbolicLink_WithTheLongestTarget_IsReadBack) {
    const std::string target(4000, 't');
    ASSERT_EQ(::symlink(target.c_str(), path("link").c_str()), 0);
    std::string read(5000, '\0');
    ASSERT_EQ(::readlink(path("link").c_str(), read.data(), read.size()), 4000);
    EXPECT_EQ(read.substr(0, 4000), target);
}

TEST_F(Posix, Directory_ListedInPartsAndFromAnOffset_ShowsEachNameOnce) {
    for (int i = 0; i < 300; ++i)
        ASSERT_EQ(make_file(path(std::to_string(i))), 0);
    DIR* const stream = ::opendir(directory().c_str());
    ASSERT_NE(stream, nullptr);
    std::multiset<std::string> names;
    long middle = 0;
    std::string after_middle;
    while (const dirent* entry = ::readdir(stream)) {
        names.insert(entry->d_name);
        if (names.size() == 100) {
            middle = ::telldir(stream);
            if (const dirent* next = ::readdir(stream)) names.insert(after_middle = next->d_name);
        }
    }
    EXPECT_EQ(names.size(), 302U);
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 302U);
    ::seekdir(stream, middle);
    const dirent* const again = ::readdir(stream);
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(std::string(again->d_name), after_middle);
    ::closedir(stream);
}

TEST_F(Posix, Locks_HoldBetweenProcesses) {
    const File file(path("file"), O_RDWR | O_CREAT);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    ASSERT_EQ(::fcntl(file.fd(), F_SETLK, &lock), 0) << std::strerror(errno);
    ASSERT_EQ(::flock(file.fd(), LOCK_EX | LOCK_NB), 0) << std::strerror(errno);
    const int error = as_user(0, 0, [&] {
        const File other(path("file"), O_RDWR);
        struct flock wanted = {};
        wanted.l_type = F_WRLCK;
        if (::fcntl(other.fd(), F_SETLK, &wanted) == 0) return 0;
        return ::flock(other.fd(), LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    });
    EXPECT_EQ(error, EWOULDBLOCK);
}

TEST_F(Posix, FreeSpace_IsTheHosts) {
    struct statvfs space = {};
    ASSERT_EQ(::statvfs(directory().c_str(), &space), 0);
    EXPECT_GT(space.f_blocks, 0U);
    EXPECT_EQ(space.f_namemax, 255U);
}

TEST_F(Posix, Sync_OfFileDirectoryAndFileSystem_Works) {
    const File file(path("file"), O_WRONLY | O_CREAT);
    EXPECT_EQ(::fsync(file.fd()), 0);
    EXPECT_EQ(::fdatasync(file.fd()), 0);
    EXPECT_EQ(::syncfs(file.fd()), 0) << std::strerror(errno);
    const File folder(directory(), O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(::fsync(folder.fd()), 0);
}

TEST_F(Posix, FourThreads_MakeWriteRenameAndRemove_WithoutError) {
    std::vector<std::thread> threads;
    std::array<int, 4> errors{};
    for (std::size_t t = 0; t < errors.size(); ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 25 && errors[t] == 0; ++i) {
                const std::string name = path(std::to_string(t) + "." + std::to_string(i));
                const std::string renamed = name + ".renamed";
                errors[t] = make_file(name);
                if (errors[t] == 0) errors[t] = error_of(::rename(name.c_str(), renamed.c_str()));
                if (errors[t] == 0) errors[t] = error_of(::unlink(renamed.c_str()));
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(errors, (std::array<int, 4>{}));
}

}  // namespace
