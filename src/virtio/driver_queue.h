// The driver's side of a split virtqueue: adds chains, publishes them, takes back what the device has used.
// Must never know: what the buffers hold, or how a kick reaches the device. The device may be hostile:
// nothing that it can write is trusted, and nothing that matters is kept where it can write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "virtio/split_ring.h"

namespace virtio {

// A piece of memory as the device addresses it.
struct Piece {
    std::uint64_t address = 0;  // guest physical
    std::uint32_t length = 0;   // bytes, not 0
};

// What the caller recognises a chain by when it comes back.
using Token = void*;

enum class AddError : std::uint8_t {
    kFull,     // not now: wait until chains have come back
    kTooLong,  // never: more pieces than this queue can hold, or a piece of length 0, or beyond 4 GiB
    kBroken,   // the device broke the protocol; the queue has to be reset
};

// How a device broke the protocol. The queue is broken from then on.
enum class DeviceFault : std::uint8_t {
    kBadIndex,   // the used index ran ahead of what was published
    kUnknownId,  // a used id that is not the head of an outstanding chain
    kBadLength,  // it claims to have written more than there was room for
    kBroken,     // an earlier fault
};

struct UsedChain {
    Token token = nullptr;
    std::uint32_t bytes_written = 0;
};

// Not thread-safe: callers serialise. No allocation; the memory is the caller's and outlives the queue.
class DriverQueue {
  public:
    // Private bookkeeping of one descriptor.
    struct Slot {
        Token token = nullptr;
        std::uint32_t writable_bytes = 0;
        std::uint16_t next = 0;
        std::uint16_t chain_length = 0;  // descriptors of the chain headed here; 0: heads none
    };

    struct Options {
        SplitRing ring;         // shared with the device; zeroed here
        std::span<Slot> slots;  // ring.size() of them, private memory
        // Feature kRingIndirectDescriptors: ring.size() tables of indirect_capacity descriptors each, shared
        // with the device. Without: nullptr.
        Descriptor* indirect_tables = nullptr;
        std::uint64_t indirect_address = 0;  // of indirect_tables, guest physical
        std::uint16_t indirect_capacity = 0;
        bool event_index = false;  // feature kRingEventIndex
    };

    // An empty queue, before the device is told of it.
    explicit DriverQueue(const Options& options);

    // Queues a chain, invisible to the device until publish(). Chains of more than one piece take one
    // descriptor if they fit an indirect table, else one a piece.
    std::expected<void, AddError> add(std::span<const Piece> readable, std::span<const Piece> writable,
                                      Token token);

    // Shows all added chains to the device.
    void publish();

    // Whether the device wants to be notified of what was published since the last call.
    bool needs_kick();
    // Chains published since the last needs_kick().
    std::uint16_t unannounced() const { return static_cast<std::uint16_t>(published_ - kicked_); }

    // The next chain that the device is done with; nullopt if there is none.
    std::expected<std::optional<UsedChain>, DeviceFault> pop_used();

    // Asks the device not to interrupt; a hint that it may ignore.
    void suppress_interrupts();
    // Asks for an interrupt once `chains` more are used; 1: at the next one. A device without EVENT_IDX
    // interrupts at the next one in any case, and whoever asks for more than one needs a clock beside it:
    // what is used before the last of them stays unnoticed. Never waits for more than the device has. True
    // if so many were used meanwhile, for which no interrupt may come: pop them first.
    bool enable_interrupts(std::uint16_t chains = 1);

    // After the device was reset: gives back every outstanding chain's token, published or not, in no order.
    // The queue is of no further use.
    template <typename Callable>
    void abandon(Callable&& each) {
        broken_ = true;
        for (Slot& slot : slots_) {
            if (slot.chain_length == 0) continue;
            slot.chain_length = 0;
            each(slot.token);
        }
    }

    std::uint16_t outstanding() const { return outstanding_; }  // chains
    std::uint16_t free_descriptors() const { return free_count_; }
    bool broken() const { return broken_; }

  private:
    void write_table(Descriptor* table, std::span<const Piece> readable, std::span<const Piece> writable);
    std::unexpected<DeviceFault> fault(DeviceFault what);

    SplitRing ring_;
    std::span<Slot> slots_;
    Descriptor* indirect_tables_;
    std::uint64_t indirect_address_;
    std::uint16_t indirect_capacity_;
    bool event_index_;
    bool broken_ = false;

    std::uint16_t free_head_ = 0;
    std::uint16_t free_count_;
    std::uint16_t outstanding_ = 0;
    std::uint16_t added_ = 0;      // available index including what is not yet published
    std::uint16_t published_ = 0;  // available index as the device sees it
    std::uint16_t kicked_ = 0;     // published_ at the last needs_kick()
    std::uint16_t popped_ = 0;     // used entries seen
};

}  // namespace virtio
