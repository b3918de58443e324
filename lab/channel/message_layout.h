// Which pieces of a message the device gets where they are, and which travel through a bounce block: those in
// DeviceBuffers go in place, the others one after another through the block, requests before replies.
// Must never know: queues, who owns the block.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "guest/volume/channel.h"
#include "lab/channel/device_buffers.h"
#include "virtio/driver_queue.h"

namespace lab {

class MessageLayout {
  public:
    // Descriptors for either direction; bounced pieces beyond it are joined to the last one.
    static constexpr std::size_t kMaxPieces = 8;

    // Without `buffers` everything is bounced. The buffers stay as long as this exists.
    MessageLayout(const guest::Message& message, const DeviceBuffers* buffers);

    std::size_t block_bytes() const { return out_bounced_ + in_bounced_; }
    std::size_t out_bounced() const { return out_bounced_; }

    // Fills a block of block_bytes() with the request, and the beginning of the reply's room with zeros:
    // what earlier replies left there is nobody's business.
    void fill(const guest::Message& message, std::span<std::byte> block) const;
    // Copies a reply of that many bytes, in-place pieces included, from the block to the message.
    // Returns how many bytes were copied.
    std::size_t take_reply(const guest::Message& message, std::span<const std::byte> block,
                           std::size_t reply_bytes) const;

    // The descriptors. `block` is the block's address for the device.
    struct Pieces {
        std::array<virtio::Piece, kMaxPieces> room;
        std::size_t count = 0;
        std::span<const virtio::Piece> all() const { return std::span(room).first(count); }
    };
    Pieces readable(const guest::Message& message, std::uint64_t block) const;
    Pieces writable(const guest::Message& message, std::uint64_t block) const;

  private:
    // Where the pieces of one direction lie for the device; 0: in the block.
    using Places = std::array<std::uint64_t, kMaxPieces>;

    template <typename List>
    std::size_t place(const List& pieces, const DeviceBuffers* buffers, Places& places);

    Places out_{};
    Places in_{};
    std::vector<std::shared_ptr<void>> held_;
    std::size_t out_bounced_ = 0;
    std::size_t in_bounced_ = 0;
};

}  // namespace lab
