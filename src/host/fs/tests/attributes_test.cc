// Reading and changing attributes.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::NodeId;
using fuse::Opcode;
namespace set = fuse::set_attr;

class AttributesTest : public testing::Test {
  protected:
    void start(ServerOptions options = {}) {
        guest_.emplace(directory_.path(), std::move(options));
        ASSERT_EQ(guest_->init().error, Errno::kNone);
    }
    struct stat on_host(const std::string& name) {
        struct stat status {};
        EXPECT_EQ(::lstat(directory_.path(name).c_str(), &status), 0);
        return status;
    }
    fuse::Attr attr(NodeId node) { return guest_->getattr(node).as<fuse::AttrOut>().attr; }

    TestDirectory directory_;
    std::optional<TestGuest> guest_;
};

TEST_F(AttributesTest, Getattr_TellsWhatTheHostKnows) {
    directory_.write("a", "12345");
    start({.attr_timeout = std::chrono::milliseconds{2500}});
    const auto out = guest_->getattr(guest_->node("a")).as<fuse::AttrOut>();
    const auto host = on_host("a");
    EXPECT_EQ(out.attr.size, 5U);
    EXPECT_EQ(out.attr.ino, host.st_ino);
    EXPECT_EQ(out.attr.mode, host.st_mode);
    EXPECT_EQ(out.attr.mtimensec, static_cast<std::uint32_t>(host.st_mtim.tv_nsec));
    EXPECT_EQ(out.attr_valid, 2U);
    EXPECT_EQ(out.attr_valid_nsec, 500'000'000U);
}

TEST_F(AttributesTest, Statx_TellsWhenTheFileWasMade) {
    directory_.write("a", "12345");
    start();
    struct statx host;
    ASSERT_EQ(::statx(AT_FDCWD, directory_.path("a").c_str(), 0, STATX_BTIME, &host), 0);
    const auto out = guest_
                         ->ask(Opcode::kStatx, guest_->node("a"),
                               fuse::StatxIn{.sx_flags = UINT32_MAX & ~0x6000U, .sx_mask = UINT32_MAX})
                         .as<fuse::StatxOut>();
    EXPECT_EQ(out.stat.btime.sec, host.stx_btime.tv_sec);
    EXPECT_EQ(out.stat.size, 5U);
}

TEST_F(AttributesTest, OwnersAreTranslatedBothWays) {
    ServerOptions options;
    ASSERT_TRUE(options.uids.add("map:1000:5000:10").has_value());
    ASSERT_TRUE(options.gids.add("map:1000:6000:10").has_value());
    ASSERT_TRUE(options.uids.add("forbid-guest:2000:1").has_value());
    directory_.write("a", "");
    start(std::move(options));
    const NodeId node = guest_->node("a");
    EXPECT_EQ(guest_->setattr(node, {.valid = set::kUid | set::kGid, .uid = 1003, .gid = 1004}).error,
              Errno::kNone);
    EXPECT_EQ(on_host("a").st_uid, 5003U);
    EXPECT_EQ(on_host("a").st_gid, 6004U);
    EXPECT_EQ(attr(node).uid, 1003U);
    EXPECT_EQ(attr(node).gid, 1004U);
    EXPECT_EQ(guest_->setattr(node, {.valid = set::kUid, .uid = 2000}).error, Errno::kEPERM);
    EXPECT_EQ(guest_->setattr(node, {.valid = set::kUid, .uid = UINT32_MAX}).error, Errno::kEPERM);
    EXPECT_EQ(on_host("a").st_uid, 5003U);
}

TEST_F(AttributesTest, Setattr_ChangesAllThatItNames) {
    directory_.write("a", "12345");
    start();
    const NodeId node = guest_->node("a");
    const auto answer = guest_->setattr(
        node, {.valid = set::kMode | set::kUid | set::kGid | set::kSize | set::kAtime | set::kMtime,
               .size = 3,
               .atime = 1,
               .mtime = static_cast<std::uint64_t>(-5),
               .atimensec = 2,
               .mtimensec = 7,
               .mode = 06751,
               .uid = 3,
               .gid = 4});
    ASSERT_EQ(answer.error, Errno::kNone);
    const auto host = on_host("a");
    EXPECT_EQ(host.st_size, 3);
    EXPECT_EQ(host.st_mode, S_IFREG | 06751U);  // not taken away by the change of owner
    EXPECT_EQ(host.st_uid, 3U);
    EXPECT_EQ(host.st_atim.tv_sec, 1);
    EXPECT_EQ(host.st_mtim.tv_sec, -5);
    EXPECT_EQ(host.st_mtim.tv_nsec, 7);
    EXPECT_EQ(answer.as<fuse::AttrOut>().attr.size, 3U);
}

