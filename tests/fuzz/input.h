// A fuzz input read from the front; zeros after its end. Must never know: what is made of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

namespace tests {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : bytes_(std::as_bytes(std::span(data, size))) {}

    bool empty() const { return bytes_.empty(); }
    template <typename T>
    T take() {
        T value{};
        const auto part = take_bytes(sizeof(T));
        if (!part.empty()) std::memcpy(&value, part.data(), part.size());
        return value;
    }
    std::uint8_t byte() { return take<std::uint8_t>(); }
    // Below `limit`.
    std::size_t below(std::size_t limit) { return byte() % limit; }
    std::span<const std::byte> take_bytes(std::size_t count) {
        const auto part = bytes_.first(std::min(count, bytes_.size()));
        bytes_ = bytes_.subspan(part.size());
        return part;
    }
    // At most `units` of any UTF-16.
    std::u16string take_text(std::size_t units) {
        const auto part = take_bytes(2 * (byte() % (units + 1)));
        std::u16string text(part.size() / 2, u'\0');
        if (!text.empty()) std::memcpy(text.data(), part.data(), text.size() * 2);
        return text;
    }

  private:
    std::span<const std::byte> bytes_;
};

// What must hold whatever the input is.
inline void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace tests
