// The memory that a native "guest" shares with its daemon: a memfd, mapped here, with an allocator of
// blocks. Must never know: queues, messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "vhost_user/fd.h"

namespace lab {

// Not thread-safe but for the const members.
class GuestMemory {
  public:
    // Where the memory lies for the device; far from any offset or pointer, so that mistaking them is
    // noticed.
    static constexpr std::uint64_t kGuestBase = 0x1'0000'0000;

    static std::expected<GuestMemory, std::string> create(std::size_t bytes,
                                                          std::uint64_t guest_base = kGuestBase);
    GuestMemory(GuestMemory&& other) noexcept;
    GuestMemory& operator=(GuestMemory&&) = delete;
    ~GuestMemory();

    int fd() const { return fd_.get(); }
    std::size_t bytes() const { return bytes_; }
    std::byte* at(std::size_t offset) const { return memory_ + offset; }
    std::uint64_t guest_address(std::size_t offset) const { return guest_base_ + offset; }
    std::uint64_t user_address(std::size_t offset) const {
        return reinterpret_cast<std::uint64_t>(at(offset));
    }

    // A block of at least that many bytes, at a multiple of 64; nullopt if there is none at present. Its
    // offset.
    std::optional<std::size_t> allocate(std::size_t bytes);
    void free(std::size_t offset);

  private:
    GuestMemory(vhost_user::Fd fd, std::byte* memory, std::size_t bytes, std::uint64_t guest_base);

    vhost_user::Fd fd_;
    std::byte* memory_ = nullptr;
    std::size_t bytes_ = 0;
    std::uint64_t guest_base_ = kGuestBase;
    std::map<std::size_t, std::size_t> free_;  // offset -> bytes, never adjacent
    std::map<std::size_t, std::size_t> used_;
};

}  // namespace lab
