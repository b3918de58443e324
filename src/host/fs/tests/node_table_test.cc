#include "host/fs/node_table.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::NodeId;
using fuse::Opcode;

class NodeTableTest : public testing::Test {
  protected:
    void start(ServerOptions options = {}) {
        guest_.emplace(directory_.path(), std::move(options));
        ASSERT_EQ(guest_->init().error, Errno::kNone);
    }
    const NodeTable& nodes() { return guest_->server().nodes(); }
    Errno getattr(NodeId node) { return guest_->ask(Opcode::kGetAttr, node, fuse::GetAttrIn{}).error; }

    TestDirectory directory_;
    std::optional<TestGuest> guest_;
};

TEST_F(NodeTableTest, Lookup_OfOneInodeTwice_GivesOneNodeAndTwoReferences) {
    directory_.write("a", "1");
    std::filesystem::create_hard_link(directory_.path("a"), directory_.path("b"));
    start();
    const NodeId first = guest_->node("a");
    EXPECT_EQ(guest_->node("b"), first);
    EXPECT_EQ(nodes().size(), 1U);
    guest_->forget(first);
    EXPECT_EQ(getattr(first), Errno::kNone);
    guest_->forget(first);
    EXPECT_EQ(nodes().size(), 0U);
    EXPECT_EQ(getattr(first), Errno::kESTALE);
}

TEST_F(NodeTableTest, Forget_OfMoreThanThereAre_TakesAll) {
    directory_.write("a", "1");
    start();
    const NodeId node = guest_->node("a");
    guest_->forget(node, UINT64_MAX);
    EXPECT_EQ(nodes().size(), 0U);
    guest_->forget(node, UINT64_MAX);
    EXPECT_EQ(nodes().size(), 0U);
}

TEST_F(NodeTableTest, ForgottenNodesSlot_UsedAgain_DoesNotAnswerToTheOldId) {
    directory_.write("a", "1");
    directory_.write("b", "2");
    start();
    const NodeId old = guest_->node("a");
    guest_->forget(old);
    for (int round = 0; round < 100; ++round) {
        const NodeId next = guest_->node(round % 2 != 0 ? "a" : "b");
        EXPECT_NE(next, old);
        EXPECT_EQ(getattr(old), Errno::kESTALE);
        guest_->forget(next);
    }
}

TEST_F(NodeTableTest, ForgedIds_AreStale) {
    directory_.write("a", "1");
    start();
    const auto known = static_cast<std::uint64_t>(guest_->node("a"));
    for (int bit = 0; bit < 64; ++bit) {
        const NodeId forged{known ^ std::uint64_t{1} << bit};
        if (forged == fuse::kRootNodeId) continue;
        EXPECT_EQ(getattr(forged), Errno::kESTALE) << bit;
    }
    for (const std::uint64_t forged : {std::uint64_t{0}, std::uint64_t{2}, UINT64_MAX, UINT64_MAX - 7}) {
        EXPECT_EQ(getattr(NodeId{forged}), Errno::kESTALE);
        guest_->forget(NodeId{forged});
    }
}

TEST_F(NodeTableTest, ManyKnownFiles_KeepDescriptorsWithinTheBudget_AndAllStayUsable) {
    constexpr int kFiles = 2000;
    for (int i = 0; i < kFiles; ++i)
        directory_.write(std::to_string(i), std::to_string(i));
    start({.descriptor_budget = 64});
    std::vector<NodeId> known;
    for (int i = 0; i < kFiles; ++i)
        known.push_back(guest_->node(std::to_string(i)));
    EXPECT_EQ(nodes().size(), static_cast<std::size_t>(kFiles));
    EXPECT_LE(nodes().descriptors(), 64U + 8U);
    for (int i = 0; i < kFiles; ++i) {
        const auto open = guest_->open(known[i]);
        ASSERT_EQ(open.error, Errno::kNone);
        EXPECT_EQ(guest_->read(known[i], open.as<fuse::OpenOut>().fh, 0, 100).text(), std::to_string(i));
        guest_->ask(Opcode::kRelease, known[i], fuse::ReleaseIn{.fh = open.as<fuse::OpenOut>().fh});
        EXPECT_EQ(guest_->node(std::to_string(i)), known[i]);
    }
    EXPECT_LE(nodes().descriptors(), 64U + 8U);
}

