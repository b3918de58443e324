#include "virtio/driver_queue.h"

#include <algorithm>

namespace virtio {

DriverQueue::DriverQueue(const Options& options)
    : ring_(options.ring),
      slots_(options.slots.first(options.ring.size())),
      indirect_tables_(options.indirect_capacity == 0 ? nullptr : options.indirect_tables),
      indirect_address_(options.indirect_address),
      indirect_capacity_(options.indirect_capacity),
      event_index_(options.event_index),
      free_count_(options.ring.size()) {
    for (std::uint16_t i = 0; i < ring_.size(); ++i) {
        *ring_.descriptor(i) = {};
        *ring_.available_entry(i) = 0;
        *ring_.used_entry(i) = {};
        slots_[i] = {};
        slots_[i].next = static_cast<std::uint16_t>(i + 1);
    }
    *ring_.available_flags() = 0;
    *ring_.available_index() = 0;
    *ring_.used_event() = 0;
    *ring_.used_flags() = 0;
    *ring_.used_index() = 0;
    *ring_.available_event() = 0;
}

void DriverQueue::write_table(Descriptor* table, std::span<const Piece> readable,
                              std::span<const Piece> writable) {
    const std::size_t count = readable.size() + writable.size();
    for (std::size_t i = 0; i < count; ++i) {
        const bool writes = i >= readable.size();
        const Piece& piece = writes ? writable[i - readable.size()] : readable[i];
        const bool last = i + 1 == count;
        table[i] = {.address = piece.address,
                    .length = piece.length,
                    .flags = static_cast<std::uint16_t>((writes ? descriptor_flag::kWrite : 0) |
                                                        (last ? 0 : descriptor_flag::kNext)),
                    .next = static_cast<std::uint16_t>(last ? 0 : i + 1)};
    }
}

std::expected<void, AddError> DriverQueue::add(std::span<const Piece> readable,
                                               std::span<const Piece> writable, Token token) {
    if (broken_) return std::unexpected(AddError::kBroken);
    const std::size_t count = readable.size() + writable.size();
    const bool indirect = indirect_tables_ != nullptr && count > 1 && count <= indirect_capacity_;
    if (count == 0 || (!indirect && count > ring_.size())) return std::unexpected(AddError::kTooLong);

    // A chain may not describe more than 2^32 bytes in all (virtio 1.2, 2.7.5.2).
    std::uint64_t total = 0;
    std::uint64_t writable_bytes = 0;
    for (const Piece& piece : readable) {
        if (piece.length == 0) return std::unexpected(AddError::kTooLong);
        total += piece.length;
    }
    for (const Piece& piece : writable) {
        if (piece.length == 0) return std::unexpected(AddError::kTooLong);
        total += piece.length;
        writable_bytes += piece.length;
    }
    if (total > UINT32_MAX) return std::unexpected(AddError::kTooLong);

    const auto needed = static_cast<std::uint16_t>(indirect ? 1 : count);
    if (needed > free_count_) return std::unexpected(AddError::kFull);

    const std::uint16_t head = free_head_;
    std::uint16_t after = head;
    if (indirect) {
        const std::size_t first = std::size_t{head} * indirect_capacity_;
        write_table(indirect_tables_ + first, readable, writable);
        *ring_.descriptor(head) = {.address = indirect_address_ + first * sizeof(Descriptor),
                                   .length = static_cast<std::uint32_t>(count * sizeof(Descriptor)),
                                   .flags = descriptor_flag::kIndirect,
                                   .next = 0};
        after = slots_[head].next;
    } else {
        for (std::size_t i = 0; i < count; ++i) {
            const bool writes = i >= readable.size();
            const Piece& piece = writes ? writable[i - readable.size()] : readable[i];
            const bool last = i + 1 == count;
            const std::uint16_t next = slots_[after].next;
            *ring_.descriptor(after) = {
                .address = piece.address,
                .length = piece.length,
                .flags = static_cast<std::uint16_t>((writes ? descriptor_flag::kWrite : 0) |
                                                    (last ? 0 : descriptor_flag::kNext)),
                .next = last ? std::uint16_t{0} : next};
            after = next;
        }
    }
    slots_[head].token = token;
    slots_[head].writable_bytes = static_cast<std::uint32_t>(writable_bytes);
    slots_[head].chain_length = needed;
    free_head_ = after;
    free_count_ = static_cast<std::uint16_t>(free_count_ - needed);
    ++outstanding_;

    *ring_.available_entry(added_) = head;
    ++added_;
    return {};
}

void DriverQueue::publish() {
    if (broken_ || added_ == published_) return;
    published_ = added_;
    // The store of the index must not pass the stores of descriptors and ring entries before it, or the
    // device would read old ones; and the load of the device's wish in needs_kick() must not pass this store,
    // or both sides could miss each other: it sleeps having seen the old index, we do not kick having seen
    // its old wish.
    store_ordered(ring_.available_index(), published_);
}

bool DriverQueue::needs_kick() {
    if (broken_ || kicked_ == published_) return false;
    const std::uint16_t before = kicked_;
    kicked_ = published_;
    // Ordered behind the store of the index in publish(); see there.
    if (event_index_) return passes_event(load_ordered(ring_.available_event()), published_, before);
    return (load_ordered(ring_.used_flags()) & kNoNotify) == 0;
}

std::unexpected<DeviceFault> DriverQueue::fault(DeviceFault what) {
    broken_ = true;
    return std::unexpected(what);
}

std::expected<std::optional<UsedChain>, DeviceFault> DriverQueue::pop_used() {
    if (broken_) return std::unexpected(DeviceFault::kBroken);
    // The loads of the used entry and of the reply's bytes must not pass this load, or they could be older
    // than it.
    const std::uint16_t index = load_acquire(ring_.used_index());
    const auto ready = static_cast<std::uint16_t>(index - popped_);
    if (ready == 0) return std::optional<UsedChain>{};
    // Chains that were added but not published cannot have been used.
    const auto unpublished = static_cast<std::uint16_t>(added_ - published_);
    if (ready > outstanding_ - unpublished) return fault(DeviceFault::kBadIndex);

    // Read once each: the device may change them under our eyes.
    UsedElement* const entry = ring_.used_entry(popped_);
    const std::uint32_t id = __atomic_load_n(&entry->id, __ATOMIC_RELAXED);
    const std::uint32_t length = __atomic_load_n(&entry->length, __ATOMIC_RELAXED);
    if (id >= ring_.size() || slots_[id].chain_length == 0) return fault(DeviceFault::kUnknownId);
    Slot& head = slots_[id];
    if (length > head.writable_bytes) return fault(DeviceFault::kBadLength);
    ++popped_;

    // Back to the free list, along our own links: the shared descriptors may have been overwritten.
    std::uint16_t last = static_cast<std::uint16_t>(id);
    for (std::uint16_t i = 1; i < head.chain_length; ++i)
        last = slots_[last].next;
    slots_[last].next = free_head_;
    free_head_ = static_cast<std::uint16_t>(id);
    free_count_ = static_cast<std::uint16_t>(free_count_ + head.chain_length);
    head.chain_length = 0;
    --outstanding_;
    return UsedChain{.token = head.token, .bytes_written = length};
}

void DriverQueue::suppress_interrupts() {
    // With EVENT_IDX the flag must stay 0; an event index just behind us is not reached for 2^16 entries.
    if (event_index_) {
        store_ordered(ring_.used_event(), static_cast<std::uint16_t>(popped_ - 1));
    } else {
        store_ordered(ring_.available_flags(), kNoInterrupt);
    }
}

bool DriverQueue::enable_interrupts(std::uint16_t chains) {
    // The load of the index must not pass the store of our wish, or an entry used in between would go
    // unnoticed.
    const auto at_device = static_cast<std::uint16_t>(outstanding_ - (added_ - published_));
    chains = event_index_ && chains > 1 && at_device > 1 ? std::min(chains, at_device) : std::uint16_t{1};
    if (event_index_) {
        store_ordered(ring_.used_event(), static_cast<std::uint16_t>(popped_ + chains - 1));
    } else {
        store_ordered(ring_.available_flags(), std::uint16_t{0});
    }
    return static_cast<std::uint16_t>(load_ordered(ring_.used_index()) - popped_) >= chains;
}

}  // namespace virtio
