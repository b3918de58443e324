// Both sides of the split virtqueue against each other.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "virtio/fs_device.h"
#include "virtio/test_memory.h"

namespace virtio {
namespace {

Token token(std::uintptr_t number) {
    // The queue never follows a token. NOLINTNEXTLINE(performance-no-int-to-ptr)
    return reinterpret_cast<Token>(number);
}

struct Shape {
    std::uint16_t indirect_capacity;
    bool event_index;
};

class Queue : public testing::TestWithParam<Shape> {
  protected:
    static constexpr std::uint16_t kSize = 8;
    TestMemory memory_{kSize, GetParam().indirect_capacity, 4096};
    DriverQueue driver_ = memory_.driver(GetParam().event_index);
    DeviceQueue device_{memory_.ring(), GetParam().event_index};
    std::array<Segment, 16> room_;

    std::optional<Chain> pop() {
        const auto chain = device_.pop(memory_.translator(), room_);
        EXPECT_TRUE(chain);
        return chain ? *chain : std::nullopt;
    }
    std::optional<UsedChain> pop_used() {
        const auto used = driver_.pop_used();
        EXPECT_TRUE(used);
        return used ? *used : std::nullopt;
    }
};

INSTANTIATE_TEST_SUITE_P(Shapes, Queue,
                         testing::Values(Shape{0, false}, Shape{4, false}, Shape{0, true}, Shape{4, true}),
                         [](const auto& tested) {
                             return std::string(tested.param.indirect_capacity != 0 ? "Indirect" : "Direct") +
                                    (tested.param.event_index ? "EventIndex" : "Flags");
                         });

TEST_P(Queue, Chain_ArrivesWithItsPiecesAndComesBackWithItsToken) {
    const std::array readable{Piece{memory_.data_address(0), 10}, Piece{memory_.data_address(100), 20}};
    const std::array writable{Piece{memory_.data_address(200), 30}};
    ASSERT_TRUE(driver_.add(readable, writable, token(42)));
    EXPECT_FALSE(pop()) << "visible before it was published";
    driver_.publish();
    EXPECT_TRUE(driver_.needs_kick());
    const auto chain = pop();
    ASSERT_TRUE(chain);
    ASSERT_EQ(chain->readable.size(), 2U);
    ASSERT_EQ(chain->writable.size(), 1U);
    EXPECT_EQ(chain->readable[1].data(), memory_.data(100));
    EXPECT_EQ(chain->readable_bytes, 30U);
    EXPECT_EQ(chain->writable_bytes, 30U);
    EXPECT_FALSE(pop());

    device_.push_used(chain->head, 17);
    EXPECT_FALSE(pop_used()) << "used before it was published";
    device_.publish();
    EXPECT_TRUE(device_.needs_interrupt());
    const auto used = pop_used();
    ASSERT_TRUE(used);
    EXPECT_EQ(used->token, token(42));
    EXPECT_EQ(used->bytes_written, 17U);
    EXPECT_FALSE(pop_used());
    EXPECT_EQ(driver_.outstanding(), 0U);
    EXPECT_EQ(driver_.free_descriptors(), kSize);
}

TEST_P(Queue, Full_RefusesUntilAChainComesBack) {
    const std::array piece{Piece{memory_.data_address(), 8}};
    for (std::uintptr_t i = 0; i < kSize; ++i)
        ASSERT_TRUE(driver_.add(piece, {}, token(i)));
    EXPECT_EQ(driver_.add(piece, {}, token(9)).error(), AddError::kFull);
    driver_.publish();
    const auto chain = pop();
    ASSERT_TRUE(chain);
    device_.push_used(chain->head, 0);
    device_.publish();
    EXPECT_EQ(pop_used()->token, token(0));
    EXPECT_TRUE(driver_.add(piece, {}, token(9)));
}

TEST_P(Queue, ImpossibleChains_AreRefused) {
    EXPECT_EQ(driver_.add({}, {}, token(1)).error(), AddError::kTooLong);
    const std::array empty{Piece{memory_.data_address(), 0}};
    EXPECT_EQ(driver_.add(empty, {}, token(1)).error(), AddError::kTooLong);
    EXPECT_EQ(driver_.add({}, empty, token(1)).error(), AddError::kTooLong);
    const std::vector<Piece> many(kSize + 1, Piece{memory_.data_address(), 1});
    EXPECT_EQ(driver_.add(many, {}, token(1)).error(), AddError::kTooLong);
    const std::vector<Piece> huge(2, Piece{memory_.data_address(), UINT32_MAX});
    EXPECT_EQ(driver_.add(huge, {}, token(1)).error(), AddError::kTooLong);
    EXPECT_EQ(driver_.free_descriptors(), kSize);
}

TEST_P(Queue, Suppression_HoldsUntilEnabledAndNothingIsMissed) {
    const std::array piece{Piece{memory_.data_address(), 8}};
    device_.suppress_kicks();
    ASSERT_TRUE(driver_.add(piece, {}, token(1)));
    driver_.publish();
    EXPECT_FALSE(driver_.needs_kick());
    EXPECT_TRUE(device_.enable_kicks()) << "the chain that came meanwhile";
    const auto first = pop();
    ASSERT_TRUE(first);
    EXPECT_FALSE(device_.enable_kicks());
    ASSERT_TRUE(driver_.add(piece, {}, token(2)));
    driver_.publish();
    EXPECT_TRUE(driver_.needs_kick());

    driver_.suppress_interrupts();
    device_.push_used(first->head, 0);
    device_.publish();
    EXPECT_FALSE(device_.needs_interrupt());
    EXPECT_TRUE(driver_.enable_interrupts());
    EXPECT_TRUE(pop_used());
    EXPECT_FALSE(driver_.enable_interrupts());
    device_.push_used(pop()->head, 0);
    device_.publish();
    EXPECT_TRUE(device_.needs_interrupt());
}

TEST_P(Queue, RandomTraffic_KeepsTokensAndDescriptors) {
    std::mt19937 random(7);
    std::vector<std::uintptr_t> expected_bytes(1, 0);
    std::vector<std::pair<std::uint16_t, std::uint32_t>> held;
    std::uintptr_t next = 1;
    std::size_t returned = 0;
    for (int round = 0; round < 100'000; ++round) {  // wraps the 16-bit indexes
        std::vector<Piece> readable(random() % 3), writable(random() % 3);
        for (auto& p : readable)
            p = {memory_.data_address(random() % 4000), 1 + static_cast<std::uint32_t>(random() % 96)};
        for (auto& p : writable)
            p = {memory_.data_address(random() % 4000), 1 + static_cast<std::uint32_t>(random() % 96)};
        if (driver_.add(readable, writable, token(next))) {
            ++next;
            expected_bytes.push_back(0);
        }
        if (random() % 2 == 0) driver_.publish();
        while (random() % 3 != 0) {
            const auto chain = pop();
            if (!chain) break;
            held.emplace_back(chain->head, chain->writable_bytes == 0 ? 0 : random() % chain->writable_bytes);
        }
        while (!held.empty() && random() % 3 != 0) {
            const std::size_t pick = random() % held.size();  // out of order
            device_.push_used(held[pick].first, held[pick].second);
            held.erase(held.begin() + static_cast<std::ptrdiff_t>(pick));
            device_.publish();
        }
        while (random() % 4 != 0) {
            const auto used = pop_used();
            if (!used) break;
            auto& seen = expected_bytes[reinterpret_cast<std::uintptr_t>(used->token)];
            ASSERT_EQ(seen, 0U) << "came back twice";
            seen = 1;
            ++returned;
        }
    }
    EXPECT_EQ(returned + driver_.outstanding(), next - 1);
    EXPECT_GT(returned, 60'000U);
    std::size_t abandoned = 0;
    driver_.abandon([&](Token t) {
        EXPECT_EQ(expected_bytes[reinterpret_cast<std::uintptr_t>(t)], 0U);
        ++abandoned;
    });
    EXPECT_EQ(returned + abandoned, next - 1);
}

// The device serves what it finds one by one and offers an interrupt for each; the driver, with 16 chains at
// the device, asks for one at the twelfth, then for what is left.
TEST(EventIndex, SixteenInFlight_TakeFewNotifications) {
    constexpr std::uint16_t kInFlight = 16;
    constexpr unsigned kRounds = 250;
    TestMemory memory(32, 4, 4096);
    DriverQueue driver = memory.driver(true);
    DeviceQueue device(memory.ring(), true);
    std::array<Segment, 16> room;
    const std::array piece{Piece{memory.data_address(), 8}};
    unsigned kicks = 0, interrupts = 0;
    for (unsigned round = 0; round < kRounds; ++round) {
        for (std::uintptr_t i = 0; i < kInFlight; ++i) {
            ASSERT_TRUE(driver.add(piece, {}, token(i)));
            driver.publish();
            kicks += driver.needs_kick() ? 1 : 0;  // the device sleeps until the first, then is busy
        }
        EXPECT_FALSE(driver.enable_interrupts(kInFlight - kInFlight / 4));
        std::vector<std::uint16_t> heads;
        for (auto chain = device.pop(memory.translator(), room); chain && *chain;
             chain = device.pop(memory.translator(), room))
            heads.push_back((*chain)->head);
        ASSERT_EQ(heads.size(), kInFlight);
        EXPECT_FALSE(device.enable_kicks());
        for (const std::uint16_t head : heads) {
            device.push_used(head, 0);
            device.publish();
            if (!device.needs_interrupt()) continue;
            ++interrupts;
            driver.suppress_interrupts();
            do {
                for (auto used = driver.pop_used(); used && *used; used = driver.pop_used()) {
                }
            } while (driver.enable_interrupts(driver.outstanding()));
        }
        ASSERT_EQ(driver.outstanding(), 0U) << "the last one came without an interrupt";
    }
    const unsigned thousands = kRounds * kInFlight / 1000;
    EXPECT_EQ(kicks / thousands, 62U);
    EXPECT_LT(interrupts / thousands, 300U);
    EXPECT_GT(interrupts, 0U);
}

TEST(EventIndex, MoreThanTheDeviceHas_IsNotWaitedFor) {
    TestMemory memory(8, 0, 4096);
    DriverQueue driver = memory.driver(true);
    DeviceQueue device(memory.ring(), true);
    std::array<Segment, 16> room;
    const std::array piece{Piece{memory.data_address(), 8}};
    for (std::uintptr_t i = 0; i < 2; ++i)
        ASSERT_TRUE(driver.add(piece, {}, token(i)));
    driver.publish();
    ASSERT_TRUE(driver.add(piece, {}, token(2)));  // the device does not know of it
    EXPECT_FALSE(driver.enable_interrupts(100));
    const auto first = device.pop(memory.translator(), room), second = device.pop(memory.translator(), room);
    ASSERT_TRUE(first && *first && second && *second);
    device.push_used((*first)->head, 0);
    device.publish();
    EXPECT_FALSE(device.needs_interrupt());
    EXPECT_FALSE(driver.enable_interrupts(2)) << "one of two is not enough";
    EXPECT_TRUE(driver.enable_interrupts(1)) << "one is";
    EXPECT_FALSE(driver.enable_interrupts(2));
    device.push_used((*second)->head, 0);
    device.publish();
    EXPECT_TRUE(device.needs_interrupt());
}

// Two threads, each asleep when there is nothing to do: a lost notification would hang, a missing barrier
// shows as wrong bytes here and as a race under a thread sanitizer.
TEST_P(Queue, TwoThreads_LoseNothingAndNoWakeUp) {
    constexpr std::uint32_t kMessages = 20'000;
    std::atomic<std::uint32_t> kicks = 0, interrupts = 0;
    std::thread device_thread([&] {
        std::array<Segment, 16> room;
        std::uint32_t served = 0;
        while (served < kMessages) {
            const std::uint32_t seen = kicks.load();
            device_.suppress_kicks();
            do {
                for (;;) {
                    const auto chain = device_.pop(memory_.translator(), room);
                    ASSERT_TRUE(chain);
                    if (!*chain) break;
                    std::uint32_t number = 0;
                    std::memcpy(&number, (*chain)->readable[0].data(), 4);
                    number = ~number;
                    std::memcpy((*chain)->writable[0].data(), &number, 4);
                    device_.push_used((*chain)->head, 4);
                    device_.publish();
                    ++served;
                    if (device_.needs_interrupt()) {
                        interrupts.fetch_add(1);
                        interrupts.notify_one();
                    }
                }
            } while (device_.enable_kicks());
            if (served < kMessages) kicks.wait(seen);
        }
    });
    std::uint32_t sent = 0, received = 0;
    // Chains of two pieces; data slot = the token.
    std::vector<std::uintptr_t> free_slots;
    for (std::uintptr_t i = 0; i < kSize; ++i)
        free_slots.push_back(i);
    std::array<std::uint32_t, kSize> numbers{};
    while (received < kMessages) {
        const std::uint32_t seen = interrupts.load();
        while (sent < kMessages && !free_slots.empty()) {
            const std::uintptr_t slot = free_slots.back();
            const std::array readable{Piece{memory_.data_address(slot * 16), 4}};
            const std::array writable{Piece{memory_.data_address(slot * 16 + 8), 4}};
            std::memcpy(memory_.data(slot * 16), &sent, 4);
            if (!driver_.add(readable, writable, token(slot))) break;
            numbers[slot] = sent++;
            free_slots.pop_back();
            driver_.publish();
            if (driver_.needs_kick()) {
                kicks.fetch_add(1);
                kicks.notify_one();
            }
        }
        driver_.suppress_interrupts();
        do {
            for (;;) {
                const auto used = driver_.pop_used();
                ASSERT_TRUE(used);
                if (!*used) break;
                const auto slot = reinterpret_cast<std::uintptr_t>((*used)->token);
                std::uint32_t answer = 0;
                std::memcpy(&answer, memory_.data(slot * 16 + 8), 4);
                ASSERT_EQ(answer, ~numbers[slot]);
                free_slots.push_back(slot);
                ++received;
            }
        } while (driver_.enable_interrupts());
        if (received < kMessages && (sent == kMessages || driver_.free_descriptors() < 2))
            interrupts.wait(seen);
    }
    device_thread.join();
}

TEST(FsDevice, Tag_IsPaddedNotTerminated) {
    FsConfig config;
    EXPECT_FALSE(tag_of(config));
    std::memcpy(config.tag, "share", 5);
    EXPECT_EQ(tag_of(config), "share");
    std::memset(config.tag, 'x', sizeof config.tag);
    EXPECT_EQ(tag_of(config)->size(), 36U);
    config.tag[3] = '\0';
    EXPECT_FALSE(tag_of(config));
}

TEST(RingLayout, MatchesTheSpecification) {
    constexpr RingLayout layout = ring_layout(256);
    EXPECT_EQ(layout.available, 16U * 256);
    EXPECT_EQ(layout.used % 4, 0U);
    EXPECT_GE(layout.used, layout.available + 6 + 2 * 256);
    EXPECT_GE(layout.bytes, layout.used + 6 + 8 * 256);
    EXPECT_TRUE(is_queue_size(1) && is_queue_size(32768));
    EXPECT_FALSE(is_queue_size(0) || is_queue_size(3) || is_queue_size(65536));
}

}  // namespace
}  // namespace virtio
