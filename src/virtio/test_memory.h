// For tests: guest memory with a ring, indirect tables and a data area, and both sides' view of it.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "virtio/device_queue.h"
#include "virtio/driver_queue.h"

namespace virtio {

// Guest physical addresses start at kBase, so that an address taken for a pointer or an offset is caught.
class TestMemory {
  public:
    static constexpr std::uint64_t kBase = 0x100000;

    TestMemory(std::uint16_t size, std::uint16_t indirect_capacity, std::size_t data_bytes)
        : size_(size), indirect_capacity_(indirect_capacity), slots_(size) {
        tables_ = ring_layout(size).bytes;
        data_ = tables_ + sizeof(Descriptor) * indirect_capacity * size;
        bytes_ = data_ + data_bytes;
        memory_.reset(static_cast<std::byte*>(std::aligned_alloc(64, (bytes_ + 63) / 64 * 64)));
        std::memset(memory_.get(), 0, bytes_);
    }

    SplitRing ring() const { return {memory_.get(), size_}; }

    DriverQueue driver(bool event_index = false) {
        return DriverQueue({.ring = ring(),
                            .slots = slots_,
                            .indirect_tables = reinterpret_cast<Descriptor*>(memory_.get() + tables_),
                            .indirect_address = kBase + tables_,
                            .indirect_capacity = indirect_capacity_,
                            .event_index = event_index});
    }

    // The device's address translation.
    Segment translate(std::uint64_t address, std::uint32_t length) const {
        if (address < kBase || address - kBase >= bytes_) return {};
        const std::size_t offset = address - kBase;
        return {memory_.get() + offset, std::min<std::size_t>(length, bytes_ - offset)};
    }
    auto translator() const {
        return [this](std::uint64_t address, std::uint32_t length) { return translate(address, length); };
    }

    std::uint64_t data_address(std::size_t offset = 0) const { return kBase + data_ + offset; }
    std::byte* data(std::size_t offset = 0) const { return memory_.get() + data_ + offset; }
    std::span<std::byte> all() const { return {memory_.get(), bytes_}; }
    std::size_t ring_and_tables_bytes() const { return data_; }

  private:
    struct Free {
        void operator()(std::byte* memory) const { std::free(memory); }
    };
    std::uint16_t size_;
    std::uint16_t indirect_capacity_;
    std::vector<DriverQueue::Slot> slots_;
    std::size_t tables_ = 0;
    std::size_t data_ = 0;
    std::size_t bytes_ = 0;
    std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace virtio
