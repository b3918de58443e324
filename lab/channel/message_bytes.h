// Gathering and scattering the pieces of guest::Message. Must never know: what the bytes mean.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "guest/volume/channel.h"

namespace lab {

inline std::size_t out_bytes_of(const guest::Message& message) {
    std::size_t bytes = 0;
    for (const auto piece : message.out)
        bytes += piece.size();
    return bytes;
}

inline std::size_t in_bytes_of(const guest::Message& message) {
    std::size_t bytes = 0;
    for (const auto piece : message.in)
        bytes += piece.size();
    return bytes;
}

// Copies the first bytes of the request, as many as there are and fit. Returns how many.
inline std::size_t gather(const guest::Message& message, std::span<std::byte> into) {
    std::size_t done = 0;
    for (const auto piece : message.out) {
        const std::size_t part = std::min(piece.size(), into.size() - done);
        if (part != 0) std::memcpy(into.data() + done, piece.data(), part);
        done += part;
    }
    return done;
}

// Copies a reply into the in-buffers, as much as fits. Returns how much.
inline std::size_t scatter(std::span<const std::byte> from, const guest::Message& message) {
    std::size_t done = 0;
    for (const auto piece : message.in) {
        const std::size_t part = std::min(piece.size(), from.size() - done);
        if (part != 0) std::memcpy(piece.data(), from.data() + done, part);
        done += part;
    }
    return done;
}

}  // namespace lab