TEST_F(AttributesTest, Setattr_OfImpossibleValues_IsRefused) {
    directory_.write("a", "12345");
    start();
    const NodeId node = guest_->node("a");
    EXPECT_EQ(guest_->setattr(node, {.valid = set::kSize, .size = UINT64_MAX}).error, Errno::kEFBIG);
    EXPECT_EQ(guest_->setattr(node, {.valid = set::kAtime, .atimensec = 1'000'000'000}).error,
              Errno::kEINVAL);
    EXPECT_EQ(guest_->setattr(fuse::kRootNodeId, {.valid = set::kSize, .size = 0}).error, Errno::kEINVAL);
    EXPECT_EQ(
        guest_->setattr(node, {.valid = set::kSize | set::kFileHandle, .fh = fuse::FileHandle{77}}).error,
        Errno::kEBADF);
    EXPECT_EQ(on_host("a").st_size, 5);
}

TEST_F(AttributesTest, SetUserIdBits_GoWhenTheGuestAsksForItOnly) {
    start();
    for (const bool kill : {false, true}) {
        directory_.write("a", "12345");
        ASSERT_EQ(::chmod(directory_.path("a").c_str(), 06755), 0);
        const std::uint32_t valid = set::kSize | (kill ? set::kKillSuidGid : 0);
        ASSERT_EQ(guest_->setattr(guest_->node("a"), {.valid = valid, .size = 1}).error, Errno::kNone);
        EXPECT_EQ(on_host("a").st_mode & 07777U, kill ? 0755U : 06755U);
        std::filesystem::remove(directory_.path("a"));
    }
}

TEST_F(AttributesTest, UnlinkedOpenFile_KeepsItsAttributes_ThoughItsNodesDescriptorWasGivenUp) {
    TestDirectory memory("/dev/shm");  // a file system whose handles do not lead to what has no name
    for (int i = 0; i < 64; ++i)
        memory.write("filler" + std::to_string(i), "");
    TestGuest guest(memory.path(), {.descriptor_budget = 1});
    ASSERT_EQ(guest.init().error, Errno::kNone);
    const auto made = guest.create("a").as<fuse::CreateOut>();
    const NodeId node = made.entry.node;
    ASSERT_EQ(guest.write(node, made.open.fh, 0, "12345").error, Errno::kNone);
    const auto directory = guest.mkdir("d").as<fuse::EntryOut>().node;
    const auto opened = guest.ask(Opcode::kOpenDir, directory, fuse::OpenIn{});
    ASSERT_EQ(opened.error, Errno::kNone);
    ASSERT_EQ(guest.unlink("a").error, Errno::kNone);
    ASSERT_EQ(guest.ask(Opcode::kRmdir, fuse::kRootNodeId, std::string_view("d")).error, Errno::kNone);
    for (int i = 0; i < 64; ++i)
        guest.node("filler" + std::to_string(i));
    const auto out = guest.getattr(node);
    ASSERT_EQ(out.error, Errno::kNone);
    EXPECT_EQ(out.as<fuse::AttrOut>().attr.size, 5U);
    EXPECT_EQ(out.as<fuse::AttrOut>().attr.nlink, 0U);
    EXPECT_EQ(guest.getattr(directory).error, Errno::kNone);
    EXPECT_EQ(guest.setattr(node, {.valid = set::kSize, .size = 2}).error, Errno::kNone);
    const auto again = guest.open(node);
    ASSERT_EQ(again.error, Errno::kNone);
    EXPECT_EQ(guest.read(node, again.as<fuse::OpenOut>().fh, 0, 10).text(), "12");
    guest.forget(node, 10);
    EXPECT_EQ(guest.getattr(node).error, Errno::kESTALE);
}

TEST_F(AttributesTest, Access_FollowsTheModeForTheAskingUser) {
    directory_.write("a", "");
    ASSERT_EQ(::chmod(directory_.path("a").c_str(), 0640), 0);
    ASSERT_EQ(::chown(directory_.path("a").c_str(), 10, 20), 0);
    start();
    const NodeId node = guest_->node("a");
    const auto may = [&](std::uint32_t uid, std::uint32_t gid, std::uint32_t mask) {
        guest_->uid = uid;
        guest_->gid = gid;
        return guest_->ask(Opcode::kAccess, node, fuse::AccessIn{.mask = mask}).error;
    };
    EXPECT_EQ(may(10, 0, R_OK | W_OK), Errno::kNone);
    EXPECT_EQ(may(11, 20, R_OK), Errno::kNone);
    EXPECT_EQ(may(11, 20, W_OK), Errno::kEACCES);
    EXPECT_EQ(may(11, 21, R_OK), Errno::kEACCES);
    EXPECT_EQ(may(0, 0, R_OK | W_OK), Errno::kNone);
    EXPECT_EQ(may(0, 0, X_OK), Errno::kEACCES);
    EXPECT_EQ(may(0, 0, 8), Errno::kEINVAL);
}

}  // namespace
}  // namespace host
