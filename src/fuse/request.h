// A FUSE request as the pieces a transport gathers: header, fixed arguments, names and payload, without
// allocation and without copying names or payload. Must never know: which transport, or what the host makes
// of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "fuse/protocol.h"

namespace fuse {

// What every request says of itself. `unique` may be filled in later (Request::set_unique).
struct RequestInfo {
    Opcode opcode{};
    NodeId node{};
    std::uint64_t unique = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t pid = 0;
};

// One component of a path: not empty, no NUL, no '/'. "." and ".." are components.
constexpr bool is_component(std::string_view name) {
    if (name.empty()) return false;
    for (const char c : name) {
        if (c == '\0' || c == '/') return false;
    }
    return true;
}

// For requests without fixed arguments (LOOKUP, UNLINK, STATFS...).
struct NoArguments {};

// Holds header and arguments; refers to names and payload, which must outlive it. Its pieces point into
// itself, so it stays where it was made. At most two strings and one payload: what the protocol's largest
// request needs.
template <typename Arguments = NoArguments>
class Request {
    static_assert(std::is_trivially_copyable_v<Arguments>);
    static constexpr bool kHasArguments = !std::is_same_v<Arguments, NoArguments>;

  public:
    explicit Request(const RequestInfo& info, const Arguments& arguments = {}) : arguments_(arguments) {
        header_.opcode = info.opcode;
        header_.unique = info.unique;
        header_.node = info.node;
        header_.uid = info.uid;
        header_.gid = info.gid;
        header_.pid = info.pid;
        add(std::as_bytes(std::span(&header_, 1)));
        if constexpr (kHasArguments) add(std::as_bytes(std::span(&arguments_, 1)));
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    // Appends a path component and its NUL. False, and nothing was added, if it is none or there is no room.
    [[nodiscard]] bool add_name(std::string_view name) { return is_component(name) && add_string(name); }

    // Appends any string without a NUL (a link's target, an attribute's name) and its NUL; may be empty.
    [[nodiscard]] bool add_string(std::string_view text) {
        if (text.find('\0') != std::string_view::npos || count_ + 2 > pieces_.size() ||
            !fits(text.size() + 1)) {
            return false;
        }
        if (!text.empty()) add(std::as_bytes(std::span(text)));
        add(std::span(&kNul, 1));
        return true;
    }

    // Appends bytes as they are. False if there is no room or the request became longer than 4 GiB.
    [[nodiscard]] bool add_payload(std::span<const std::byte> payload) {
        if (count_ == pieces_.size() || !fits(payload.size())) return false;
        if (!payload.empty()) add(payload);
        return true;
    }

    void set_unique(std::uint64_t unique) { header_.unique = unique; }

    const InHeader& header() const { return header_; }
    Arguments& arguments() { return arguments_; }
    const Arguments& arguments() const { return arguments_; }

    // For guest::Message::out; header first. Valid as long as this object.
    std::span<const std::span<const std::byte>> pieces() const { return std::span(pieces_).first(count_); }

  private:
    static constexpr std::byte kNul{0};

    bool fits(std::size_t bytes) const { return bytes <= UINT32_MAX - header_.len; }

    void add(std::span<const std::byte> piece) {
        pieces_[count_++] = piece;
        header_.len += static_cast<std::uint32_t>(piece.size());
    }

    InHeader header_;
    [[no_unique_address]] Arguments arguments_;
    std::array<std::span<const std::byte>, 7> pieces_;
    std::size_t count_ = 0;
};

}  // namespace fuse
