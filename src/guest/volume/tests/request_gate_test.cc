// How many of a large number of calls are in flight at once.
#include "guest/volume/request_gate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>

namespace guest::test {
namespace {

using namespace std::chrono_literals;

// Keeps messages until the test ends them.
class HoldingChannel final : public Channel {
  public:
    Epoch epoch() const noexcept override { return Epoch{1}; }
    std::size_t max_message_bytes() const noexcept override { return 8192; }
    void set_sink(ChannelSink*) noexcept override {}
    void submit(std::span<Message* const> messages) noexcept override {
        const std::lock_guard lock(mutex_);
        held_.insert(held_.end(), messages.begin(), messages.end());
        seen_ += messages.size();
        most_ = std::max(most_, held_.size());
        changed_.notify_all();
    }
    void cancel(Message& message) noexcept override {
        {
            const std::lock_guard lock(mutex_);
            if (std::erase(held_, &message) == 0) return;
        }
        message.completed(std::unexpected(ChannelError::kCancelled));
    }

    // False if there are never so many at once.
    bool wait_for_held(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 30s, [&] { return held_.size() >= count; });
    }
    void end_one() {
        Message* message = nullptr;
        {
            const std::lock_guard lock(mutex_);
            message = held_.front();
            held_.pop_front();
        }
        message->completed(std::unexpected(ChannelError::kRefused));
    }
    std::size_t seen() {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    std::size_t most() {
        const std::lock_guard lock(mutex_);
        return most_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Message*> held_;
    std::size_t seen_ = 0;
    std::size_t most_ = 0;
};

struct Calls {
    explicit Calls(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            owned.push_back(std::make_unique<Call<>>(fuse::RequestInfo{.opcode = fuse::Opcode::kStatfs}));
            pointers.push_back(owned.back().get());
        }
    }
    std::vector<std::unique_ptr<Call<>>> owned;
    std::vector<PendingCall*> pointers;
};

TEST(RequestGate, ManyCalls_KeepHalfToAllOfTheWindowInFlight) {
    constexpr std::size_t kCalls = 50;
    HoldingChannel channel;
    RequestGate gate(channel);
    Calls calls(kCalls);
    std::thread sender([&] { gate.transact(calls.pointers, 16); });
    for (std::size_t ended = 0; ended < kCalls; ++ended) {
        // One more than the half that has to stay.
        ASSERT_TRUE(channel.wait_for_held(std::min<std::size_t>(9, kCalls - ended)));
        channel.end_one();
    }
    sender.join();
    EXPECT_EQ(channel.seen(), kCalls);
    EXPECT_EQ(channel.most(), 16U);
}

TEST(RequestGate, ShutDownAmidManyCalls_SendsNoMoreAndEndsThem) {
    HoldingChannel channel;
    RequestGate gate(channel);
    Calls calls(50);
    std::thread sender([&] { gate.transact(calls.pointers, 16); });
    ASSERT_TRUE(channel.wait_for_held(16));
    gate.shut_down();
    sender.join();
    EXPECT_EQ(channel.seen(), 16U);
    for (const auto& call : calls.owned) {
        ASSERT_FALSE(call->body());
        EXPECT_EQ(call->body().error().status(), nt::Status::kCancelled);
    }
}

}  // namespace
}  // namespace guest::test
