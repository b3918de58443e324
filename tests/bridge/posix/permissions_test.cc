// Who may do what: modes, umask, owners, groups, sticky and set-id bits.
#include <sys/sysmacros.h>

#include <cerrno>

#include "tests/bridge/posix/fixture.h"

namespace posix {
namespace {

constexpr mode_t kSetIds = S_ISUID | S_ISGID;

TEST_F(Posix, Create_AppliesTheUmask) {
    ::umask(027);
    open(path("file"), O_CREAT | O_WRONLY, 0666);
    ASSERT_EQ(::mkdir(path("directory").c_str(), 0777), 0);
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0666), 0);
    EXPECT_EQ(permissions_of(stat_of(path("file"))), 0640U);
    EXPECT_EQ(permissions_of(stat_of(path("directory"))), 0750U);
    EXPECT_EQ(permissions_of(stat_of(path("fifo"))), 0640U);
}

TEST_F(Posix, Create_WithoutUmaskKeepsTheMode) {
    ::umask(0);
    open(path("file"), O_CREAT | O_WRONLY, 0666);
    ASSERT_EQ(::mkdir(path("directory").c_str(), 01777), 0);
    EXPECT_EQ(permissions_of(stat_of(path("file"))), 0666U);
    EXPECT_EQ(permissions_of(stat_of(path("directory"))), 01777U);
}

TEST_F(Posix, Create_WithoutWritePermissionStillGivesAWritableDescriptor) {
    const Fd fd = open(path("file"), O_CREAT | O_RDWR, 0400);
    EXPECT_EQ(::write(fd.get(), "x", 1), 1);
    EXPECT_EQ(permissions_of(stat_of(path("file"))), 0400U);
}

TEST_F(Posix, Chmod_KeepsTheTypeAndAllTwelveBits) {
    const std::string file = make_file("file");
    ASSERT_EQ(::chmod(file.c_str(), 06751), 0);
    EXPECT_EQ(stat_of(file).st_mode, S_IFREG | 06751U);
    const std::string directory = make_directory("directory");
    ASSERT_EQ(::chmod(directory.c_str(), 03771), 0);
    EXPECT_EQ(stat_of(directory).st_mode, S_IFDIR | 03771U);
}

TEST_F(PosixUsers, Create_BelongsToWhoMadeIt) {
    const auto make = [&] {
        if (::mkdir(path("directory").c_str(), 0755) != 0) return errno;
        if (::symlink("x", path("link").c_str()) != 0) return errno;
        if (::mkfifo(path("fifo").c_str(), 0644) != 0) return errno;
        return error_of(::open(path("file").c_str(), O_CREAT | O_WRONLY, 0600));
    };
    ASSERT_EQ(as(ann_, make), 0);
    for (const char* const name : {"directory", "link", "fifo", "file"}) {
        const struct stat made = stat_of(path(name));
        EXPECT_EQ(made.st_uid, kAnn) << name;
        EXPECT_EQ(made.st_gid, kAnnsGroup) << name;
    }
}

TEST_F(PosixUsers, Open_OfAnothersPrivateFileIsRefused) {
    const std::string file = make_file("file", "secret", 0600);
    ASSERT_EQ(::chown(file.c_str(), kAnn, kAnnsGroup), 0);
    EXPECT_EQ(as(bob_, [&] { return error_of(::open(file.c_str(), O_RDONLY)); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::open(file.c_str(), O_WRONLY)); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::truncate(file.c_str(), 0)); }), EACCES);
    EXPECT_EQ(as(ann_, [&] { return error_of(::open(file.c_str(), O_RDWR)); }), 0);
}

TEST_F(PosixUsers, Open_ForWhatTheModeDoesNotAllowIsRefusedToTheOwner) {
    const std::string file = make_file("file", "", 0477);
    ASSERT_EQ(::chown(file.c_str(), kAnn, kAnnsGroup), 0);
    EXPECT_EQ(as(ann_, [&] { return error_of(::open(file.c_str(), O_RDONLY)); }), 0);
    EXPECT_EQ(as(ann_, [&] { return error_of(::open(file.c_str(), O_WRONLY)); }), EACCES);
}

