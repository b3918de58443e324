// Hard links, symbolic links, and files without a name.
#include <sys/syscall.h>

#include <cerrno>
#include <climits>

#include "tests/bridge/posix/fixture.h"

namespace posix {
namespace {

TEST_F(Posix, Link_IsTheSameFile) {
    const std::string file = make_file("file", "content");
    const std::string other = path("other");
    ASSERT_EQ(::link(file.c_str(), other.c_str()), 0);
    EXPECT_EQ(stat_of(file).st_ino, stat_of(other).st_ino);
    EXPECT_EQ(stat_of(file).st_nlink, 2U);
    ASSERT_EQ(::truncate(file.c_str(), 3), 0);
    EXPECT_EQ(content_of(other), "con");
    ASSERT_EQ(::unlink(file.c_str()), 0);
    EXPECT_EQ(stat_of(other).st_nlink, 1U);
    EXPECT_EQ(content_of(other), "con");
}

TEST_F(Posix, Link_OverANameIsRefused) {
    const std::string file = make_file("file");
    const std::string other = make_file("other", "other");
    EXPECT_EQ(error_of(::link(file.c_str(), other.c_str())), EEXIST);
    EXPECT_EQ(content_of(other), "other");
}

TEST_F(Posix, Link_ToADirectoryIsRefused) {
    const std::string directory = make_directory("directory");
    EXPECT_EQ(error_of(::link(directory.c_str(), path("other").c_str())), EPERM);
}

TEST_F(Posix, Link_ToASymlinkIsToTheLinkUnlessItIsToBeFollowed) {
    const std::string file = make_file("file");
    ASSERT_EQ(::symlink("file", path("link").c_str()), 0);
    ASSERT_EQ(::link(path("link").c_str(), path("a").c_str()), 0);
    EXPECT_TRUE(S_ISLNK(stat_of(path("a")).st_mode));
    ASSERT_EQ(::linkat(AT_FDCWD, path("link").c_str(), AT_FDCWD, path("b").c_str(), AT_SYMLINK_FOLLOW), 0);
    EXPECT_EQ(stat_of(path("b")).st_ino, stat_of(file).st_ino);
}

TEST_F(Posix, Symlink_HoldsItsTextAsItIs) {
    for (const std::string& text : {std::string("a"), std::string("../up//x/."), std::string(4000, 't')}) {
        const std::string link = path("link");
        ASSERT_EQ(::symlink(text.c_str(), link.c_str()), 0) << text.size();
        std::string found(PATH_MAX, '\0');
        const ssize_t length = ::readlink(link.c_str(), found.data(), found.size());
        ASSERT_EQ(length, static_cast<ssize_t>(text.size()));
        EXPECT_EQ(found.substr(0, text.size()), text);
        EXPECT_EQ(stat_of(link).st_size, static_cast<off_t>(text.size()));
        ASSERT_EQ(::unlink(link.c_str()), 0);
    }
    EXPECT_EQ(error_of(::symlink("", path("link").c_str())), ENOENT);
    EXPECT_EQ(error_of(::symlink(std::string(PATH_MAX, 't').c_str(), path("link").c_str())), ENAMETOOLONG);
}

TEST_F(Posix, Symlink_IsFollowed) {
    make_directory("directory");
    make_file("directory/file", "content");
    ASSERT_EQ(::symlink("directory", path("link").c_str()), 0);
    ASSERT_EQ(::symlink("link/file", path("second").c_str()), 0);
    EXPECT_EQ(content_of(path("link/file")), "content");
    EXPECT_EQ(content_of(path("second")), "content");
    EXPECT_EQ(error_of(::open(path("second").c_str(), O_RDONLY | O_NOFOLLOW)), ELOOP);
    EXPECT_EQ(error_of(::open(path("link").c_str(), O_RDONLY | O_NOFOLLOW | O_DIRECTORY)), ENOTDIR);
    char text = 0;
    EXPECT_EQ(error_of(::readlink(path("directory/file").c_str(), &text, 1)), EINVAL);
}

TEST_F(Posix, Symlink_ToNowhereAndInCirclesFails) {
    ASSERT_EQ(::symlink("missing", path("dangling").c_str()), 0);
    ASSERT_EQ(::symlink("b", path("a").c_str()), 0);
    ASSERT_EQ(::symlink("a", path("b").c_str()), 0);
    EXPECT_EQ(error_of(::open(path("dangling").c_str(), O_RDONLY)), ENOENT);
    EXPECT_EQ(error_of(::open(path("a").c_str(), O_RDONLY)), ELOOP);
    EXPECT_EQ(error_of(::open(path("dangling").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644)), EEXIST);
    open(path("dangling"), O_CREAT | O_WRONLY);
    EXPECT_TRUE(S_ISREG(stat_of(path("missing")).st_mode));
}

TEST_F(Posix, Unlink_OfAnOpenFileKeepsItUntilItIsClosed) {
    const std::string file = make_file("file", "content");
    const Fd fd = open(file, O_RDWR);
    const Fd second = open(file, O_RDONLY);
    ASSERT_EQ(::unlink(file.c_str()), 0);
    EXPECT_FALSE(exists(file));
    struct stat found;
    ASSERT_EQ(::fstat(fd.get(), &found), 0);
    EXPECT_EQ(found.st_nlink, 0U);
    ASSERT_EQ(::pwrite(fd.get(), "more", 4, 7), 4);
    char buffer[12] = {};
    EXPECT_EQ(::pread(second.get(), buffer, 11, 0), 11);
    EXPECT_STREQ(buffer, "contentmore");
    EXPECT_EQ(::ftruncate(fd.get(), 2), 0);
    EXPECT_EQ(::fchmod(fd.get(), 0600), 0);
    make_file("file", "another");  // the name is free
    ASSERT_EQ(::fstat(fd.get(), &found), 0);
    EXPECT_EQ(found.st_size, 2);
}

TEST_F(Posix, Unlink_OfADirectoryAndRmdirOfAFileAreRefused) {
    const std::string directory = make_directory("directory");
    const std::string file = make_file("file");
    EXPECT_EQ(error_of(::unlink(directory.c_str())), EISDIR);
    EXPECT_EQ(error_of(::rmdir(file.c_str())), ENOTDIR);
    EXPECT_EQ(error_of(::unlink(path("missing").c_str())), ENOENT);
    EXPECT_EQ(error_of(::rmdir(path("missing").c_str())), ENOENT);
}

TEST_F(Posix, Rmdir_OfAFullDirectoryIsRefused) {
    const std::string directory = make_directory("directory");
    const std::string file = make_file("directory/file");
    EXPECT_EQ(error_of(::rmdir(directory.c_str())), ENOTEMPTY);
    ASSERT_EQ(::unlink(file.c_str()), 0);
    EXPECT_EQ(error_of(::rmdir((directory + "/.").c_str())), EINVAL);
    EXPECT_EQ(::rmdir(directory.c_str()), 0);
}

TEST_F(Posix, Rmdir_OfAnOpenDirectoryLeavesItEmpty) {
    const std::string directory = make_directory("directory");
    const Fd fd = open(directory, O_RDONLY | O_DIRECTORY);
    ASSERT_EQ(::rmdir(directory.c_str()), 0);
    struct stat found;
    EXPECT_EQ(::fstat(fd.get(), &found), 0);
    EXPECT_EQ(error_of(::openat(fd.get(), "file", O_CREAT | O_WRONLY, 0644)), ENOENT);
}

TEST_F(Posix, Tmpfile_HasNoNameUntilItGetsOne) {
    const Fd fd = open(directory(), O_TMPFILE | O_RDWR, 0640);
    ASSERT_TRUE(fd);
    ASSERT_EQ(::write(fd.get(), "content", 7), 7);
    struct stat found;
    ASSERT_EQ(::fstat(fd.get(), &found), 0);
    EXPECT_EQ(found.st_nlink, 0U);
    EXPECT_EQ(permissions_of(found), 0640U);
    EXPECT_TRUE(names_in(directory()).empty());
    const std::string name = "/proc/self/fd/" + std::to_string(fd.get());
    ASSERT_EQ(::linkat(AT_FDCWD, name.c_str(), AT_FDCWD, path("file").c_str(), AT_SYMLINK_FOLLOW), 0);
    EXPECT_EQ(content_of(path("file")), "content");
    EXPECT_EQ(stat_of(path("file")).st_nlink, 1U);
}

TEST_F(Posix, Tmpfile_ThatIsExclusiveGetsNoName) {
    const Fd fd = open(directory(), O_TMPFILE | O_RDWR | O_EXCL, 0640);
    ASSERT_TRUE(fd);
    const std::string name = "/proc/self/fd/" + std::to_string(fd.get());
    EXPECT_EQ(error_of(::linkat(AT_FDCWD, name.c_str(), AT_FDCWD, path("file").c_str(), AT_SYMLINK_FOLLOW)),
              ENOENT);
}

}  // namespace
}  // namespace posix
