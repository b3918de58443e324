// A UTF-16 string of fixed capacity for code without a run-time library. What does not fit is dropped and
// remembered. Must never know: what the text is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lab/redirect/nt.h"

namespace lab::redirect {

template <std::size_t kCapacity>
class WideText {
  public:
    WideText& add(std::u16string_view text) {
        for (char16_t c : text)
            add(c);
        return *this;
    }
    WideText& add(std::string_view ascii) {
        for (char c : ascii)
            add(static_cast<char16_t>(static_cast<unsigned char>(c)));
        return *this;
    }
    WideText& add(char16_t c) {
        if (length_ == kCapacity) {
            overflowed_ = true;
        } else {
            text_[length_++] = c;
            text_[length_] = 0;
        }
        return *this;
    }
    WideText& add_hex(std::uint64_t value) {
        for (int shift = 60; shift >= 0; shift -= 4)
            add(u"0123456789abcdef"[(value >> shift) & 15]);
        return *this;
    }

    bool overflowed() const { return overflowed_; }
    std::u16string_view view() const { return {text_, length_}; }
    const wchar_t* c_str() const { return reinterpret_cast<const wchar_t*>(text_); }
    UNICODE_STRING unicode() const {
        const auto bytes = static_cast<USHORT>(length_ * 2);
        return {bytes, static_cast<USHORT>(bytes + 2), const_cast<wchar_t*>(c_str())};
    }

  private:
    std::size_t length_ = 0;
    bool overflowed_ = false;
    char16_t text_[kCapacity + 1] = {};
};

constexpr char16_t ascii_upper(char16_t c) {
    return c >= u'a' && c <= u'z' ? static_cast<char16_t>(c - 32) : c;
}

// Compares ignoring ASCII case: for drive letters, device names and prefixes.
constexpr bool equal_ascii_case(std::u16string_view a, std::u16string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (ascii_upper(a[i]) != ascii_upper(b[i])) return false;
    }
    return true;
}

}  // namespace lab::redirect
