#include "guest/volume/names.h"

#include <cstdint>

namespace guest {
namespace {

constexpr char32_t kMapped = 0xF000;   // plus a forbidden ASCII character
constexpr char32_t kRawByte = 0xF100;  // plus a byte from 0x80 on
constexpr char32_t kInvalid = 0xFFFFFFFF;

constexpr bool is_forbidden(char32_t c) {
    if (c >= 1 && c <= 31) return true;
    return c == '"' || c == '*' || c == ':' || c == '<' || c == '>' || c == '?' || c == '|' || c == '\\';
}

constexpr bool is_trailing(char32_t c) {
    return c == '.' || c == ' ';
}

// Whether NT must not see `c` as it is, at the end of a name or elsewhere.
constexpr bool needs_mapping(char32_t c, bool last) {
    return is_forbidden(c) || (last && is_trailing(c));
}

// Whether the guest reads `c` as an escape, so that the host's own `c` cannot be shown as it is.
constexpr bool is_escape(char32_t c, bool last) {
    if (c >= kRawByte + 0x80 && c <= kRawByte + 0xFF) return true;
    return c > kMapped && c < kMapped + 0x80 && needs_mapping(c - kMapped, last);
}

struct Decoded {
    char32_t character = kInvalid;
    std::size_t length = 1;
};

// The character that `text` begins with; kInvalid and one byte for what is not valid UTF-8 (surrogates and
// overlong forms are not).
Decoded decode_utf8(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const auto continues = [&](std::size_t i) { return i < text.size() && (at(i) & 0xC0) == 0x80; };
    const std::uint8_t first = at(0);
    if (first < 0x80) return {.character = first, .length = 1};
    if (first >= 0xC2 && first <= 0xDF && continues(1)) {
        return {.character = (first & 0x1FU) << 6 | (at(1) & 0x3FU), .length = 2};
    }
    if (first >= 0xE0 && first <= 0xEF && continues(1) && continues(2)) {
        const char32_t c = (first & 0x0FU) << 12 | (at(1) & 0x3FU) << 6 | (at(2) & 0x3FU);
        if (c >= 0x800 && (c < 0xD800 || c > 0xDFFF)) return {.character = c, .length = 3};
    }
    if (first >= 0xF0 && first <= 0xF4 && continues(1) && continues(2) && continues(3)) {
        const char32_t c =
            (first & 0x07U) << 18 | (at(1) & 0x3FU) << 12 | (at(2) & 0x3FU) << 6 | (at(3) & 0x3FU);
        if (c >= 0x10000 && c <= 0x10FFFF) return {.character = c, .length = 4};
    }
    return {};
}

void append_utf8(std::string& text, char32_t c) {
    const auto add = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
        add(c);
    } else if (c < 0x800) {
        add(0xC0 | c >> 6);
        add(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        add(0xE0 | c >> 12);
        add(0x80 | (c >> 6 & 0x3F));
        add(0x80 | (c & 0x3F));
    } else {
        add(0xF0 | c >> 18);
        add(0x80 | (c >> 12 & 0x3F));
        add(0x80 | (c >> 6 & 0x3F));
        add(0x80 | (c & 0x3F));
    }
}

void append_utf16(std::u16string& text, char32_t c) {
    if (c < 0x10000) {
        text.push_back(static_cast<char16_t>(c));
    } else {
        text.push_back(static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10)));
        text.push_back(static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF)));
    }
}

void append_raw_bytes(std::u16string& text, std::string_view bytes) {
    for (const char byte : bytes) {
        text.push_back(static_cast<char16_t>(kRawByte + static_cast<std::uint8_t>(byte)));
    }
}

}  // namespace

nt::Result<std::string> host_name_of(std::u16string_view component) {
    const auto invalid = nt::fail(nt::Status::kObjectNameInvalid);
    std::string host;
    host.reserve(component.size());
    bool escaped = false;
    for (std::size_t i = 0; i < component.size(); ++i) {
        char32_t c = component[i];
        if (c >= 0xDC00 && c <= 0xDFFF) return invalid;
        if (c >= 0xD800 && c <= 0xDBFF) {
            if (i + 1 == component.size() || component[i + 1] < 0xDC00 || component[i + 1] > 0xDFFF)
                return invalid;
            c = 0x10000 + ((c - 0xD800) << 10) + (component[++i] - 0xDC00U);
        }
        const bool last = i + 1 == component.size();
        if (c == 0 || c == '/' || needs_mapping(c, last)) return invalid;
        if (!is_escape(c, last)) {
            append_utf8(host, c);
        } else if (c >= kRawByte) {
            host.push_back(static_cast<char>(c - kRawByte));
            escaped = true;
        } else {
            host.push_back(static_cast<char>(c - kMapped));
        }
    }
    if (host.empty() || host == "." || host == ".." || host.size() > kMaxHostNameBytes) return invalid;
    // Raw bytes may join to valid UTF-8, which is shown as the character it is.
    if (escaped && guest_name_of(host) != component) return invalid;
    return host;
}

std::optional<std::u16string> guest_name_of(std::string_view host_name) {
    if (host_name.empty()) return std::nullopt;
    if (host_name == "." || host_name == "..") return std::u16string(host_name.begin(), host_name.end());
    std::u16string guest;
    guest.reserve(host_name.size());
    while (!host_name.empty()) {
        const Decoded decoded = decode_utf8(host_name);
        const std::string_view bytes = host_name.substr(0, decoded.length);
        host_name.remove_prefix(decoded.length);
        const char32_t c = decoded.character;
        const bool last = host_name.empty();
        if (c == 0 || c == '/') return std::nullopt;
        if (c == kInvalid || is_escape(c, last)) {
            append_raw_bytes(guest, bytes);
        } else if (needs_mapping(c, last)) {
            guest.push_back(static_cast<char16_t>(kMapped + c));
        } else {
            append_utf16(guest, c);
        }
    }
    return guest;
}

nt::Result<std::vector<std::string>> host_path_of(std::u16string_view path) {
    if (path.empty() || path.front() != u'\\') return nt::fail(nt::Status::kObjectNameInvalid);
    path.remove_prefix(1);
    std::vector<std::string> components;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find(u'\\'), path.size());
        auto name = host_name_of(path.substr(0, end));
        if (!name) return nt::fail(name.error());
        components.push_back(std::move(*name));
        const bool more = end < path.size();
        path.remove_prefix(more ? end + 1 : end);
        if (more && path.empty()) return nt::fail(nt::Status::kObjectNameInvalid);
    }
    return components;
}

}  // namespace guest
