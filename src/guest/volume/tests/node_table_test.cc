// How much the table of nodes and names remembers, whatever the host hands out.
#include "guest/volume/node_table.h"

#include <gtest/gtest.h>

#include <string>

namespace guest {
namespace {

class CountingSink final : public ForgetSink {
  public:
    void forget(std::vector<fuse::ForgetOne> nodes) noexcept override {
        for (const auto& node : nodes)
            forgotten += node.nlookup;
    }
    std::uint64_t forgotten = 0;
};

class NodeTableLimits : public testing::Test {
  protected:
    // As a walk does it: each file is looked up, used and let go.
    void look_up_files(std::size_t count, std::uint64_t lifetime_in_seconds) {
        const NodePin root = table.root();
        for (std::size_t i = 0; i < count; ++i) {
            fuse::EntryOut entry{};
            entry.node = fuse::NodeId{1000 + i};
            entry.attr.ino = 1000 + i;
            entry.attr.mode = fuse::mode::kRegular | 0644;
            entry.entry_valid = entry.attr_valid = lifetime_in_seconds;
            table.adopt(root, "file " + std::to_string(i), entry, table.ask_now());
        }
    }

    CountingSink sink;
    NodeTable table{
        Epoch{1}, {.max_idle_references = 100, .max_names = 5000, .max_expired_names = 200}, sink};
};

TEST_F(NodeTableLimits, NamesBeyondTheirLifetime_AreFewAndTheirReferencesGiveBack) {
    look_up_files(20'000, 0);
    EXPECT_LE(table.counts().names, 200U);
    EXPECT_LE(table.counts().nodes, 201U);
    EXPECT_LE(table.counts().referenced, 100U);
    EXPECT_EQ(sink.forgotten + table.counts().referenced, 20'000U);
}

TEST_F(NodeTableLimits, NamesWithinTheirLifetime_AreKeptUpToTheLimit) {
    look_up_files(20'000, 1'000);
    EXPECT_EQ(table.counts().names, 5000U);
    EXPECT_LE(table.counts().referenced, 100U);
    EXPECT_EQ(table.find(table.root(), "file 19999").state, KnownName::State::kPresent);
    EXPECT_EQ(table.find(table.root(), "file 15001").state, KnownName::State::kPresent);
    EXPECT_EQ(table.find(table.root(), "file 0").state, KnownName::State::kUnknown);
}

TEST_F(NodeTableLimits, WhatIsInUse_StaysKnownBeyondItsLifetime) {
    const NodePin root = table.root();
    fuse::EntryOut entry{};
    entry.node = fuse::NodeId{5};
    entry.attr.mode = fuse::mode::kRegular | 0644;
    const FoundNode used = table.adopt(root, "used", entry, table.ask_now());
    look_up_files(20'000, 0);
    ASSERT_TRUE(table.home_of(used.node));
    EXPECT_EQ(table.home_of(used.node)->name, "used");
    EXPECT_EQ(used.node.id().id, fuse::NodeId{5});
}

}  // namespace
}  // namespace guest
