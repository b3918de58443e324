// The device's side of a split virtqueue: takes available chains apart, gives them back as used.
// Must never know: what the buffers hold, or how an interrupt reaches the driver. The driver may be hostile:
// every index, address, length and link is checked, each is read once, and no chain can hold the walk in a
// loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <optional>
#include <span>

#include "virtio/split_ring.h"

namespace virtio {

// Memory of the guest as this side addresses it.
using Segment = std::span<std::byte>;

// How a driver broke the protocol. The queue is broken from then on.
enum class DriverFault : std::uint8_t {
    kBadIndex,       // the available index ran ahead by more than the queue's size
    kBadDescriptor,  // a head or link outside the table
    kBadAddress,     // an address that the translation does not know
    kBadLength,      // a length of 0, a chain beyond 4 GiB, an indirect table that is no multiple of 16
    kBadOrder,       // a readable descriptor after a writable one
    kBadIndirect,    // an indirect table within one, or with a link behind it
    kTooManyPieces,  // a loop, or more segments than the caller has room for
    kBroken,         // an earlier fault
};

// One request of the driver. The segments lie in the memory that the caller gave to pop().
struct Chain {
    std::uint16_t head = 0;
    std::span<const Segment> readable;
    std::span<const Segment> writable;
    std::uint32_t readable_bytes = 0;
    std::uint32_t writable_bytes = 0;
};

// Not thread-safe: callers serialise. No allocation; the ring's memory outlives the queue.
class DeviceQueue {
  public:
    // `start` is the available index to begin with: 0, or where the driver's queue was stopped.
    explicit DeviceQueue(const SplitRing& ring, bool event_index = false, std::uint16_t start = 0)
        : ring_(ring),
          event_index_(event_index),
          popped_(start),
          used_(start),
          published_(start),
          signalled_(start) {}

    // The next available chain; nullopt if there is none. `translate(address, length)` returns a Segment:
    // memory for the longest leading part of that range that lies in one piece here (at most length), or an
    // empty one.
    template <typename Translate>
    std::expected<std::optional<Chain>, DriverFault> pop(Translate&& translate, std::span<Segment> room);

    // Returns a chain; `bytes_written` counts from the start of its writable part. Invisible until publish().
    void push_used(std::uint16_t head, std::uint32_t bytes_written);
    // Shows all pushed entries to the driver.
    void publish();
    // Whether the driver wants an interrupt for what was published since the last call.
    bool needs_interrupt();

    // Asks the driver not to kick; a hint that it may ignore.
    void suppress_kicks();
    // Asks for kicks again. True if chains came meanwhile, for which no kick may come: pop them first.
    bool enable_kicks();

    // Whether there is a chain to pop; also true of an index that pop() will call a fault.
    bool has_available() const { return load_acquire(ring_.available_index()) != popped_; }

    // The same ring at other addresses of this side, since the guest's memory was mapped anew. A queue that
    // broke at an address may go on.
    void move_to(const SplitRing& ring, bool mend = false) {
        ring_ = ring;
        if (mend) broken_ = false;
    }

    // For a caller that found the fault itself: pop() gives nothing more.
    void break_now() { broken_ = true; }
    bool broken() const { return broken_; }
    // Where a successor would start.
    std::uint16_t next_available() const { return popped_; }

  private:
    std::unexpected<DriverFault> fault(DriverFault what) {
        broken_ = true;
        return std::unexpected(what);
    }
    // Copies one entry out, so that it cannot change between checks and use. The table need not be aligned.
    static Descriptor read(const std::byte* table, std::uint32_t number) {
        Descriptor copy;
        std::memcpy(&copy, table + sizeof copy * number, sizeof copy);
        return copy;
    }

    SplitRing ring_;
    bool event_index_;
    bool broken_ = false;
    std::uint16_t popped_;     // available entries seen
    std::uint16_t used_;       // used index including what is not yet published
    std::uint16_t published_;  // used index as the driver sees it
    std::uint16_t signalled_;  // published_ at the last needs_interrupt()
};

template <typename Translate>
std::expected<std::optional<Chain>, DriverFault> DeviceQueue::pop(Translate&& translate,
                                                                  std::span<Segment> room) {
    if (broken_) return std::unexpected(DriverFault::kBroken);
    // The loads of the entry and of its descriptors must not pass this load, or they could be older than it.
    const std::uint16_t index = load_acquire(ring_.available_index());
    const auto ready = static_cast<std::uint16_t>(index - popped_);
    if (ready == 0) return std::optional<Chain>{};
    if (ready > ring_.size()) return fault(DriverFault::kBadIndex);
    const std::uint16_t head = __atomic_load_n(ring_.available_entry(popped_), __ATOMIC_RELAXED);
    if (head >= ring_.size()) return fault(DriverFault::kBadDescriptor);

    const std::byte* table = reinterpret_cast<const std::byte*>(ring_.descriptor(0));
    std::uint32_t table_size = ring_.size();
    std::uint16_t number = head;
    bool in_indirect = false;
    bool writing = false;
    std::uint32_t steps = 0;  // within the present table; more than its size means a loop
    std::size_t segments = 0;
    std::size_t readable_segments = 0;
    std::uint64_t readable_bytes = 0;
    std::uint64_t writable_bytes = 0;

    for (;;) {
        if (++steps > table_size) return fault(DriverFault::kTooManyPieces);
        Descriptor descriptor = read(table, number);
        const bool has_next = (descriptor.flags & descriptor_flag::kNext) != 0;

        if ((descriptor.flags & descriptor_flag::kIndirect) != 0) {
            if (in_indirect || has_next) return fault(DriverFault::kBadIndirect);
            if (descriptor.length == 0 || descriptor.length % sizeof(Descriptor) != 0) {
                return fault(DriverFault::kBadLength);
            }
            const Segment memory = translate(descriptor.address, descriptor.length);
            if (memory.size() != descriptor.length) return fault(DriverFault::kBadAddress);
            table = memory.data();
            table_size = descriptor.length / sizeof(Descriptor);
            number = 0;
            steps = 0;
            in_indirect = true;
            continue;
        }

        const bool writes = (descriptor.flags & descriptor_flag::kWrite) != 0;
        if (writing && !writes) return fault(DriverFault::kBadOrder);
        writing = writes;
        if (descriptor.length == 0) return fault(DriverFault::kBadLength);
        (writes ? writable_bytes : readable_bytes) += descriptor.length;
        if (readable_bytes + writable_bytes > UINT32_MAX) return fault(DriverFault::kBadLength);
        if (descriptor.address + descriptor.length < descriptor.address)
            return fault(DriverFault::kBadAddress);
        while (descriptor.length != 0) {
            if (segments == room.size()) return fault(DriverFault::kTooManyPieces);
            const Segment memory = translate(descriptor.address, descriptor.length);
            if (memory.empty() || memory.size() > descriptor.length) return fault(DriverFault::kBadAddress);
            room[segments++] = memory;
            if (!writes) readable_segments = segments;
            descriptor.address += memory.size();
            descriptor.length -= static_cast<std::uint32_t>(memory.size());
        }

        if (!has_next) break;
        if (descriptor.next >= table_size) return fault(DriverFault::kBadDescriptor);
        number = descriptor.next;
    }

    ++popped_;
    return Chain{.head = head,
                 .readable = room.first(readable_segments),
                 .writable = room.subspan(readable_segments, segments - readable_segments),
                 .readable_bytes = static_cast<std::uint32_t>(readable_bytes),
                 .writable_bytes = static_cast<std::uint32_t>(writable_bytes)};
}

}  // namespace virtio
