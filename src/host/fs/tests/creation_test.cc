// Making files, as whom and with which mode.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <thread>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::NodeId;
using fuse::Opcode;

// Each test runs in a thread of its own, which may act as other users; these have the rights of users.
class CreationTest : public testing::Test {
  protected:
    void SetUp() override { ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0); }
    template <typename Body>
    void as_daemon(ServerOptions options, Body&& body) {
        std::thread([&] {
            ASSERT_EQ(::unshare(CLONE_FS), 0);
            TestGuest guest(directory_.path(), std::move(options));
            ASSERT_EQ(guest.init().error, Errno::kNone);
            body(guest);
        }).join();
    }
    struct stat on_host(const std::string& name) {
        struct stat status {};
        EXPECT_EQ(::lstat(directory_.path(name).c_str(), &status), 0) << name;
        return status;
    }

    TestDirectory directory_;
};

TEST_F(CreationTest, WhatIsMade_BelongsToTheAskingUser) {
    as_daemon({}, [&](TestGuest& guest) {
        std::uint32_t uid = 1000;
        const auto next = [&] {
            guest.uid = ++uid;
            guest.gid = uid + 100;
        };
        next();
        EXPECT_EQ(guest.create("file").error, Errno::kNone);
        next();
        EXPECT_EQ(guest.mkdir("directory").error, Errno::kNone);
        next();
        EXPECT_EQ(guest.symlink("link", "target").error, Errno::kNone);
        next();
        EXPECT_EQ(guest.mknod("fifo", S_IFIFO | 0600).error, Errno::kNone);
        guest.uid = 0;
        guest.gid = 0;
        EXPECT_EQ(guest.create("root").error, Errno::kNone);
        uid = 1000;
        for (const char* const name : {"file", "directory", "link", "fifo"}) {
            EXPECT_EQ(on_host(name).st_uid, ++uid) << name;
            EXPECT_EQ(on_host(name).st_gid, uid + 100) << name;
        }
        EXPECT_EQ(on_host("root").st_uid, 0U);
    });
}

TEST_F(CreationTest, InADirectoryThatIsNotTheirs_UsersMakeNothing) {
    as_daemon({}, [&](TestGuest& guest) {
        std::filesystem::create_directory(directory_.path("d"));
        ASSERT_EQ(::chmod(directory_.path("d").c_str(), 0755), 0);
        const NodeId d = guest.node("d");
        guest.uid = 1000;
        guest.gid = 1000;
        EXPECT_EQ(guest.create("x", 0644, fuse::open_flag::kReadWrite, d).error, Errno::kEACCES);
        EXPECT_EQ(guest.mkdir("x", 0755, d).error, Errno::kEACCES);
        EXPECT_EQ(guest.symlink("x", "y", d).error, Errno::kEACCES);
        guest.uid = 0;
        EXPECT_EQ(guest.create("x", 0644, fuse::open_flag::kReadWrite, d).error, Errno::kNone);
    });
}

TEST_F(CreationTest, UsersOfTheGuest_AreTranslated_AndSomeForbidden) {
    ServerOptions options;
    ASSERT_TRUE(options.uids.add("map:1000:5000:10").has_value());
    ASSERT_TRUE(options.uids.add("forbid-guest:66:1").has_value());
    as_daemon(std::move(options), [&](TestGuest& guest) {
        guest.uid = 1001;
        EXPECT_EQ(guest.create("a").as<fuse::CreateOut>().entry.attr.uid, 1001U);
        EXPECT_EQ(on_host("a").st_uid, 5001U);
        for (const std::uint32_t refused : {66U, UINT32_MAX}) {
            guest.uid = refused;
            EXPECT_EQ(guest.create("b").error, Errno::kEPERM);
            EXPECT_EQ(guest.mkdir("b").error, Errno::kEPERM);
        }
        EXPECT_FALSE(std::filesystem::exists(directory_.path("b")));
    });
}

