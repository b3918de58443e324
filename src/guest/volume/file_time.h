// Points in time between NT (100 ns ticks since 1601) and FUSE (seconds and nanoseconds since 1970).
// The one place for it. Must never know: files.
#pragma once

#include <chrono>
#include <cstdint>

#include "nt/file.h"

namespace guest {

// As FUSE messages carry it: seconds are signed although declared unsigned, nanoseconds always count forward.
struct HostTime {
    std::uint64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
    friend bool operator==(const HostTime&, const HostTime&) = default;
};

// Rounded down to 100 ns. Times before 1601 become 1 (0 would mean "no time"), times beyond FILETIME's range
// its end.
nt::FileTime file_time_of(HostTime time);

HostTime host_time_of(nt::FileTime time);

// The guest's clock.
HostTime host_time_now();

// What a host granted, from `sent` on, as a deadline; hostile values are cut to a day.
std::chrono::steady_clock::time_point lifetime_end(std::chrono::steady_clock::time_point sent,
                                                   std::uint64_t seconds, std::uint32_t nanoseconds);

}  // namespace guest