TEST_F(PosixUsers, SupplementaryGroup_Counts) {
    const std::string file = make_file("file", "", 0660);
    ASSERT_EQ(::chown(file.c_str(), kAnn, kTeam), 0);
    const auto use = [&] { return error_of(::open(file.c_str(), O_RDWR)); };
    EXPECT_EQ(as(bob_of_team_, use), 0);
    EXPECT_EQ(as(bob_, use), EACCES);
}

TEST_F(PosixUsers, SupplementaryGroup_CountsForNewNames) {
    const std::string directory = make_directory("directory", 0770);
    ASSERT_EQ(::chown(directory.c_str(), kAnn, kTeam), 0);
    const auto at = [&](const char* name) { return directory + "/" + name; };
    const auto make = [&] {
        if (::mkdir(at("inner").c_str(), 0755) != 0) return errno;
        if (::symlink("x", at("link").c_str()) != 0) return errno;
        if (::mkfifo(at("fifo").c_str(), 0644) != 0) return errno;
        return error_of(::open(at("file").c_str(), O_CREAT | O_WRONLY, 0644));
    };
    EXPECT_EQ(as(bob_, make), EACCES);
    EXPECT_EQ(as(bob_of_team_, make), 0);
    for (const std::string& name : names_in(directory)) {
        EXPECT_EQ(stat_of(at(name.c_str())).st_uid, kBob) << name;
        EXPECT_EQ(stat_of(at(name.c_str())).st_gid, kBobsGroup) << name;
    }
}

TEST_F(PosixUsers, SupplementaryGroup_CountsForRemovingAndRenaming) {
    const std::string directory = make_directory("directory", 0770);
    ASSERT_EQ(::chown(directory.c_str(), kAnn, kTeam), 0);
    make_file("directory/file");
    make_file("directory/other");
    const auto change = [&] {
        if (::rename((directory + "/file").c_str(), (directory + "/moved").c_str()) != 0) return errno;
        if (::unlink((directory + "/other").c_str()) != 0) return errno;
        return 0;
    };
    EXPECT_EQ(as(bob_, change), EACCES);
    EXPECT_EQ(as(bob_of_team_, change), 0);
    EXPECT_EQ(names_in(directory), std::vector<std::string>{"moved"});
}

TEST_F(PosixUsers, DirectoryWithoutWritePermission_KeepsItsNames) {
    const std::string directory = make_directory("directory", 0755);
    // His own, since a system may refuse links to others' files in any case.
    ASSERT_EQ(::chown(make_file("directory/file").c_str(), kBob, kBobsGroup), 0);
    make_directory("directory/inner");
    const auto at = [&](const char* name) { return directory + "/" + name; };
    EXPECT_EQ(as(bob_, [&] { return error_of(::unlink(at("file").c_str())); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::rmdir(at("inner").c_str())); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::rename(at("file").c_str(), at("other").c_str())); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::mkdir(at("new").c_str(), 0755)); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::symlink("x", at("link").c_str())); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::link(at("file").c_str(), at("hard").c_str())); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::open(at("new").c_str(), O_CREAT | O_WRONLY, 0644)); }),
              EACCES);
    EXPECT_EQ(names_in(directory), (std::vector<std::string>{"file", "inner"}));
}

TEST_F(PosixUsers, DirectoryWithoutSearchPermission_HidesWhatIsInIt) {
    const std::string directory = make_directory("directory", 0744);
    const std::string file = make_file("directory/file");
    struct stat found;
    EXPECT_EQ(as(bob_, [&] { return error_of(::stat(file.c_str(), &found)); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::open(directory.c_str(), O_RDONLY | O_DIRECTORY)); }), 0);
    ASSERT_EQ(::chmod(directory.c_str(), 0711), 0);
    EXPECT_EQ(as(bob_, [&] { return error_of(::stat(file.c_str(), &found)); }), 0);
    EXPECT_EQ(as(bob_, [&] { return error_of(::open(directory.c_str(), O_RDONLY | O_DIRECTORY)); }), EACCES);
}