TEST_F(CreationTest, InASetGroupIdDirectory_TheDirectorysGroupIsInherited) {
    as_daemon({}, [&](TestGuest& guest) {
        std::filesystem::create_directory(directory_.path("d"));
        ASSERT_EQ(::chown(directory_.path("d").c_str(), 0, 500), 0);
        ASSERT_EQ(::chmod(directory_.path("d").c_str(), 02777), 0);
        const NodeId d = guest.node("d");
        guest.uid = 1000;
        guest.gid = 1000;
        EXPECT_EQ(guest.mkdir("sub", 0755, d).error, Errno::kNone);
        EXPECT_EQ(on_host("d/sub").st_gid, 500U);
        EXPECT_EQ(on_host("d/sub").st_mode & 07777U, 02755U);
        // Set-group-id files are for members of the group only.
        EXPECT_EQ(guest.create("stranger", 02755, fuse::open_flag::kReadWrite, d).error, Errno::kNone);
        EXPECT_EQ(guest.mknod("stranger2", S_IFREG | 02755, 0, d).error, Errno::kNone);
        guest.further_group = 500;
        EXPECT_EQ(guest.create("member", 02755, fuse::open_flag::kReadWrite, d).error, Errno::kNone);
        guest.further_group.reset();
        EXPECT_EQ(guest.create("stranger3", 02755, fuse::open_flag::kReadWrite, d).error, Errno::kNone);
        for (const char* const stranger : {"d/stranger", "d/stranger2", "d/stranger3"}) {
            EXPECT_EQ(on_host(stranger).st_gid, 500U);
            EXPECT_EQ(on_host(stranger).st_mode & 07777U, 0755U) << stranger;
        }
        EXPECT_EQ(on_host("d/member").st_mode & 07777U, 02755U);
    });
}

TEST_F(CreationTest, SecurityLabels_AreGivenToWhatIsMade_OrNothingIsMade) {
    ServerOptions options{.xattr = true, .security_label = true};
    options.xattr_map = *XattrMap::parse(":map:security.:user.virtiofs.:");
    as_daemon(std::move(options), [&](TestGuest& guest) {
        guest.security_context = {"security.selinux", "system_u:object_r:x"};
        EXPECT_EQ(guest.create("file").error, Errno::kNone);
        EXPECT_EQ(guest.mkdir("directory").error, Errno::kNone);
        guest.further_group = 5;  // behind it
        EXPECT_EQ(guest.create("another").error, Errno::kNone);
        for (const char* const name : {"file", "directory", "another"}) {
            char value[64];
            const ssize_t length = ::getxattr(directory_.path(name).c_str(), "user.virtiofs.security.selinux",
                                              value, sizeof value);
            ASSERT_GT(length, 0) << name;
            EXPECT_EQ(std::string_view(value, static_cast<std::size_t>(length)), "system_u:object_r:x")
                << name;
        }
        // Links cannot have attributes of users.
        EXPECT_EQ(guest.symlink("link", "target").error, Errno::kEPERM);
        EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(directory_.path("link"))));
    });
}

TEST_F(CreationTest, Umask_IsAppliedHereOnlyWithPosixAcls) {
    as_daemon({}, [&](TestGuest& guest) {
        guest.create("plain", 0666, fuse::open_flag::kReadWrite, fuse::kRootNodeId, 027);
        guest.mkdir("plain-d", 0777, fuse::kRootNodeId, 027);
        EXPECT_EQ(on_host("plain").st_mode & 07777U, 0666U);
        EXPECT_EQ(on_host("plain-d").st_mode & 07777U, 0777U);
    });
    as_daemon({.xattr = true, .posix_acl = true}, [&](TestGuest& guest) {
        guest.create("acl", 0666, fuse::open_flag::kReadWrite, fuse::kRootNodeId, 027);
        guest.mkdir("acl-d", 0777, fuse::kRootNodeId, 027);
        EXPECT_EQ(on_host("acl").st_mode & 07777U, 0640U);
        EXPECT_EQ(on_host("acl-d").st_mode & 07777U, 0750U);
    });
}

