// Looking up, linking, renaming and removing names.
#include <gtest/gtest.h>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::NodeId;
using fuse::Opcode;

class NamesTest : public testing::Test {
  protected:
    void SetUp() override {
        directory_.write("a", "a");
        directory_.write("b", "b");
        std::filesystem::create_directories(directory_.path("d/e"));
        guest_.emplace(directory_.path());
        ASSERT_EQ(guest_->init().error, Errno::kNone);
    }
    Errno rename(std::string_view from, std::string_view to, std::uint32_t flags = 0,
                 NodeId target = fuse::kRootNodeId) {
        return guest_
            ->ask(Opcode::kRename2, fuse::kRootNodeId, fuse::Rename2In{.newdir = target, .flags = flags},
                  from, to)
            .error;
    }
    bool exists(const std::string& name) { return std::filesystem::exists(directory_.path(name)); }

    TestDirectory directory_;
    std::optional<TestGuest> guest_;
};

TEST_F(NamesTest, Lookup_SaysWhatTheNameIs) {
    const auto entry = guest_->lookup("a").as<fuse::EntryOut>();
    EXPECT_EQ(entry.attr.size, 1U);
    EXPECT_EQ(entry.entry_valid, 1U);
    EXPECT_EQ(guest_->lookup("nothing").error, Errno::kENOENT);
    EXPECT_EQ(guest_->lookup("x", entry.node).error, Errno::kENOTDIR);
    EXPECT_EQ(guest_->lookup(std::string(256, 'x')).error, Errno::kENAMETOOLONG);
}

TEST_F(NamesTest, Rename_KeepsTheNode_AndReplacesWhatIsThere) {
    const NodeId a = guest_->node("a");
    EXPECT_EQ(rename("a", "b"), Errno::kNone);
    EXPECT_EQ(guest_->node("b"), a);
    EXPECT_EQ(guest_->lookup("a").error, Errno::kENOENT);
    EXPECT_EQ(rename("b", "c", 0, guest_->node("d")), Errno::kNone);
    EXPECT_EQ(guest_->node("c", guest_->node("d")), a);
}

TEST_F(NamesTest, Rename_OldRequest_DoesTheSame) {
    EXPECT_EQ(guest_
                  ->ask(Opcode::kRename, fuse::kRootNodeId, fuse::RenameIn{.newdir = guest_->node("d")},
                        std::string_view("a"), std::string_view("z"))
                  .error,
              Errno::kNone);
    EXPECT_TRUE(exists("d/z"));
}

TEST_F(NamesTest, Rename_Flags_AreThoseOfLinux) {
    EXPECT_EQ(rename("a", "b", fuse::kRenameNoReplace), Errno::kEEXIST);
    const NodeId a = guest_->node("a");
    EXPECT_EQ(rename("a", "b", fuse::kRenameExchange), Errno::kNone);
    EXPECT_EQ(guest_->node("b"), a);
    EXPECT_EQ(rename("a", "nothing", fuse::kRenameExchange), Errno::kENOENT);
    EXPECT_EQ(rename("a", "b", 8), Errno::kEINVAL);
    EXPECT_EQ(rename("a", "b", UINT32_MAX), Errno::kEINVAL);
    EXPECT_EQ(rename("a", "c", fuse::kRenameNoReplace), Errno::kNone);
}

TEST_F(NamesTest, Rename_IntoItselfOrOverADirectory_IsRefused) {
    EXPECT_EQ(rename("d", "x", 0, guest_->node("d")), Errno::kEINVAL);
    EXPECT_EQ(rename("a", "d"), Errno::kEISDIR);
    EXPECT_EQ(rename("a", "x", 0, guest_->node("b")), Errno::kENOTDIR);
}

TEST_F(NamesTest, Link_GivesOneNodeTwoNames) {
    const NodeId a = guest_->node("a");
    const auto linked =
        guest_->ask(Opcode::kLink, fuse::kRootNodeId, fuse::LinkIn{.oldnode = a}, std::string_view("l"));
    EXPECT_EQ(linked.as<fuse::EntryOut>().node, a);
    EXPECT_EQ(linked.as<fuse::EntryOut>().attr.nlink, 2U);
    EXPECT_EQ(guest_->ask(Opcode::kLink, fuse::kRootNodeId, fuse::LinkIn{.oldnode = a}, std::string_view("b"))
                  .error,
              Errno::kEEXIST);
    EXPECT_EQ(guest_
                  ->ask(Opcode::kLink, fuse::kRootNodeId, fuse::LinkIn{.oldnode = guest_->node("d")},
                        std::string_view("l2"))
                  .error,
              Errno::kEPERM);
}

TEST_F(NamesTest, UnlinkAndRmdir_KeepToTheirKinds) {
    EXPECT_EQ(guest_->unlink("d").error, Errno::kEISDIR);
    EXPECT_EQ(guest_->ask(Opcode::kRmdir, fuse::kRootNodeId, std::string_view("a")).error, Errno::kENOTDIR);
    EXPECT_EQ(guest_->ask(Opcode::kRmdir, fuse::kRootNodeId, std::string_view("d")).error, Errno::kENOTEMPTY);
    EXPECT_EQ(guest_->ask(Opcode::kRmdir, guest_->node("d"), std::string_view("e")).error, Errno::kNone);
    EXPECT_EQ(guest_->unlink("a").error, Errno::kNone);
    EXPECT_FALSE(exists("a"));
}

TEST_F(NamesTest, Readlink_GivesTheTargetAsItIs) {
    const std::string longest(4095, 'x');
    EXPECT_EQ(guest_->symlink("l", "../../etc/passwd").error, Errno::kNone);
    EXPECT_EQ(guest_->symlink("long", longest).error, Errno::kNone);
    EXPECT_EQ(guest_->ask(Opcode::kReadLink, guest_->node("l")).text(), "../../etc/passwd");
    EXPECT_EQ(guest_->ask(Opcode::kReadLink, guest_->node("long")).text(), longest);
    EXPECT_EQ(guest_->ask(Opcode::kReadLink, guest_->node("a")).error, Errno::kEINVAL);
    EXPECT_EQ(guest_->symlink("e", "").error, Errno::kENOENT);
}

}  // namespace
}  // namespace host
