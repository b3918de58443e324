#include "guest/volume/file_time.h"

#include <algorithm>

namespace guest {
namespace {

constexpr std::int64_t kTicksPerSecond = 10'000'000;
constexpr std::int64_t kSecondsFrom1601To1970 = 11'644'473'600;
constexpr std::int64_t kMaxTicks = INT64_MAX;

}  // namespace

nt::FileTime file_time_of(HostTime time) {
    const auto seconds = static_cast<std::int64_t>(time.seconds);
    if (seconds < -kSecondsFrom1601To1970) return 1;
    if (seconds >= kMaxTicks / kTicksPerSecond - kSecondsFrom1601To1970) return kMaxTicks;
    const std::int64_t ticks = (seconds + kSecondsFrom1601To1970) * kTicksPerSecond +
                               std::min<std::uint32_t>(time.nanoseconds, 999'999'999) / 100;
    return static_cast<nt::FileTime>(std::max<std::int64_t>(ticks, 1));
}

HostTime host_time_of(nt::FileTime time) {
    const auto ticks = static_cast<std::int64_t>(std::min<nt::FileTime>(time, kMaxTicks));
    return {.seconds = static_cast<std::uint64_t>(ticks / kTicksPerSecond - kSecondsFrom1601To1970),
            .nanoseconds = static_cast<std::uint32_t>(ticks % kTicksPerSecond * 100)};
}

HostTime host_time_now() {
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    return {.seconds = static_cast<std::uint64_t>(now / 1'000'000'000),
            .nanoseconds = static_cast<std::uint32_t>(now % 1'000'000'000)};
}

std::chrono::steady_clock::time_point lifetime_end(std::chrono::steady_clock::time_point sent,
                                                   std::uint64_t seconds, std::uint32_t nanoseconds) {
    constexpr std::uint64_t kDay = 86'400;
    return sent + std::chrono::seconds(std::min(seconds, kDay)) +
           std::chrono::duration_cast<std::chrono::steady_clock::duration>(
               std::chrono::nanoseconds(std::min<std::uint32_t>(nanoseconds, 999'999'999)));
}

}  // namespace guest
