#include "guest/service/share_events.h"

#include <gtest/gtest.h>

#include <thread>

namespace guest::service {
namespace {

using namespace std::chrono_literals;
using End = ShareEvents::End;

constexpr auto kLong = 60s;

TEST(ShareEvents, Arrival_BetweenTheCountAndTheWait_IsNotMissed) {
    ShareEvents events;
    const auto seen = events.arrivals();
    events.device_arrived();
    EXPECT_TRUE(events.wait_for_arrival(seen, std::nullopt));
}

TEST(ShareEvents, Arrival_CountedAlready_IsWaitedOutInTime) {
    ShareEvents events;
    events.device_arrived();
    EXPECT_TRUE(events.wait_for_arrival(events.arrivals(), 1ms));
}

TEST(ShareEvents, Arrival_OnAnotherThread_WakesTheWaiter) {
    ShareEvents events;
    const auto seen = events.arrivals();
    std::thread system([&] { events.device_arrived(); });
    EXPECT_TRUE(events.wait_for_arrival(seen, std::nullopt));
    system.join();
}

TEST(ShareEvents, Stop_EndsEveryWait) {
    ShareEvents events;
    std::thread user([&] { events.stop(); });
    EXPECT_FALSE(events.wait_for_arrival(events.arrivals(), std::nullopt));
    EXPECT_FALSE(events.wait_for_decision());
    EXPECT_EQ(events.wait_for_end(kLong), End::kStop);
    events.begin_connection();
    EXPECT_TRUE(events.stopped());
    user.join();
}

TEST(ShareEvents, Removal_CountsMoreThanTheLossItBrings) {
    ShareEvents events;
    events.host_lost();
    EXPECT_EQ(events.wait_for_end(kLong), End::kHostLost);
    events.device_leaving();
    EXPECT_EQ(events.end(), End::kDeviceLeaving);
    events.stop();
    EXPECT_EQ(events.end(), End::kStop);
}

TEST(ShareEvents, Connection_ThatBegins_KnowsNothingOfTheLast) {
    ShareEvents events;
    events.host_lost();
    events.device_leaving();
    events.device_decided();
    events.winfsp_stopped();
    events.begin_connection();
    EXPECT_EQ(events.end(), std::nullopt);
    EXPECT_EQ(events.wait_for_end(1ms), std::nullopt);
    events.winfsp_stopped();
    EXPECT_EQ(events.wait_for_end(kLong), End::kWinFspStopped);
}

TEST(ShareEvents, Decision_OnAnotherThread_WakesTheWaiter) {
    ShareEvents events;
    events.device_leaving();
    std::thread system([&] { events.device_decided(); });
    EXPECT_TRUE(events.wait_for_decision());
    system.join();
}

}  // namespace
}  // namespace guest::service
