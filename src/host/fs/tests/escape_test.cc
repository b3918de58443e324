// Attempts to leave the shared directory, or to reach what has effects of its own.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <atomic>
#include <thread>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::FileHandle;
using fuse::NodeId;
using fuse::Opcode;

// "share" is what the guest has; beside it lies "outside" with a file "secret".
class EscapeTest : public testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::create_directories(top_.path("share/inside"));
        std::filesystem::create_directories(top_.path("outside"));
        top_.write("outside/secret", "secret");
        top_.write("share/inside/file", "public");
        before_ = state();
        start();
    }
    void start(ServerOptions options = {.xattr = true}) {
        guest_.reset();
        guest_.emplace(top_.path("share"), std::move(options));
        ASSERT_EQ(guest_->init().error, Errno::kNone);
    }
    void TearDown() override { EXPECT_EQ(state(), before_); }

    // All that a guest could change outside.
    std::string state() const {
        std::string text;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(top_.path("outside")))
            text += entry.path().string() + "\n";
        struct stat status {};
        for (const char* const name : {"outside", "outside/secret"}) {
            EXPECT_EQ(::stat(top_.path(name).c_str(), &status), 0);
            for (const auto value :
                 {std::uint64_t{status.st_mode}, std::uint64_t{status.st_uid},
                  static_cast<std::uint64_t>(status.st_size), std::uint64_t{status.st_nlink},
                  static_cast<std::uint64_t>(status.st_mtim.tv_nsec),
                  static_cast<std::uint64_t>(status.st_ctim.tv_nsec)}) {
                text += std::to_string(value) + " ";
            }
        }
        return text;
    }
    ino_t outside_inode(const std::string& name) const {
        struct stat status {};
        ::stat(top_.path(name).c_str(), &status);
        return status.st_ino;
    }

    TestDirectory top_;
    std::string before_;
    std::optional<TestGuest> guest_;
};