TEST_F(CreationTest, Create_OfWhatIsThere_OpensItUnlessExclusive) {
    directory_.write("a", "12345");
    std::filesystem::create_directory(directory_.path("d"));
    as_daemon({}, [&](TestGuest& guest) {
        namespace flag = fuse::open_flag;
        EXPECT_EQ(guest.create("a", 0600, flag::kReadWrite | flag::kExclusive).error, Errno::kEEXIST);
        guest.uid = 7;
        const auto opened = guest.create("a", 0600, flag::kReadWrite).as<fuse::CreateOut>();
        EXPECT_EQ(guest.read(opened.entry.node, opened.open.fh, 0, 10).text(), "12345");
        EXPECT_EQ(on_host("a").st_uid, 0U);
        EXPECT_EQ(on_host("a").st_mode & 07777U, 0644U);
        EXPECT_EQ(guest.create("a", 0600, flag::kReadWrite | flag::kTruncate).error, Errno::kNone);
        EXPECT_EQ(on_host("a").st_size, 0);
        EXPECT_EQ(guest.create("d").error, Errno::kEISDIR);
    });
}

TEST_F(CreationTest, Create_WhileOthersMakeAndRemoveTheName_Succeeds) {
    std::atomic<bool> done = false;
    std::thread other([&] {
        while (!done) {
            directory_.write("a", "");
            ::unlink(directory_.path("a").c_str());
        }
    });
    as_daemon({}, [&](TestGuest& guest) {
        for (int i = 0; i < 500; ++i) {
            const auto made = guest.create("a");
            ASSERT_EQ(made.error, Errno::kNone);
            guest.release(made.as<fuse::CreateOut>().entry.node, made.as<fuse::CreateOut>().open.fh);
        }
    });
    done = true;
    other.join();
}

TEST_F(CreationTest, Tmpfile_HasNoName_AndCanBeGivenOne) {
    as_daemon({}, [&](TestGuest& guest) {
        guest.uid = 1000;
        const auto made = guest.ask(Opcode::kTmpfile, fuse::kRootNodeId,
                                    fuse::CreateIn{.flags = fuse::open_flag::kReadWrite, .mode = 0640},
                                    std::string_view("/"));
        ASSERT_EQ(made.error, Errno::kNone);
        const auto out = made.as<fuse::CreateOut>();
        EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
        EXPECT_EQ(guest.write(out.entry.node, out.open.fh, 0, "abc").error, Errno::kNone);
        EXPECT_EQ(guest.getattr(out.entry.node).as<fuse::AttrOut>().attr.size, 3U);
        const auto linked = guest.ask(Opcode::kLink, fuse::kRootNodeId,
                                      fuse::LinkIn{.oldnode = out.entry.node}, std::string_view("named"));
        EXPECT_EQ(linked.error, Errno::kNone);
        EXPECT_EQ(linked.as<fuse::EntryOut>().node, out.entry.node);
        EXPECT_EQ(on_host("named").st_uid, 1000U);
        EXPECT_EQ(on_host("named").st_size, 3);
    });
}

TEST_F(CreationTest, DeviceNumbers_SurviveTheTrip) {
    as_daemon({}, [&](TestGuest& guest) {
        const std::uint32_t encoded = (0x12345 & 0xff) | 0x123 << 8 | (0x12345 & ~0xff) << 12;
        const auto made = guest.mknod("device", S_IFCHR | 0600, encoded);
        if (made.error == Errno::kEPERM) GTEST_SKIP() << "devices cannot be made here";
        EXPECT_EQ(made.as<fuse::EntryOut>().attr.rdev, encoded);
        EXPECT_EQ(major(on_host("device").st_rdev), 0x123U);
        EXPECT_EQ(minor(on_host("device").st_rdev), 0x12345U);
    });
}

}  // namespace
}  // namespace host
