// Memory of the guest for callers' own buffers: what lies in it goes to the device as it is, without a copy.
// Must never know: messages, queues.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "lab/channel/guest_memory.h"

namespace lab {

// A buffer that the device can reach. Its memory is given to nobody else while this or a Hold exists.
class DeviceBuffer {
  public:
    std::span<std::byte> bytes() const { return bytes_; }

  private:
    friend class DeviceBuffers;
    DeviceBuffer(std::shared_ptr<void> block, std::span<std::byte> bytes)
        : block_(std::move(block)), bytes_(bytes) {}

    std::shared_ptr<void> block_;
    std::span<std::byte> bytes_;
};

// Thread-safe. Buffers may outlive it.
class DeviceBuffers {
  public:
    // Where this memory lies for the device, beside GuestMemory::kGuestBase.
    static constexpr std::uint64_t kGuestBase = 0x100'0000'0000;

    static std::expected<DeviceBuffers, std::string> create(std::size_t bytes);

    // A buffer of that size, page-aligned; nullopt if there is no room.
    std::optional<DeviceBuffer> allocate(std::size_t bytes);

    struct Hold {
        std::uint64_t guest_address = 0;
        std::shared_ptr<void> block;
    };
    // Where the device finds those bytes, if they lie in one buffer. The buffer stays while the hold does.
    std::optional<Hold> hold(std::span<const std::byte> bytes) const;

    const GuestMemory& memory() const;

  private:
    struct Shared;
    struct Block;
    explicit DeviceBuffers(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

    std::shared_ptr<Shared> shared_;
};

}  // namespace lab