TEST_F(PosixUsers, Access_AsksForTheRealUser) {
    const std::string file = make_file("file", "", 0640);
    ASSERT_EQ(::chown(file.c_str(), kAnn, kTeam), 0);
    EXPECT_EQ(as(ann_, [&] { return error_of(::access(file.c_str(), R_OK | W_OK)); }), 0);
    EXPECT_EQ(as(ann_, [&] { return error_of(::access(file.c_str(), X_OK)); }), EACCES);
    EXPECT_EQ(as(bob_of_team_, [&] { return error_of(::access(file.c_str(), R_OK)); }), 0);
    EXPECT_EQ(as(bob_of_team_, [&] { return error_of(::access(file.c_str(), W_OK)); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::access(file.c_str(), R_OK)); }), EACCES);
    EXPECT_EQ(as(bob_, [&] { return error_of(::access(file.c_str(), F_OK)); }), 0);
    EXPECT_EQ(::access(file.c_str(), R_OK | W_OK), 0);
    EXPECT_EQ(error_of(::access(file.c_str(), X_OK)), EACCES);  // nobody may execute it, so root may not
}

TEST_F(PosixUsers, SetGidDirectory_GivesItsGroupToWhatIsMadeInIt) {
    const std::string directory = make_directory("directory");
    ASSERT_EQ(::chown(directory.c_str(), kAnn, kTeam), 0);
    ASSERT_EQ(::chmod(directory.c_str(), 02777), 0);
    const auto make = [&] {
        if (::mkdir((directory + "/inner").c_str(), 0755) != 0) return errno;
        return error_of(::open((directory + "/file").c_str(), O_CREAT | O_WRONLY, 0644));
    };
    ASSERT_EQ(as(bob_, make), 0);
    EXPECT_EQ(stat_of(directory + "/file").st_gid, kTeam);
    EXPECT_EQ(permissions_of(stat_of(directory + "/file")), 0644U);
    EXPECT_EQ(stat_of(directory + "/inner").st_gid, kTeam);
    EXPECT_EQ(permissions_of(stat_of(directory + "/inner")), 02755U);
}

TEST_F(PosixUsers, StickyDirectory_KeepsOthersFiles) {
    const std::string directory = make_directory("directory", 01777);
    const std::string file = make_file("directory/file");
    ASSERT_EQ(::chown(file.c_str(), kAnn, kAnnsGroup), 0);
    const std::string other = directory + "/other";
    EXPECT_EQ(as(bob_, [&] { return error_of(::unlink(file.c_str())); }), EPERM);
    EXPECT_EQ(as(bob_, [&] { return error_of(::rename(file.c_str(), other.c_str())); }), EPERM);
    EXPECT_EQ(as(ann_, [&] { return error_of(::rename(file.c_str(), other.c_str())); }), 0);
    EXPECT_EQ(as(ann_, [&] { return error_of(::unlink(other.c_str())); }), 0);
}

TEST_F(PosixUsers, Chmod_IsTheOwnersAlone) {
    const std::string file = make_file("file", "", 0666);
    ASSERT_EQ(::chown(file.c_str(), kAnn, kAnnsGroup), 0);
    EXPECT_EQ(as(bob_, [&] { return error_of(::chmod(file.c_str(), 0777)); }), EPERM);
    EXPECT_EQ(as(ann_, [&] { return error_of(::chmod(file.c_str(), 0600)); }), 0);
    EXPECT_EQ(permissions_of(stat_of(file)), 0600U);
}

TEST_F(PosixUsers, Chmod_ByAnOwnerOutsideTheGroupLosesSetGid) {
    const std::string file = make_file("file");
    ASSERT_EQ(::chown(file.c_str(), kAnn, kTeam), 0);
    ASSERT_EQ(as(ann_, [&] { return error_of(::chmod(file.c_str(), 02755)); }), 0);
    EXPECT_EQ(permissions_of(stat_of(file)), 0755U);
}

