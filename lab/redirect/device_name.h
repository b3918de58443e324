// How the lab's devices are called: hardware and instance ids, and the interface path that SetupDi gives,
// stable per index. Shared by the process side, which recognises the names, and the registry writer. Must
// never know: windows.h, handles.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace lab::redirect::device {

inline constexpr unsigned kMaxDevices = 16;

// A device's id below Enum, up to the two hexadecimal digits of its PCI slot, which follow.
inline constexpr std::u16string_view kHardwareId = u"VEN_1AF4&DEV_105A&SUBSYS_11001AF4&REV_01";
inline constexpr std::u16string_view kInstancePrefix = u"3&13C0B0C5&0&";
constexpr unsigned slot_of(unsigned index) {
    return 0x20 + 8 * index;
}

inline constexpr std::u16string_view kInterfaceClass = u"{a1b0cbf2-f488-4b29-b89f-16c78e68c737}";
static_assert(slot_of(kMaxDevices - 1) <= 0xFF);

namespace detail {

constexpr char16_t upper(char16_t c) {
    return c >= u'a' && c <= u'z' ? static_cast<char16_t>(c - 32) : c;
}

// Takes `part` off the front of `text`, ignoring ASCII case.
constexpr bool strip(std::u16string_view& text, std::u16string_view part) {
    if (text.size() < part.size()) return false;
    for (std::size_t i = 0; i < part.size(); ++i) {
        if (upper(text[i]) != upper(part[i])) return false;
    }
    text.remove_prefix(part.size());
    return true;
}

constexpr std::optional<unsigned> digit(char16_t c) {
    const char16_t u = upper(c);
    if (u >= u'0' && u <= u'9') return u - u'0';
    if (u >= u'A' && u <= u'F') return u - u'A' + 10;
    return std::nullopt;
}

}  // namespace detail

// The index of the device that a full NT name means, "\??\PCI#<hardware id>#<instance>#{class}"; nothing if
// it means none.
constexpr std::optional<unsigned> index_of_name(std::u16string_view name) {
    using detail::digit;
    using detail::strip;
    if (!strip(name, u"\\??\\PCI#") || !strip(name, kHardwareId) || !strip(name, u"#")) return std::nullopt;
    if (!strip(name, kInstancePrefix) || name.size() < 2) return std::nullopt;
    const auto high = digit(name[0]);
    const auto low = digit(name[1]);
    if (!high || !low) return std::nullopt;
    name.remove_prefix(2);
    if (!strip(name, u"#") || !strip(name, kInterfaceClass)) return std::nullopt;
    if (!name.empty() && name != u"\\") return std::nullopt;
    const unsigned slot = *high * 16 + *low;
    if (slot < slot_of(0) || slot > slot_of(kMaxDevices - 1) || slot % 8 != 0) return std::nullopt;
    return (slot - slot_of(0)) / 8;
}

}  // namespace lab::redirect::device
