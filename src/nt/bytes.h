// NT's structures as bytes: little-endian values and UTF-16 text at any offset, aligned or not. Must never
// know: which structure it is.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace nt {

static_assert(std::endian::native == std::endian::little);

// The value at `offset`, all of which must lie within `bytes`.
template <typename T>
T get(std::span<const std::byte> bytes, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.subspan(offset, sizeof(T)).data(), sizeof(T));
    return value;
}

// The same in the other direction.
template <typename T>
void put(std::span<std::byte> bytes, std::size_t offset, T value) {
    std::memcpy(bytes.subspan(offset, sizeof(T)).data(), &value, sizeof(T));
}

// `length` bytes of text, all of which must lie within `bytes`; an odd byte is dropped.
inline std::u16string get_text(std::span<const std::byte> bytes, std::size_t offset, std::size_t length) {
    std::u16string text(length / sizeof(char16_t), u'\0');
    if (!text.empty()) std::memcpy(text.data(), bytes.data() + offset, text.size() * sizeof(char16_t));
    return text;
}

// As much of `text` as fits from `offset` on: the bytes written, in whole bytes as NT truncates.
inline std::size_t put_text(std::span<std::byte> bytes, std::size_t offset, std::u16string_view text) {
    const std::size_t length = std::min(bytes.size() - offset, text.size() * sizeof(char16_t));
    if (length != 0) std::memcpy(bytes.data() + offset, text.data(), length);
    return length;
}

}  // namespace nt
