#include "lab/channel/scripted_host.h"

#include <gtest/gtest.h>

#include <atomic>

#include "lab/channel/guest_memory.h"
#include "lab/channel/waiting_message.h"

namespace lab {
namespace {

using namespace std::chrono_literals;
using fuse::Opcode;

class Scripted : public testing::TestWithParam<ScriptedHost::Delivery> {
  protected:
    fuse::Request<fuse::MkdirIn> request_{{.opcode = Opcode::kMkdir, .node = fuse::kRootNodeId, .unique = 5},
                                          {.mode = 0755}};
    void SetUp() override { ASSERT_TRUE(request_.add_name("name")); }
};

INSTANTIATE_TEST_SUITE_P(Deliveries, Scripted,
                         testing::Values(ScriptedHost::Delivery::kInSubmit,
                                         ScriptedHost::Delivery::kOwnThread));

TEST_P(Scripted, Script_SeesTheRequestAndItsAnswerArrives) {
    ScriptedHost host(
        [](const ScriptedRequest& request) -> Answer {
            EXPECT_EQ(request.header.opcode, Opcode::kMkdir);
            EXPECT_EQ(request.arguments_as<fuse::MkdirIn>().mode, 0755U);
            EXPECT_EQ(request.string_at(sizeof(fuse::MkdirIn)), "name");
            return success(fuse::EntryOut{.node = fuse::NodeId{9}});
        },
        GetParam());
    WaitingMessage message(host, request_, sizeof(fuse::EntryOut));
    message.submit(host);
    ASSERT_TRUE(message.wait());
    const auto reply = message.reply();
    ASSERT_TRUE(reply);
    EXPECT_EQ(fuse::read_fixed<fuse::EntryOut>(reply->body)->node, fuse::NodeId{9});
}

TEST_P(Scripted, FailuresAndGarbage_ArriveAsTheyAre) {
    std::atomic<int> round = 0;
    ScriptedHost host(
        [&](const ScriptedRequest&) -> Answer {
            switch (round++) {
                case 0:
                    return Failure{fuse::Errno::kEEXIST};
                case 1:
                    return RawAnswer{std::vector<std::byte>(10)};
                default:
                    return TransportFailure{guest::ChannelError::kRefused};
            }
        },
        GetParam());
    WaitingMessage failed(host, request_, 8), garbage(host, request_, 8), refused(host, request_, 8);
    failed.submit(host);
    ASSERT_TRUE(failed.wait());
    EXPECT_EQ(failed.reply()->error, fuse::Errno::kEEXIST);
    garbage.submit(host);
    ASSERT_TRUE(garbage.wait());
    EXPECT_EQ(garbage.reply().error(), fuse::ParseError::kTooShort);
    refused.submit(host);
    EXPECT_EQ(refused.wait()->error(), guest::ChannelError::kRefused);
}

TEST_P(Scripted, HeldMessages_EndByAnswerCancelOrLoss) {
    ScriptedHost host([](const ScriptedRequest&) -> Answer { return NoAnswer{}; }, GetParam());
    WaitingMessage answered(host, request_, 8), cancelled(host, request_, 8), lost(host, request_, 8);
    answered.submit(host);
    ASSERT_TRUE(host.wait_for_held(1));
    cancelled.submit(host);
    lost.submit(host);
    ASSERT_TRUE(host.wait_for_held(3));
    EXPECT_TRUE(host.answer_held(Success{}));
    EXPECT_TRUE(answered.wait(0ms)->has_value());
    host.cancel(cancelled);
    EXPECT_EQ(cancelled.wait(0ms)->error(), guest::ChannelError::kCancelled);
    host.lose();
    EXPECT_EQ(lost.wait(0ms)->error(), guest::ChannelError::kLost);
    WaitingMessage late(host, request_, 8);
    late.submit(host);
    EXPECT_EQ(late.wait()->error(), guest::ChannelError::kLost);
    EXPECT_FALSE(host.answer_held(Success{}));
}

TEST_P(Scripted, HostThatGoesAway_CancelsWhatItHolds) {
    std::optional<ScriptedHost> host;
    host.emplace([](const ScriptedRequest&) -> Answer { return NoAnswer{}; }, GetParam());
    WaitingMessage message(*host, request_, 8);
    message.submit(*host);
    ASSERT_TRUE(host->wait_for_held(1));
    host.reset();
    EXPECT_EQ(message.wait(0ms)->error(), guest::ChannelError::kCancelled);
}

TEST(GuestMemory, FreedBlocks_JoinAgain) {
    auto memory = GuestMemory::create(4096);
    ASSERT_TRUE(memory) << memory.error();
    const auto a = memory->allocate(1000), b = memory->allocate(1000), c = memory->allocate(1000);
    ASSERT_TRUE(a && b && c);
    EXPECT_FALSE(memory->allocate(2000));
    memory->free(*b);
    memory->free(*a);
    EXPECT_EQ(memory->allocate(2000), *a);
    memory->free(*a);
    memory->free(*c);
    memory->free(*c);  // harmless
    EXPECT_EQ(memory->allocate(4096), 0U);
}

}  // namespace
}  // namespace lab
