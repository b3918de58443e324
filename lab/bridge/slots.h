// Room in shared memory for the messages under way, and which of it is free.
// Must never know: queues, the device that messages are read from.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "fuse/protocol.h"
#include "lab/channel/guest_memory.h"

namespace lab {

// Room for one request and its reply. The data of a WRITE and of a READ's reply lie at page boundaries, as
// O_DIRECT wants them.
struct Slot {
    static constexpr std::size_t kDataBytes = std::size_t{1} << 20;  // of one read or write
    // A page for what comes before the data, and one for names and arguments beyond it.
    static constexpr std::size_t kMessageBytes = kDataBytes + 2 * std::size_t{fuse::kPageBytes};
    static constexpr std::size_t kRequestAt =
        fuse::kPageBytes - sizeof(fuse::InHeader) - sizeof(fuse::WriteIn);
    static constexpr std::size_t kReplyAt = kMessageBytes + fuse::kPageBytes - sizeof(fuse::OutHeader);
    static constexpr std::size_t kBytes = 2 * kMessageBytes;

    std::byte* memory = nullptr;   // kBytes of it
    std::uint64_t address = 0;     // of them, guest physical
    int channel = -1;              // where the request was read and the reply is written
    fuse::InHeader request;        // copied, so that the daemon cannot change it
    std::uint32_t reply_room = 0;  // bytes, header included; 0: there is no reply

    std::span<std::byte> request_bytes() const { return {memory + kRequestAt, kMessageBytes - kRequestAt}; }
    std::span<std::byte> reply_bytes() const { return {memory + kReplyAt, kBytes - kReplyAt}; }
};

// Thread-safe. Pages that no message has used take no memory: the slot given back last is taken first.
class Slots {
  public:
    static constexpr std::size_t bytes_for(std::size_t count) {
        return count * Slot::kBytes + fuse::kPageBytes;
    }
    // Takes its room from `memory`, which outlives it.
    static std::expected<std::unique_ptr<Slots>, std::string> make(GuestMemory& memory, std::size_t count);

    // Waits for a free slot; nullptr after close().
    Slot* take();
    void give_back(Slot& slot);
    // Ends all waits.
    void close();

  private:
    explicit Slots(std::size_t count) : slots_(count) {}

    std::mutex mutex_;
    std::condition_variable freed_;
    bool closed_ = false;
    std::vector<Slot> slots_;
    std::vector<Slot*> free_;
};

}  // namespace lab
