// How often the guest kicks the stock daemon, and the daemon interrupts the guest, in counts.
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

#include "fuse/protocol.h"
#include "fuse/request.h"
#include "tests/support/daemon_volume.h"

namespace tests {
namespace {

constexpr std::uint64_t kMost = 300;  // of either for 1,000 requests with 16 in flight
constexpr std::uint64_t kInFlight = 16;

void expect_few(const lab::ChannelCounts& counts, std::uint64_t requests) {
    ASSERT_GE(counts.messages, requests);
    const auto per_thousand = [&](std::uint64_t count) { return count * 1000 / counts.messages; };
    std::cout << "for 1,000 requests: " << per_thousand(counts.kicks) << " kicks, "
              << per_thousand(counts.interrupts) << " interrupts, " << per_thousand(counts.clock_wakes)
              << " looks by the clock\n";
    EXPECT_LT(per_thousand(counts.kicks), kMost);
    EXPECT_LT(per_thousand(counts.interrupts), kMost);
    EXPECT_GT(counts.kicks, 0U);
}

// A STATFS that sends itself again until enough have been sent.
class Endless final : public guest::Message {
  public:
    Endless(guest::Channel& channel, std::uint64_t unique, std::atomic<std::uint64_t>& left)
        : request_({.opcode = fuse::Opcode::kStatfs, .node = fuse::kRootNodeId, .unique = unique}),
          channel_(channel),
          left_(left) {
        epoch = channel.epoch();
        out = request_.pieces();
        piece_ = reply_;
        in = std::span(&piece_, 1);
    }
    void completed(guest::Outcome outcome) noexcept override {
        const std::uint64_t left = outcome ? left_.fetch_sub(1) : 0;
        if (left > kInFlight && left < UINT64_MAX / 2) {
            guest::Message* const self = this;
            channel_.submit(std::span(&self, 1));
        } else {
            done_ = true;
            done_.notify_all();
        }
    }
    void wait() const { done_.wait(false); }

  private:
    fuse::Request<> request_;
    std::array<std::byte, 256> reply_{};
    std::span<std::byte> piece_;
    guest::Channel& channel_;
    std::atomic<std::uint64_t>& left_;
    std::atomic<bool> done_ = false;
};

TEST(Notifications, SixteenMessagesInFlight_AreFewerThan300ForAThousand) {
    DaemonVolume host;
    ASSERT_TRUE(host);
    ASSERT_NE(host.channel().features() & virtio::feature::kRingEventIndex, 0U);
    std::atomic<std::uint64_t> left = 4000;
    std::vector<std::unique_ptr<Endless>> messages;
    std::vector<guest::Message*> batch;
    for (std::uint64_t i = 0; i < kInFlight; ++i) {
        messages.push_back(std::make_unique<Endless>(host.channel(), 0x7000'0000 + 2 * i, left));
        batch.push_back(messages.back().get());
    }
    const auto before = host.channel().counts();
    host.channel().submit(batch);
    for (const auto& message : messages)
        message->wait();
    expect_few(host.channel().counts() - before, 4000);
}

TEST(Notifications, SixteenReadersAtOnce_AreFewerThan300ForAThousand) {
    DaemonVolume host;
    ASSERT_TRUE(host);
    host.make_file("file", std::string(std::size_t{1} << 20, 'x'));
    const auto opened = host.volume().open(u"\\file", {.granted_access = nt::access::kFileGenericRead});
    ASSERT_TRUE(opened);
    const auto before = host.channel().counts();
    std::vector<std::thread> readers;
    std::atomic<bool> go = false;
    for (std::uint64_t i = 0; i < kInFlight; ++i) {
        readers.emplace_back([&, i] {
            std::vector<std::byte> buffer(4096);
            go.wait(false);
            for (std::uint64_t k = 0; k < 250; ++k)
                EXPECT_EQ(host.volume().read(*opened->file, buffer, (i * 250 + k) * 7 % 255 * 4096), 4096U);
        });
    }
    go = true;
    go.notify_all();
    for (std::thread& reader : readers)
        reader.join();
    expect_few(host.channel().counts() - before, 4000);
    host.volume().close(opened->file);
}

// Between a thread that waits for its own messages and those that nobody waits for, no notification is lost:
// the test would hang.
TEST(Notifications, FilesMadeAndDroppedOneByOne_NeverWaitInVain) {
    DaemonVolume host(DaemonVolume::Setup{.options = {.max_idle_nodes = 64}});
    ASSERT_TRUE(host);
    for (int i = 0; i < 6000; ++i) {
        const std::string number = std::to_string(i);
        const std::u16string path = u"\\" + std::u16string(number.begin(), number.end());
        EXPECT_FALSE(host.volume().attributes_of(path));
        const auto made = host.volume().create(path, {.granted_access = nt::access::kFileGenericRead});
        ASSERT_TRUE(made);
        host.volume().close(made->file);
    }
    host.volume().session().forget_idle();
    EXPECT_EQ(host.channel().held_by_device(), 0U);
}

}  // namespace
}  // namespace tests