TEST_F(NodeTableTest, WithoutFileHandles_EachNodeKeepsADescriptor) {
    for (int i = 0; i < 100; ++i)
        directory_.write(std::to_string(i), "");
    start({.file_handles = FileHandles::kNever, .descriptor_budget = 8});
    for (int i = 0; i < 100; ++i)
        EXPECT_NE(guest_->node(std::to_string(i)), fuse::kNoNode);
    EXPECT_EQ(nodes().descriptors(), 100U);
}

TEST_F(NodeTableTest, InodeNumberUsedAgain_IsAnotherNode) {
    start({.descriptor_budget = 1});
    for (int i = 0; i < 64; ++i)
        directory_.write("filler" + std::to_string(i), "");
    directory_.write("a", "old");
    const NodeId old = guest_->node("a");
    for (int i = 0; i < 64; ++i)  // its descriptor is taken away, so that the inode can go
        guest_->node("filler" + std::to_string(i));
    std::filesystem::remove(directory_.path("a"));
    for (int i = 0; i < 64; ++i) {
        directory_.write("a", "new");
        const auto next = guest_->lookup("a");
        ASSERT_EQ(next.error, Errno::kNone);
        const NodeId node = next.as<fuse::EntryOut>().node;
        EXPECT_EQ(getattr(node), Errno::kNone);
        EXPECT_NE(node, old);
        std::filesystem::remove(directory_.path("a"));
    }
    EXPECT_NE(getattr(old), Errno::kNone);
}

TEST_F(NodeTableTest, RemovedNode_StillKnownToTheGuest_CanBeAskedAbout) {
    start({.descriptor_budget = 8, .writeback = true});
    for (int i = 0; i < 100; ++i)
        directory_.write("filler" + std::to_string(i), "");
    directory_.write("file", "");
    directory_.write("replaced", "");
    directory_.write("by", "");
    std::filesystem::create_directory(directory_.path("directory"));
    const NodeId removed[] = {guest_->node("file"), guest_->node("replaced"), guest_->node("directory")};
    const auto take_descriptors_away = [&] {
        for (int i = 0; i < 100; ++i)
            guest_->node("filler" + std::to_string(i));
    };
    take_descriptors_away();
    using namespace std::string_view_literals;
    ASSERT_EQ(guest_->ask(Opcode::kUnlink, fuse::kRootNodeId, "file"sv).error, Errno::kNone);
    ASSERT_EQ(guest_->ask(Opcode::kRmdir, fuse::kRootNodeId, "directory"sv).error, Errno::kNone);
    ASSERT_EQ(guest_
                  ->ask(Opcode::kRename, fuse::kRootNodeId, fuse::RenameIn{.newdir = fuse::kRootNodeId},
                        "by"sv, "replaced"sv)
                  .error,
              Errno::kNone);
    take_descriptors_away();
    for (const NodeId node : removed) {
        EXPECT_EQ(getattr(node), Errno::kNone);
        guest_->forget(node);
        EXPECT_EQ(getattr(node), Errno::kESTALE);
    }
    EXPECT_LE(nodes().descriptors(), 8U + 8U);
}

TEST_F(NodeTableTest, Init_ForgetsWhatAnEarlierGuestKnew) {
    directory_.write("a", "1");
    start();
    const NodeId node = guest_->node("a");
    const auto open = guest_->open(node);
    ASSERT_EQ(guest_->init().error, Errno::kNone);
    EXPECT_EQ(nodes().size(), 0U);
    EXPECT_EQ(getattr(node), Errno::kESTALE);
    EXPECT_EQ(guest_->read(node, open.as<fuse::OpenOut>().fh, 0, 1).error, Errno::kEBADF);
}

TEST_F(NodeTableTest, AtTheDescriptorLimit_KnownFilesAreStillServed) {
    for (int i = 0; i < 300; ++i)
        directory_.write(std::to_string(i), "x");
    start({.descriptor_budget = 512});
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit low{.rlim_cur = 128, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &low);
    std::vector<NodeId> known;
    for (int i = 0; i < 300; ++i) {
        const auto answer = guest_->lookup(std::to_string(i));
        EXPECT_EQ(answer.error, Errno::kNone) << i;
        known.push_back(answer.as<fuse::EntryOut>().node);
    }
    for (const NodeId node : known) {
        const auto open = guest_->open(node);
        EXPECT_EQ(open.error, Errno::kNone);
        guest_->ask(Opcode::kRelease, node, fuse::ReleaseIn{.fh = open.as<fuse::OpenOut>().fh});
    }
    ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace host