TEST_F(PosixUsers, Chown_IsRootsAlone_AndTheGroupAmongOnesOwn) {
    const std::string file = make_file("file");
    ASSERT_EQ(::chown(file.c_str(), kBob, kBobsGroup), 0);
    EXPECT_EQ(as(bob_, [&] { return error_of(::chown(file.c_str(), kAnn, -1)); }), EPERM);
    EXPECT_EQ(as(bob_of_team_, [&] { return error_of(::chown(file.c_str(), -1, kAnnsGroup)); }), EPERM);
    EXPECT_EQ(as(bob_of_team_, [&] { return error_of(::chown(file.c_str(), -1, kTeam)); }), 0);
    EXPECT_EQ(stat_of(file).st_gid, kTeam);
    EXPECT_EQ(stat_of(file).st_uid, kBob);
}

TEST_F(PosixUsers, Chown_ClearsSetIds) {
    const std::string file = make_file("file", "", 0755);
    ASSERT_EQ(::chown(file.c_str(), kBob, kBobsGroup), 0);
    ASSERT_EQ(::chmod(file.c_str(), 06755), 0);
    ASSERT_EQ(as(bob_of_team_, [&] { return error_of(::chown(file.c_str(), -1, kTeam)); }), 0);
    EXPECT_EQ(permissions_of(stat_of(file)) & kSetIds, 0U);
}

TEST_F(PosixUsers, Chown_OfALinkLeavesItsTarget) {
    const std::string file = make_file("file");
    ASSERT_EQ(::symlink("file", path("link").c_str()), 0);
    ASSERT_EQ(::lchown(path("link").c_str(), kAnn, kAnnsGroup), 0);
    EXPECT_EQ(stat_of(path("link")).st_uid, kAnn);
    EXPECT_EQ(stat_of(file).st_uid, ::geteuid());
}

TEST_F(PosixUsers, Write_ByAnotherClearsSetIds) {
    const std::string file = make_file("file", "content");
    ASSERT_EQ(::chmod(file.c_str(), 06777), 0);
    ASSERT_EQ(as(bob_,
                 [&] {
                     const int fd = ::open(file.c_str(), O_WRONLY);
                     return fd < 0 ? errno : error_of(::write(fd, "x", 1));
                 }),
              0);
    EXPECT_EQ(permissions_of(stat_of(file)), 0777U);
}

TEST_F(PosixUsers, Truncate_ByAnotherClearsSetIds) {
    const std::string file = make_file("file", "content");
    ASSERT_EQ(::chmod(file.c_str(), 06777), 0);
    ASSERT_EQ(as(bob_, [&] { return error_of(::truncate(file.c_str(), 2)); }), 0);
    EXPECT_EQ(permissions_of(stat_of(file)), 0777U);
    EXPECT_EQ(content_of(file), "co");
}

TEST_F(PosixUsers, OpenThatTruncates_ByAnotherClearsSetIds) {
    const std::string file = make_file("file", "content");
    ASSERT_EQ(::chmod(file.c_str(), 06777), 0);
    ASSERT_EQ(as(bob_, [&] { return error_of(::open(file.c_str(), O_WRONLY | O_TRUNC)); }), 0);
    EXPECT_EQ(permissions_of(stat_of(file)), 0777U);
    EXPECT_EQ(content_of(file), "");
}

TEST_F(PosixUsers, Device_IsMadeByRootAlone) {
    const std::string device = path("null");
    EXPECT_EQ(as(bob_, [&] { return error_of(::mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 3))); }),
              EPERM);
    EXPECT_EQ(as(bob_, [&] { return error_of(::mknod(device.c_str(), S_IFIFO | 0666, 0)); }), 0);
}

TEST_F(PosixUsers, NoAtime_IsTheOwnersAlone) {
    const std::string file = make_file("file", "", 0666);
    ASSERT_EQ(::chown(file.c_str(), kAnn, kAnnsGroup), 0);
    EXPECT_EQ(as(bob_, [&] { return error_of(::open(file.c_str(), O_RDONLY | O_NOATIME)); }), EPERM);
    EXPECT_EQ(as(ann_, [&] { return error_of(::open(file.c_str(), O_RDONLY | O_NOATIME)); }), 0);
}

}  // namespace
}  // namespace posix
