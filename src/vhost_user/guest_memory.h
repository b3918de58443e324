// The guest's memory as the front-end shares it: mapped regions, and where an address of the guest or of the
// front-end lies here. Must never know: rings, or what the memory holds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "vhost_user/socket.h"

namespace vhost_user {

// An immutable snapshot; a change makes another one, which shares the mappings that both have. A region stays
// mapped as long as a snapshot with it exists. Thread-safe.
class GuestMemory {
  public:
    using Pointer = std::shared_ptr<const GuestMemory>;

    // Nothing is accepted that is empty, overlaps, wraps, or goes beyond the end of its file; there are as
    // many descriptors as regions.
    static Result<Pointer> map(std::span<const MemoryRegion> regions, std::span<const Fd> fds);
    Result<Pointer> with(const MemoryRegion& region, const Fd& fd) const;
    // Without the region of the same addresses and length.
    Result<Pointer> without(const MemoryRegion& region) const;

    std::size_t regions() const { return by_guest_.size(); }

    // The longest leading part of that range, in guest physical addresses, that lies in one piece here; empty
    // if its beginning is nowhere. What virtio::DeviceQueue::pop() wants.
    std::span<std::byte> translate(std::uint64_t address, std::uint32_t length) const {
        const Range* const range = find(by_guest_, address);
        if (range == nullptr) return {};
        const std::uint64_t offset = address - range->first;
        return {range->memory + offset, std::min<std::uint64_t>(length, range->bytes - offset)};
    }

    // The memory at an address of the front-end's own address space, if that many bytes from there lie in one
    // region; else nullptr.
    std::byte* at_user_address(std::uint64_t address, std::uint64_t bytes) const {
        const Range* const range = find(by_user_, address);
        if (range == nullptr || bytes > range->bytes - (address - range->first)) return nullptr;
        return range->memory + (address - range->first);
    }

  private:
    struct Mapping;

    struct Range {
        std::uint64_t first = 0;
        std::uint64_t bytes = 0;
        std::byte* memory = nullptr;
    };

    static Result<std::shared_ptr<const Mapping>> map_one(const MemoryRegion& region, const Fd& fd);
    static Result<Pointer> of(std::vector<std::shared_ptr<const Mapping>> mappings);

    static const Range* find(const std::vector<Range>& ranges, std::uint64_t address) {
        if (ranges.size() > kFew) return find_among_many(ranges, address);
        for (const Range& range : ranges) {
            if (address - range.first < range.bytes) return &range;
        }
        return nullptr;
    }
    static const Range* find_among_many(const std::vector<Range>& ranges, std::uint64_t address);
    static constexpr std::size_t kFew = 4;

    std::vector<Range> by_guest_;  // sorted, without overlaps
    std::vector<Range> by_user_;
    std::vector<std::shared_ptr<const Mapping>> mappings_;
};

}  // namespace vhost_user
