// Which devices of a lab run are present: a page of shared memory, /dev/shm/vfslab-<session>-bus, that the
// device hosts write and the processes under Wine watch. Whoever comes first makes it; all zeros is "no
// device". Must never know: what a device does. Usable without a C++ run-time library.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lab/device_host/protocol.h"

namespace lab::device_host {

inline constexpr char kBusSuffix[] = "-bus";

struct Bus {
    static constexpr std::size_t kBytes = 4096;

    std::atomic<std::uint32_t> changes;  // futex; counts all changes
    // Grows with every arrival and departure: odd while the device is present.
    std::atomic<std::uint32_t> devices[kMaxDevices];

    // Both wake who waits for `changes`. Saying again what is known changes nothing.
    void arrived(unsigned index) noexcept;
    void departed(unsigned index) noexcept;
    // For whoever found that the host died while the device's word was `state`; not if it has changed since.
    void host_died(unsigned index, std::uint32_t state) noexcept;

    // The session's bus; it stays mapped for the life of the process. Null if it cannot be had.
    static Bus* open(const char* session) noexcept;
};
static_assert(sizeof(Bus) <= Bus::kBytes);

}  // namespace lab::device_host
