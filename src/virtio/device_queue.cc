#include "virtio/device_queue.h"

namespace virtio {

void DeviceQueue::push_used(std::uint16_t head, std::uint32_t bytes_written) {
    UsedElement* const entry = ring_.used_entry(used_);
    __atomic_store_n(&entry->id, std::uint32_t{head}, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->length, bytes_written, __ATOMIC_RELAXED);
    ++used_;
}

void DeviceQueue::publish() {
    // The store of the index must not pass the stores of entries and of the reply's bytes before it; and the
    // load of the driver's wish in needs_interrupt() must not pass this store, or it could wait for an
    // interrupt that we believe it does not want.
    published_ = used_;
    store_ordered(ring_.used_index(), published_);
}

bool DeviceQueue::needs_interrupt() {
    if (signalled_ == published_) return false;
    const std::uint16_t before = signalled_;
    signalled_ = published_;
    // Ordered behind the store of the index in publish(); see there.
    if (event_index_) return passes_event(load_ordered(ring_.used_event()), published_, before);
    return (load_ordered(ring_.available_flags()) & kNoInterrupt) == 0;
}

void DeviceQueue::suppress_kicks() {
    // With EVENT_IDX the flag must stay 0; an event index just behind us is not reached for 2^16 entries.
    if (event_index_) {
        store_ordered(ring_.available_event(), static_cast<std::uint16_t>(popped_ - 1));
    } else {
        store_ordered(ring_.used_flags(), kNoNotify);
    }
}

bool DeviceQueue::enable_kicks() {
    // The load of the index must not pass the store of our wish, or a chain published in between would go
    // unnoticed.
    if (event_index_) {
        store_ordered(ring_.available_event(), popped_);
    } else {
        store_ordered(ring_.used_flags(), std::uint16_t{0});
    }
    return load_ordered(ring_.available_index()) != popped_;
}

}  // namespace virtio
