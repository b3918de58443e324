#include "lab/bridge/slots.h"

namespace lab {

std::expected<std::unique_ptr<Slots>, std::string> Slots::make(GuestMemory& memory, std::size_t count) {
    const auto block = memory.allocate(bytes_for(count));
    if (!block) return std::unexpected(std::string("no room for messages in the guest's memory"));
    constexpr std::size_t kPage = fuse::kPageBytes;
    const std::size_t start = (*block + kPage - 1) / kPage * kPage;
    std::unique_ptr<Slots> slots(new Slots(count));
    for (std::size_t i = count; i-- > 0;) {
        Slot& slot = slots->slots_[i];
        slot.memory = memory.at(start + i * Slot::kBytes);
        slot.address = memory.guest_address(start + i * Slot::kBytes);
        slots->free_.push_back(&slot);
    }
    return slots;
}

Slot* Slots::take() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [this] { return closed_ || !free_.empty(); });
    if (closed_) return nullptr;
    Slot* const slot = free_.back();
    free_.pop_back();
    return slot;
}

void Slots::give_back(Slot& slot) {
    {
        const std::lock_guard lock(mutex_);
        free_.push_back(&slot);
    }
    freed_.notify_one();
}

void Slots::close() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    freed_.notify_all();
}

}  // namespace lab
