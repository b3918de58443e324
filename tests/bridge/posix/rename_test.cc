// Renames and what they must not do.
#include <sys/syscall.h>

#include <cerrno>
#include <cstdio>

#include "tests/bridge/posix/fixture.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

namespace posix {
namespace {

int rename_error(const std::string& from, const std::string& to) {
    return error_of(::rename(from.c_str(), to.c_str()));
}
int rename_error(const std::string& from, const std::string& to, unsigned flags) {
    return error_of(::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
}

TEST_F(Posix, Rename_KeepsTheFile) {
    const std::string file = make_file("file", "content");
    const ino_t inode = stat_of(file).st_ino;
    ASSERT_EQ(rename_error(file, path("other")), 0);
    EXPECT_FALSE(exists(file));
    EXPECT_EQ(stat_of(path("other")).st_ino, inode);
    EXPECT_EQ(content_of(path("other")), "content");
}

TEST_F(Posix, Rename_OntoAFileReplacesIt) {
    const std::string file = make_file("file", "new");
    const std::string other = make_file("other", "old");
    const Fd old = open(other, O_RDONLY);
    ASSERT_EQ(rename_error(file, other), 0);
    EXPECT_FALSE(exists(file));
    EXPECT_EQ(content_of(other), "new");
    char buffer[4] = {};
    EXPECT_EQ(::read(old.get(), buffer, 3), 3);  // who had it open still has it
    EXPECT_STREQ(buffer, "old");
}

TEST_F(Posix, Rename_OntoItselfDoesNothing) {
    const std::string file = make_file("file", "content");
    EXPECT_EQ(rename_error(file, file), 0);
    EXPECT_EQ(content_of(file), "content");
}

TEST_F(Posix, Rename_OntoAnotherNameOfTheSameFileKeepsBoth) {
    const std::string file = make_file("file", "content");
    ASSERT_EQ(::link(file.c_str(), path("other").c_str()), 0);
    EXPECT_EQ(rename_error(file, path("other")), 0);
    EXPECT_TRUE(exists(file));
    EXPECT_TRUE(exists(path("other")));
}

TEST_F(Posix, Rename_OntoAnEmptyDirectoryReplacesIt) {
    const std::string directory = make_directory("directory");
    make_file("directory/file");
    const std::string empty = make_directory("empty");
    ASSERT_EQ(rename_error(directory, empty), 0);
    EXPECT_EQ(names_in(empty), std::vector<std::string>{"file"});
    EXPECT_EQ(names_in(this->directory()), std::vector<std::string>{"empty"});
}

TEST_F(Posix, Rename_OntoAFullDirectoryIsRefused) {
    const std::string directory = make_directory("directory");
    const std::string full = make_directory("full");
    make_file("full/file");
    const int error = rename_error(directory, full);
    EXPECT_TRUE(error == ENOTEMPTY || error == EEXIST) << error;
    EXPECT_TRUE(exists(directory));
}

TEST_F(Posix, Rename_BetweenFileAndDirectoryIsRefused) {
    const std::string directory = make_directory("directory");
    const std::string file = make_file("file");
    EXPECT_EQ(rename_error(directory, file), ENOTDIR);
    EXPECT_EQ(rename_error(file, directory), EISDIR);
}

TEST_F(Posix, Rename_IntoItsOwnTreeIsRefused) {
    const std::string directory = make_directory("directory");
    make_directory("directory/inner");
    EXPECT_EQ(rename_error(directory, directory + "/inner/below"), EINVAL);
    EXPECT_EQ(rename_error(directory + "/inner", directory), ENOTEMPTY);
}

TEST_F(Posix, Rename_OfWhatIsMissingFails) {
    make_file("file");
    EXPECT_EQ(rename_error(path("missing"), path("file")), ENOENT);
    EXPECT_EQ(rename_error(path("file"), path("missing/file")), ENOENT);
    EXPECT_EQ(rename_error(path("file"), path("file/below")), ENOTDIR);
    EXPECT_TRUE(exists(path("file")));
}

TEST_F(Posix, Rename_OfADirectoryMovesWhatItHolds) {
    make_directory("from");
    make_directory("to");
    make_directory("from/directory");
    make_file("from/directory/file", "content");
    ASSERT_EQ(rename_error(path("from/directory"), path("to/directory")), 0);
    EXPECT_EQ(content_of(path("to/directory/file")), "content");
    EXPECT_FALSE(exists(path("from/directory")));
    struct stat parent;
    ASSERT_EQ(::stat(path("to/directory/..").c_str(), &parent), 0);
    EXPECT_EQ(parent.st_ino, stat_of(path("to")).st_ino);
}

TEST_F(Posix, Rename_OfAnOpenFileKeepsItsDescriptor) {
    const std::string file = make_file("file", "content");
    make_directory("directory");
    const Fd fd = open(file, O_RDWR);
    ASSERT_EQ(rename_error(file, path("directory/moved")), 0);
    ASSERT_EQ(::pwrite(fd.get(), "C", 1, 0), 1);
    EXPECT_EQ(content_of(path("directory/moved")), "Content");
}

TEST_F(Posix, Rename_OfASymlinkMovesTheLink) {
    ASSERT_EQ(::symlink("nowhere", path("link").c_str()), 0);
    const std::string file = make_file("file", "content");
    ASSERT_EQ(rename_error(path("link"), path("other")), 0);
    EXPECT_TRUE(S_ISLNK(stat_of(path("other")).st_mode));
    ASSERT_EQ(rename_error(file, path("other")), 0);  // replaces the link, not its target
    EXPECT_TRUE(S_ISREG(stat_of(path("other")).st_mode));
    EXPECT_FALSE(exists(path("nowhere")));
}

TEST_F(Posix, Rename_ThatMustNotReplaceDoesNot) {
    const std::string file = make_file("file", "new");
    const std::string other = make_file("other", "old");
    EXPECT_EQ(rename_error(file, other, RENAME_NOREPLACE), EEXIST);
    EXPECT_EQ(content_of(other), "old");
    EXPECT_EQ(rename_error(file, path("third"), RENAME_NOREPLACE), 0);
    EXPECT_EQ(content_of(path("third")), "new");
}

TEST_F(Posix, Rename_ThatExchangesSwapsFileAndDirectory) {
    const std::string file = make_file("file", "content");
    const std::string directory = make_directory("directory");
    make_file("directory/inner");
    ASSERT_EQ(rename_error(file, directory, RENAME_EXCHANGE), 0);
    EXPECT_EQ(content_of(directory), "content");
    EXPECT_EQ(names_in(file), std::vector<std::string>{"inner"});
    EXPECT_EQ(rename_error(file, path("missing"), RENAME_EXCHANGE), ENOENT);
    EXPECT_EQ(rename_error(file, directory, RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
}

TEST_F(Posix, Rename_OfDotIsRefused) {
    make_directory("directory");
    const int error = rename_error(path("directory/."), path("other"));
    EXPECT_TRUE(error == EBUSY || error == EINVAL) << error;
}

TEST_F(Posix, Rename_ManyTimesOverOneNameNeverLeavesAGap) {
    make_file("target", "0");
    Process reader([&](int ready, int go) {
        (void)!::write(ready, "", 1);
        ::fcntl(go, F_SETFL, O_NONBLOCK);
        char byte = 0;
        while (::read(go, &byte, 1) < 0) {
            const int fd = ::open(path("target").c_str(), O_RDONLY);
            if (fd < 0) return errno;
            if (::read(fd, &byte, 1) != 1) return 200;
            ::close(fd);
        }
        return 0;
    });
    ASSERT_TRUE(reader.wait_until_ready());
    for (int i = 0; i < 500; ++i) {
        make_file("next", "1");
        ASSERT_EQ(rename_error(path("next"), path("target")), 0);
    }
    EXPECT_EQ(reader.finish(), 0);
}

}  // namespace
}  // namespace posix