TEST_F(EscapeTest, NamesThatArePathsOrNone_AreRefusedEverywhere) {
    const NodeId inside = guest_->node("inside");
    const NodeId file = guest_->node("file", inside);
    const std::string_view good = "good";
    for (const std::string_view name :
         {std::string_view(".."), std::string_view("."), std::string_view(""), std::string_view("../outside"),
          std::string_view("../outside/secret"), std::string_view("/etc/passwd"), std::string_view("/"),
          std::string_view("inside/file"), std::string_view("x/"), std::string_view("../x")}) {
        for (const NodeId parent : {fuse::kRootNodeId, inside}) {
            EXPECT_EQ(guest_->lookup(name, parent).error, Errno::kEINVAL) << name;
            EXPECT_EQ(guest_->create(name, 0644, fuse::open_flag::kReadWrite, parent).error, Errno::kEINVAL);
            EXPECT_EQ(guest_->mkdir(name, 0755, parent).error, Errno::kEINVAL);
            EXPECT_EQ(guest_->mknod(name, S_IFREG | 0600, 0, parent).error, Errno::kEINVAL);
            EXPECT_EQ(guest_->symlink(name, "x", parent).error, Errno::kEINVAL);
            EXPECT_EQ(guest_->unlink(name, parent).error, Errno::kEINVAL);
            EXPECT_EQ(guest_->ask(Opcode::kRmdir, parent, name).error, Errno::kEINVAL);
            EXPECT_EQ(guest_->ask(Opcode::kLink, parent, fuse::LinkIn{.oldnode = file}, name).error,
                      Errno::kEINVAL);
            const fuse::Rename2In to{.newdir = fuse::kRootNodeId};
            EXPECT_EQ(guest_->ask(Opcode::kRename2, parent, to, name, good).error, Errno::kEINVAL);
            EXPECT_EQ(guest_->ask(Opcode::kRename2, parent, to, good, name).error, Errno::kEINVAL);
        }
    }
    EXPECT_EQ(guest_->lookup(std::string(100'000, 'x')).error, Errno::kENAMETOOLONG);
}

TEST_F(EscapeTest, SymlinksToOutside_AreNeverFollowed) {
    for (const std::string& target : {top_.path("outside"), std::string("../outside"), std::string("/"),
                                      top_.path("outside/secret"), std::string("../outside/secret")}) {
        ASSERT_EQ(guest_->symlink("l", target).error, Errno::kNone);
        const NodeId link = guest_->node("l");
        EXPECT_EQ(guest_->getattr(link).as<fuse::AttrOut>().attr.mode & S_IFMT,
                  static_cast<unsigned>(S_IFLNK));
        EXPECT_EQ(guest_->ask(Opcode::kReadLink, link).text(), target);
        for (const std::uint32_t flags :
             {fuse::open_flag::kReadOnly, fuse::open_flag::kReadWrite, 0x200000U /*O_PATH*/})
            EXPECT_EQ(guest_->open(link, flags).error, Errno::kELOOP);
        EXPECT_EQ(guest_->ask(Opcode::kOpenDir, link, fuse::OpenIn{}).error, Errno::kENOTDIR);
        EXPECT_EQ(guest_->lookup("secret", link).error, Errno::kENOTDIR);
        EXPECT_EQ(guest_->lookup("etc", link).error, Errno::kENOTDIR);
        EXPECT_NE(guest_->create("l").error, Errno::kNone);
        EXPECT_NE(guest_->create("l", 0644, fuse::open_flag::kReadWrite | fuse::open_flag::kTruncate).error,
                  Errno::kNone);
        EXPECT_EQ(guest_->create("x", 0644, fuse::open_flag::kReadWrite, link).error, Errno::kENOTDIR);
        EXPECT_EQ(guest_->mkdir("x", 0755, link).error, Errno::kENOTDIR);
        EXPECT_EQ(guest_->mknod("x", S_IFREG | 0600, 0, link).error, Errno::kENOTDIR);
        EXPECT_EQ(guest_->symlink("x", "y", link).error, Errno::kENOTDIR);
        EXPECT_EQ(guest_->unlink("secret", link).error, Errno::kENOTDIR);
        EXPECT_NE(
            guest_->ask(Opcode::kTmpfile, link, fuse::CreateIn{.flags = 2}, std::string_view("/")).error,
            Errno::kNone);
        EXPECT_NE(guest_->ask(Opcode::kSyncfs, link, fuse::SyncfsIn{}).error, Errno::kNone);
        EXPECT_EQ(guest_->ask(Opcode::kStatfs, link).error, Errno::kNone);
        namespace set = fuse::set_attr;
        EXPECT_EQ(guest_->setattr(link, {.valid = set::kMode, .mode = 0777}).error, Errno::kENOTSUP);
        EXPECT_EQ(guest_->setattr(link, {.valid = set::kSize, .size = 0}).error, Errno::kEINVAL);
        EXPECT_EQ(guest_->setattr(link, {.valid = set::kUid | set::kGid, .uid = 77, .gid = 77}).error,
                  Errno::kNone);
        EXPECT_EQ(guest_->setattr(link, {.valid = set::kAtime | set::kMtime, .atime = 1, .mtime = 1}).error,
                  Errno::kNone);
        EXPECT_EQ(guest_
                      ->ask(Opcode::kSetXattr, link, fuse::SetXattrIn{.size = 1},
                            std::string_view("trusted.x\0v", 11))
                      .error,
                  Errno::kNone);
        EXPECT_EQ(
            guest_->ask(Opcode::kGetXattr, link, fuse::GetXattrIn{.size = 9}, std::string_view("trusted.x"))
                .text(),
            "v");
        EXPECT_EQ(guest_->ask(Opcode::kRemoveXattr, link, std::string_view("trusted.x")).error, Errno::kNone);
        EXPECT_EQ(guest_->ask(Opcode::kListXattr, link, fuse::GetXattrIn{.size = 999}).error, Errno::kNone);
        const auto hard = guest_->ask(Opcode::kLink, fuse::kRootNodeId, fuse::LinkIn{.oldnode = link},
                                      std::string_view("hard"));
        EXPECT_EQ(hard.as<fuse::EntryOut>().node, link);
        EXPECT_EQ(state(), before_);
        guest_->unlink("hard");
        guest_->unlink("l");
    }
}

TEST_F(EscapeTest, DirectorySwappedForASymlink_IsNeverPassedThrough) {
    std::atomic<bool> done = false;
    const std::string victim = top_.path("share/swap");
    const ino_t outside = outside_inode("outside");
    const ino_t secret = outside_inode("outside/secret");
    std::thread host([&] {
        const std::string parked = top_.path("share/parked");
        std::filesystem::create_directory(victim);
        while (!done) {
            ::rename(victim.c_str(), parked.c_str());
            ::symlink("../outside", victim.c_str());
            ::unlink(victim.c_str());
            ::rename(parked.c_str(), victim.c_str());
        }
    });
    for (int round = 0; round < 2000; ++round) {
        const auto found = guest_->lookup("swap");
        if (found.error != Errno::kNone) continue;
        const NodeId node = found.as<fuse::EntryOut>().node;
        EXPECT_NE(found.as<fuse::EntryOut>().attr.ino, outside);
        const auto inner = guest_->lookup("secret", node);
        EXPECT_NE(inner.error, Errno::kNone);
        const std::string name = "n" + std::to_string(round);
        const auto made = guest_->create(name, 0644, fuse::open_flag::kReadWrite, node);
        if (made.error == Errno::kNone) {
            guest_->release(made.as<fuse::CreateOut>().entry.node, made.as<fuse::CreateOut>().open.fh);
            guest_->forget(made.as<fuse::CreateOut>().entry.node);
            guest_->unlink(name, node);
        }
        guest_->mkdir("m", 0700, node);
        guest_->ask(Opcode::kRmdir, node, std::string_view("m"));
        const auto onto = guest_->create("swap");
        EXPECT_NE(onto.as<fuse::CreateOut>().entry.attr.ino, secret);
        if (onto.error == Errno::kNone) {
            guest_->release(onto.as<fuse::CreateOut>().entry.node, onto.as<fuse::CreateOut>().open.fh);
            guest_->unlink("swap");
        }
        const auto listing = guest_->ask(Opcode::kOpenDir, node, fuse::OpenIn{});
        if (listing.error == Errno::kNone) {
            const auto fh = listing.as<fuse::OpenOut>().fh;
            const auto names =
                guest_->ask(Opcode::kReadDirPlus, node, fuse::ReadIn{.fh = fh, .size = 4096}).text();
            EXPECT_EQ(names.find("secret"), std::string::npos);
            guest_->ask(Opcode::kReleaseDir, node, fuse::ReleaseIn{.fh = fh});
        }
        guest_->forget(node);
    }
    done = true;
    host.join();
}

TEST_F(EscapeTest, DirectoryMovedOutside_GivesNoWayUp) {
    const NodeId inside = guest_->node("inside");
    std::filesystem::create_directories(top_.path("elsewhere"));
    std::filesystem::rename(top_.path("share/inside"), top_.path("elsewhere/inside"));
    EXPECT_EQ(guest_->lookup("..", inside).error, Errno::kEINVAL);
    EXPECT_EQ(guest_->lookup("file", inside).error, Errno::kNone);
    const auto fh = guest_->ask(Opcode::kOpenDir, inside, fuse::OpenIn{}).as<fuse::OpenOut>().fh;
    const auto answer = guest_->ask(Opcode::kReadDirPlus, inside, fuse::ReadIn{.fh = fh, .size = 4096});
    for (std::size_t at = 0; at < answer.body.size();) {
        const auto record = answer.as<fuse::DirentPlus>(at);
        const auto name = answer.text().substr(at + sizeof record, record.dirent.namelen);
        EXPECT_EQ(record.entry.node == fuse::kNoNode, name == "." || name == "..") << name;
        at += fuse::direntplus_bytes(name.size());
    }
}

TEST_F(EscapeTest, PipesSocketsAndDevices_CannotBeOpened) {
    ASSERT_EQ(guest_->mknod("fifo", S_IFIFO | 0666).error, Errno::kNone);
    ASSERT_EQ(guest_->mknod("socket", S_IFSOCK | 0666).error, Errno::kNone);
    std::vector<std::string> names{"fifo", "socket"};
    if (guest_->mknod("null", S_IFCHR | 0666, 1 << 8 | 3).error == Errno::kNone) names.emplace_back("null");
    if (guest_->mknod("block", S_IFBLK | 0666, 254 << 8).error == Errno::kNone) names.emplace_back("block");
    for (const auto& name : names) {
        const NodeId node = guest_->node(name);
        for (const std::uint32_t flags :
             {0U, 1U, 2U, 3U, 04000U, 010000000U, 020000000U, 01000U, UINT32_MAX}) {
            EXPECT_NE(guest_->open(node, flags).error, Errno::kNone) << name << " " << flags;
            EXPECT_NE(guest_->create(name, 0600, flags).error, Errno::kNone) << name << " " << flags;
        }
        EXPECT_EQ(guest_->ask(Opcode::kOpenDir, node, fuse::OpenIn{}).error, Errno::kENOTDIR);
        EXPECT_EQ(guest_->setattr(node, {.valid = fuse::set_attr::kSize}).error, Errno::kEINVAL);
        EXPECT_EQ(guest_->ask(Opcode::kSyncfs, node, fuse::SyncfsIn{}).error, Errno::kEINVAL);
        EXPECT_EQ(guest_->setattr(node, {.valid = fuse::set_attr::kMode, .mode = 0600}).error, Errno::kNone);
        EXPECT_EQ(guest_->getattr(node).error, Errno::kNone);
    }
}

// What is known by its handle alone may have become something else under the same inode number.
TEST_F(EscapeTest, FileThatBecameAPipeUnderItsInodeNumber_IsNotOpened) {
    std::atomic<bool> done = false;
    const std::string path = top_.path("share/inside/changing");
    std::thread host([&] {
        while (!done) {
            ::unlink(path.c_str());
            ::mkfifo(path.c_str(), 0600);
            ::unlink(path.c_str());
            top_.write("share/inside/changing", "x");
        }
    });
    const NodeId inside = guest_->node("inside");
    const auto fh = guest_->ask(Opcode::kOpenDir, inside, fuse::OpenIn{}).as<fuse::OpenOut>().fh;
    for (int round = 0; round < 3000; ++round) {
        const auto answer = guest_->ask(Opcode::kReadDirPlus, inside, fuse::ReadIn{.fh = fh, .size = 4096});
        for (std::size_t at = 0; at < answer.body.size();) {
            const auto record = answer.as<fuse::DirentPlus>(at);
            at += fuse::direntplus_bytes(record.dirent.namelen);
            if (record.entry.node == fuse::kNoNode) continue;
            // Would never come back from a pipe.
            const auto opened = guest_->open(record.entry.node);
            if (opened.error == Errno::kNone) {
                EXPECT_EQ(record.entry.attr.mode & S_IFMT, static_cast<unsigned>(S_IFREG));
                guest_->release(record.entry.node, opened.as<fuse::OpenOut>().fh);
            }
            guest_->forget(record.entry.node);
        }
    }
    done = true;
    host.join();
}

TEST_F(EscapeTest, HandlesThatWereNotGiven_OpenNothing) {
    const NodeId inside = guest_->node("inside");
    const NodeId file = guest_->node("file", inside);
    const auto opened = guest_->open(file).as<fuse::OpenOut>().fh;
    for (int bit = 0; bit < 64; ++bit) {
        const FileHandle forged{static_cast<std::uint64_t>(opened) ^ std::uint64_t{1} << bit};
        EXPECT_EQ(guest_->read(file, forged, 0, 1).error, Errno::kEBADF) << bit;
        EXPECT_EQ(guest_->release(file, forged).error, Errno::kEBADF);
        EXPECT_EQ(guest_->ask(Opcode::kReadDir, inside, fuse::ReadIn{.fh = forged, .size = 99}).error,
                  Errno::kEBADF);
    }
    for (int fd = 0; fd < 64; ++fd) {  // not the daemon's descriptors
        EXPECT_EQ(guest_->read(file, FileHandle{static_cast<std::uint64_t>(fd)}, 0, 1).error, Errno::kEBADF);
    }
    EXPECT_EQ(guest_->read(file, opened, 0, 6).text(), "public");
}

TEST_F(EscapeTest, LinksIntoProc_LeadNowhere) {
    for (const char* const target :
         {"/proc/self/root", "/proc/self/cwd", "/proc/self/fd/3", "/proc/1/root"}) {
        ASSERT_EQ(guest_->symlink("l", target).error, Errno::kNone);
        const NodeId link = guest_->node("l");
        EXPECT_EQ(guest_->open(link).error, Errno::kELOOP);
        EXPECT_EQ(guest_->lookup("etc", link).error, Errno::kENOTDIR);
        EXPECT_EQ(guest_->ask(Opcode::kOpenDir, link, fuse::OpenIn{}).error, Errno::kENOTDIR);
        guest_->unlink("l");
    }
}

// A procfs inside of the share is the user's own doing, but its magic links still lead nowhere.
TEST_F(EscapeTest, ProcInsideOfTheShare_HasMagicLinksThatAreNotFollowed) {
    std::thread([&] {
        if (::unshare(CLONE_NEWNS | CLONE_FS) != 0) return;
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        std::filesystem::create_directory(top_.path("share/proc"));
        if (::mount("/proc", top_.path("share/proc").c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
            return;
        {
            TestGuest guest(top_.path("share"), {.xattr = true});
            ASSERT_EQ(guest.init().error, Errno::kNone);
            const NodeId self = guest.node(std::to_string(::getpid()), guest.node("proc"));
            ASSERT_NE(self, fuse::kNoNode);
            for (const char* const name : {"root", "cwd", "exe"}) {
                const auto found = guest.lookup(name, self);
                ASSERT_EQ(found.error, Errno::kNone) << name;
                const NodeId link = found.as<fuse::EntryOut>().node;
                EXPECT_EQ(found.as<fuse::EntryOut>().attr.mode & S_IFMT, static_cast<unsigned>(S_IFLNK));
                EXPECT_EQ(guest.open(link).error, Errno::kELOOP);
                EXPECT_EQ(guest.ask(Opcode::kOpenDir, link, fuse::OpenIn{}).error, Errno::kENOTDIR);
                EXPECT_EQ(guest.lookup("etc", link).error, Errno::kENOTDIR);
                EXPECT_NE(guest.create("x", 0600, 2, link).error, Errno::kNone);
            }
            const NodeId fds = guest.node("fd", self);
            const auto descriptor = guest.lookup("1", fds);
            if (descriptor.error == Errno::kNone) {
                EXPECT_EQ(guest.open(descriptor.as<fuse::EntryOut>().node).error, Errno::kELOOP);
            }
        }
        ::umount2(top_.path("share/proc").c_str(), MNT_DETACH);
    }).join();
    std::error_code ignored;
    std::filesystem::remove(top_.path("share/proc"), ignored);
}

}  // namespace
}  // namespace host
