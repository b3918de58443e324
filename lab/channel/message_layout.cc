#include "lab/channel/message_layout.h"

#include <algorithm>
#include <cstring>

namespace lab {
namespace {

constexpr std::size_t kZeroedBytes = 4096;

// The place of a piece, also of one beyond the places there are: in the block.
template <typename Places>
std::uint64_t at(const Places& places, std::size_t piece) {
    return piece < places.size() ? places[piece] : 0;
}

// The descriptors' lengths follow the message's pieces, so that a daemon sees header, arguments and data
// apart.
template <typename List, typename Places>
MessageLayout::Pieces describe(const List& pieces, const Places& places, std::uint64_t block) {
    MessageLayout::Pieces result;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (pieces[i].empty()) continue;
        const auto length = static_cast<std::uint32_t>(pieces[i].size());
        const std::uint64_t in_place = at(places, i);
        if (result.count == result.room.size()) {
            result.room.back().length += length;  // all of this direction is in the block, in a row
        } else {
            result.room[result.count++] = {.address = in_place != 0 ? in_place : block, .length = length};
        }
        if (in_place == 0) block += length;
    }
    return result;
}

}  // namespace

// Returns how many bytes go through the block.
template <typename List>
std::size_t MessageLayout::place(const List& pieces, const DeviceBuffers* buffers, Places& places) {
    std::size_t bounced = 0;
    const bool can_be_in_place = buffers != nullptr && pieces.size() <= kMaxPieces;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (can_be_in_place && !pieces[i].empty()) {
            if (auto hold = buffers->hold(pieces[i])) {
                places[i] = hold->guest_address;
                held_.push_back(std::move(hold->block));
                continue;
            }
        }
        bounced += pieces[i].size();
    }
    return bounced;
}

MessageLayout::MessageLayout(const guest::Message& message, const DeviceBuffers* buffers) {
    out_bounced_ = place(message.out, buffers, out_);
    in_bounced_ = place(message.in, buffers, in_);
}

void MessageLayout::fill(const guest::Message& message, std::span<std::byte> block) const {
    std::byte* end = block.data();
    for (std::size_t i = 0; i < message.out.size(); ++i) {
        const std::span<const std::byte> piece = message.out[i];
        if (piece.empty() || at(out_, i) != 0) continue;
        std::memcpy(end, piece.data(), piece.size());
        end += piece.size();
    }
    std::memset(end, 0, std::min(in_bounced_, kZeroedBytes));
}

std::size_t MessageLayout::take_reply(const guest::Message& message, std::span<const std::byte> block,
                                      std::size_t reply_bytes) const {
    const std::byte* next = block.data() + out_bounced_;
    std::size_t copied = 0;
    for (std::size_t i = 0; i < message.in.size() && reply_bytes != 0; ++i) {
        const std::span<std::byte> piece = message.in[i];
        const std::size_t part = std::min(piece.size(), reply_bytes);
        reply_bytes -= part;
        if (part == 0 || at(in_, i) != 0) continue;
        std::memcpy(piece.data(), next, part);
        next += piece.size();
        copied += part;
    }
    return copied;
}

MessageLayout::Pieces MessageLayout::readable(const guest::Message& message, std::uint64_t block) const {
    return describe(message.out, out_, block);
}

MessageLayout::Pieces MessageLayout::writable(const guest::Message& message, std::uint64_t block) const {
    return describe(message.in, in_, block + out_bounced_);
}

}  // namespace lab
