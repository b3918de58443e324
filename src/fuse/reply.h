// Bounds-checked reading of replies. The host may have written anything: nothing is used before it was
// checked. Must never know: what the caller asked for, beyond the type that the body should have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <span>
#include <type_traits>

#include "fuse/protocol.h"

namespace fuse {

// How a host broke the protocol.
enum class ParseError : std::uint8_t {
    kTooShort,         // the reply ends before what it must hold
    kBadLength,        // the header's length disagrees with the bytes that arrived
    kWrongUnique,      // the reply is to another request
    kBadErrno,         // outside -4095..0
    kBadVersion,       // INIT: another major version, or a minor one that is too old
    kBadName,          // a name that is empty, too long, or holds NUL or '/'
    kTruncatedRecord,  // a directory record reaches beyond the reply
};

struct ReplyHeader {
    Errno error{};                 // kNone: success
    std::uint32_t body_bytes = 0;  // after the header; 0 if error is set
};

struct Reply {
    Errno error{};
    std::span<const std::byte> body;
};

// `written` is how many bytes arrived, header included. More bytes than the header speaks of are tolerated.
constexpr std::expected<ReplyHeader, ParseError> check_reply_header(const OutHeader& header,
                                                                    std::uint64_t unique,
                                                                    std::size_t written) {
    if (written < sizeof(OutHeader)) return std::unexpected(ParseError::kTooShort);
    if (header.len < sizeof(OutHeader) || header.len > written)
        return std::unexpected(ParseError::kBadLength);
    if (header.unique != unique) return std::unexpected(ParseError::kWrongUnique);
    if (header.error > 0 || header.error < -kMaxErrno) return std::unexpected(ParseError::kBadErrno);
    if (header.error != 0) return ReplyHeader{.error = static_cast<Errno>(-header.error), .body_bytes = 0};
    return ReplyHeader{.error = Errno::kNone,
                       .body_bytes = static_cast<std::uint32_t>(header.len - sizeof(OutHeader))};
}

// The fixed part of a body. Longer bodies are tolerated: later protocol versions append fields.
template <typename T>
std::expected<T, ParseError> read_fixed(std::span<const std::byte> bytes) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (bytes.size() < sizeof(T)) return std::unexpected(ParseError::kTooShort);
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
}

// A reply that lies in one piece; `bytes` is what arrived.
inline std::expected<Reply, ParseError> parse_reply(std::span<const std::byte> bytes, std::uint64_t unique) {
    const auto header = read_fixed<OutHeader>(bytes);
    if (!header) return std::unexpected(header.error());
    const auto checked = check_reply_header(*header, unique, bytes.size());
    if (!checked) return std::unexpected(checked.error());
    return Reply{.error = checked->error, .body = bytes.subspan(sizeof(OutHeader), checked->body_bytes)};
}

// The body of INIT's reply, whose short old forms (8 and 24 bytes) read as zeros in the fields they lack.
// flags2 is cleared unless kInitExt is set. kBadVersion if the major version differs.
inline std::expected<InitOut, ParseError> parse_init_reply(std::span<const std::byte> body) {
    constexpr std::size_t kVersionOnly = 8;
    constexpr std::size_t kBefore723 = 24;
    static_assert(offsetof(InitOut, time_gran) == kBefore723);
    if (body.size() < kVersionOnly) return std::unexpected(ParseError::kTooShort);
    const std::size_t known = body.size() >= sizeof(InitOut) ? sizeof(InitOut)
                              : body.size() >= kBefore723    ? kBefore723
                                                             : kVersionOnly;
    InitOut init;
    std::memcpy(&init, body.data(), known);
    if (init.major != kMajorVersion) return std::unexpected(ParseError::kBadVersion);
    if ((init.flags & init_flag::kInitExt) == 0) init.flags2 = 0;
    return init;
}

constexpr std::uint64_t init_flags(const InitOut& init) {
    return init.flags | std::uint64_t{init.flags2} << 32;
}

// Whether attributes can be those of a file: a known type, a size that a signed offset reaches, sane
// nanoseconds.
constexpr bool is_plausible(const Attr& attr) {
    constexpr std::uint32_t kBillion = 1'000'000'000;
    switch (attr.mode & mode::kTypeMask) {
        case mode::kSocket:
        case mode::kSymlink:
        case mode::kRegular:
        case mode::kBlockDevice:
        case mode::kDirectory:
        case mode::kCharDevice:
        case mode::kFifo:
            break;
        default:
            return false;
    }
    return attr.size <= INT64_MAX && attr.atimensec < kBillion && attr.mtimensec < kBillion &&
           attr.ctimensec < kBillion;
}

}  // namespace fuse
