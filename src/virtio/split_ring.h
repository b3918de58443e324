// The memory of a split virtqueue: descriptor table, available ring and used ring.
// Must never know: who looks at it, driver or device. Source: virtio 1.2, 2.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "virtio/shared_memory.h"

namespace virtio {

// Feature bits of the ring and the transport (virtio 1.2, 6).
namespace feature {
inline constexpr std::uint64_t kRingIndirectDescriptors = 1ULL << 28;
inline constexpr std::uint64_t kRingEventIndex = 1ULL << 29;
inline constexpr std::uint64_t kVersion1 = 1ULL << 32;
}  // namespace feature

namespace descriptor_flag {
inline constexpr std::uint16_t kNext = 1;      // `next` is valid
inline constexpr std::uint16_t kWrite = 2;     // for the device to write; otherwise for it to read
inline constexpr std::uint16_t kIndirect = 4;  // the buffer is a table of descriptors
}  // namespace descriptor_flag

struct Descriptor {
    std::uint64_t address = 0;  // guest physical
    std::uint32_t length = 0;   // bytes
    std::uint16_t flags = 0;
    std::uint16_t next = 0;
};
static_assert(sizeof(Descriptor) == 16 && offsetof(Descriptor, next) == 14);

struct UsedElement {
    std::uint32_t id = 0;      // head of the chain
    std::uint32_t length = 0;  // bytes written into its writable part
};
static_assert(sizeof(UsedElement) == 8);

inline constexpr std::uint16_t kNoInterrupt = 1;  // flags of the available ring
inline constexpr std::uint16_t kNoNotify = 1;     // flags of the used ring
inline constexpr std::uint16_t kMaxQueueSize = 32768;

// Where the three parts lie in one block that starts at a multiple of 16, and how long it is.
struct RingLayout {
    std::size_t descriptors = 0;
    std::size_t available = 0;
    std::size_t used = 0;
    std::size_t bytes = 0;
};

constexpr bool is_queue_size(std::uint32_t size) {
    return size != 0 && size <= kMaxQueueSize && (size & (size - 1)) == 0;
}

constexpr RingLayout ring_layout(std::uint16_t size) {
    RingLayout layout;
    layout.available = sizeof(Descriptor) * size;
    // flags, index, ring, used_event
    layout.used = (layout.available + 2 * (std::size_t{3} + size) + 3) & ~std::size_t{3};
    // flags, index, ring, avail_event; padded so that rings can follow one another
    layout.bytes = (layout.used + 6 + sizeof(UsedElement) * size + 63) & ~std::size_t{63};
    return layout;
}

// Whether a side wants to be told of entry number `now - 1`, having told of those before `before`, when the
// other side asked to be told of entry `event` (virtio 1.2, 2.7.7.1 and 2.7.10). Indexes wrap at 2^16.
constexpr bool passes_event(std::uint16_t event, std::uint16_t now, std::uint16_t before) {
    return static_cast<std::uint16_t>(now - event - 1) < static_cast<std::uint16_t>(now - before);
}

// A view of the parts; owns nothing. Pointers are aligned to 16, 2 and 4 bytes.
class SplitRing {
  public:
    SplitRing() = default;
    // `size` is a power of two (is_queue_size).
    SplitRing(void* descriptors, void* available, void* used, std::uint16_t size)
        : descriptors_(static_cast<Descriptor*>(descriptors)),
          available_(static_cast<std::uint16_t*>(available)),
          used_(static_cast<std::byte*>(used)),
          size_(size) {}
    // All three in one block, laid out as ring_layout says.
    SplitRing(std::byte* block, std::uint16_t size)
        : SplitRing(block, block + ring_layout(size).available, block + ring_layout(size).used, size) {}

    std::uint16_t size() const { return size_; }
    // A free-running index's place in the ring.
    std::uint16_t slot(std::uint16_t index) const { return index & static_cast<std::uint16_t>(size_ - 1); }

    Descriptor* descriptor(std::uint16_t number) const { return descriptors_ + number; }

    std::uint16_t* available_flags() const { return available_; }
    std::uint16_t* available_index() const { return available_ + 1; }
    std::uint16_t* available_entry(std::uint16_t index) const { return available_ + 2 + slot(index); }
    // Written by the driver: which used entry it wants an interrupt for (EVENT_IDX).
    std::uint16_t* used_event() const { return available_ + 2 + size_; }

    std::uint16_t* used_flags() const { return word(0); }
    std::uint16_t* used_index() const { return word(2); }
    UsedElement* used_entry(std::uint16_t index) const {
        return reinterpret_cast<UsedElement*>(used_ + 4) + slot(index);
    }
    // Written by the device: which available entry it wants a kick for (EVENT_IDX).
    std::uint16_t* available_event() const { return word(4 + sizeof(UsedElement) * size_); }

  private:
    std::uint16_t* word(std::size_t offset) const { return reinterpret_cast<std::uint16_t*>(used_ + offset); }

    Descriptor* descriptors_ = nullptr;
    std::uint16_t* available_ = nullptr;
    std::byte* used_ = nullptr;
    std::uint16_t size_ = 0;
};

}  // namespace virtio
