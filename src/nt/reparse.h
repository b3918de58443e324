// REPARSE_DATA_BUFFER: what a reparse point holds, as FSCTL_SET_REPARSE_POINT and FSCTL_GET_REPARSE_POINT
// carry it. Must never know: who keeps reparse points, how they are followed. Source: [MS-FSCC] 2.1.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nt/bytes.h"
#include "nt/file.h"
#include "nt/status.h"

namespace nt {

inline constexpr std::uint32_t kReparseTagMountPoint = 0xA0000003;
inline constexpr std::size_t kMaxReparseBytes = 16 * 1024;  // MAXIMUM_REPARSE_DATA_BUFFER_SIZE
inline constexpr std::size_t kReparseHeaderBytes = 8;       // tag, data length, reserved
inline constexpr std::size_t kReparseGuidHeaderBytes =
    24;                                               // the same and a GUID: tags that are not Microsoft's
inline constexpr std::uint32_t kSymlinkRelative = 1;  // SYMLINK_FLAG_RELATIVE

// Tags that are not Microsoft's carry a GUID.
constexpr bool has_guid(std::uint32_t reparse_tag) {
    return (reparse_tag & 0x80000000) == 0;
}

struct ReparseHeader {
    std::uint32_t tag = 0;
    std::size_t header_bytes = 0;  // the data follow
    std::size_t data_bytes = 0;
};

// A symbolic link's target. Relative: to the link's directory, or to the volume's root if it begins with a
// backslash. Otherwise a full NT name ("\??\C:\dir").
struct SymlinkTarget {
    std::u16string name;
    std::u16string shown = {};  // the print name, for people
    bool relative = true;
    friend bool operator==(const SymlinkTarget&, const SymlinkTarget&) = default;
};

namespace reparse_layout {

// SymbolicLinkReparseBuffer, offsets in bytes.
inline constexpr std::size_t kSubstituteOffset = 8;
inline constexpr std::size_t kSubstituteLength = 10;
inline constexpr std::size_t kPrintOffset = 12;
inline constexpr std::size_t kPrintLength = 14;
inline constexpr std::size_t kFlags = 16;
inline constexpr std::size_t kPath = 20;

}  // namespace reparse_layout

// Checks what FsRtlValidateReparsePointBuffer checks of any tag. kIoReparseDataInvalid: lengths do not fit
// each other or are too great; kIoReparseTagInvalid: a reserved tag.
inline Result<ReparseHeader> parse_reparse_header(std::span<const std::byte> bytes) {
    if (bytes.size() < kReparseHeaderBytes || bytes.size() > kMaxReparseBytes) {
        return fail(Status::kIoReparseDataInvalid);
    }
    ReparseHeader header{.tag = get<std::uint32_t>(bytes, 0),
                         .header_bytes = kReparseHeaderBytes,
                         .data_bytes = get<std::uint16_t>(bytes, 4)};
    // IO_REPARSE_TAG_RESERVED_ZERO and _ONE; the bits between the flags and the value are reserved.
    if ((header.tag & 0x0FFF0000) != 0 || header.tag <= 1) return fail(Status::kIoReparseTagInvalid);
    if (has_guid(header.tag)) header.header_bytes = kReparseGuidHeaderBytes;
    if (bytes.size() != header.header_bytes + header.data_bytes) return fail(Status::kIoReparseDataInvalid);
    return header;
}

// The target that a whole reparse point names. kIoReparseTagMismatch: it is no symbolic link;
// kIoReparseDataInvalid: names outside the data, of odd length or without a character.
inline Result<SymlinkTarget> parse_symlink(std::span<const std::byte> bytes) {
    using namespace reparse_layout;
    const auto header = parse_reparse_header(bytes);
    if (!header) return fail(header.error());
    if (header->tag != kReparseTagSymlink) return fail(Status::kIoReparseTagMismatch);
    if (bytes.size() < kPath) return fail(Status::kIoReparseDataInvalid);
    const auto path = bytes.subspan(kPath);
    const auto text = [&](std::size_t offset_at, std::size_t length_at) -> Result<std::u16string> {
        const std::size_t offset = get<std::uint16_t>(bytes, offset_at);
        const std::size_t length = get<std::uint16_t>(bytes, length_at);
        if (offset % 2 != 0 || length % 2 != 0 || offset > path.size() || length > path.size() - offset) {
            return fail(Status::kIoReparseDataInvalid);
        }
        return get_text(path, offset, length);
    };
    auto name = text(kSubstituteOffset, kSubstituteLength);
    auto shown = text(kPrintOffset, kPrintLength);
    if (!name || !shown || name->empty()) return fail(Status::kIoReparseDataInvalid);
    return SymlinkTarget{.name = *std::move(name),
                         .shown = *std::move(shown),
                         .relative = (get<std::uint32_t>(bytes, kFlags) & kSymlinkRelative) != 0};
}

// A whole reparse point; without a name to show if both do not fit. kIoReparseDataInvalid: the target is
// empty or does not fit.
inline Result<std::vector<std::byte>> make_symlink(const SymlinkTarget& target) {
    using namespace reparse_layout;
    constexpr std::size_t kRoom = kMaxReparseBytes - kPath;
    const std::size_t name_bytes = target.name.size() * 2;
    if (name_bytes == 0 || name_bytes > kRoom) return fail(Status::kIoReparseDataInvalid);
    const std::size_t shown_bytes =
        target.shown.size() * 2 <= kRoom - name_bytes ? target.shown.size() * 2 : 0;
    std::vector<std::byte> bytes(kPath + name_bytes + shown_bytes);
    const auto put_length = [&](std::size_t at, std::size_t value) {
        put(std::span(bytes), at, static_cast<std::uint16_t>(value));
    };
    put(std::span(bytes), 0, kReparseTagSymlink);
    put_length(4, bytes.size() - kReparseHeaderBytes);
    put_length(kSubstituteOffset, 0);
    put_length(kSubstituteLength, name_bytes);
    put_length(kPrintOffset, name_bytes);
    put_length(kPrintLength, shown_bytes);
    put(std::span(bytes), kFlags, target.relative ? kSymlinkRelative : std::uint32_t{0});
    put_text(bytes, kPath, target.name);
    if (shown_bytes != 0) put_text(bytes, kPath + name_bytes, target.shown);
    return bytes;
}

}  // namespace nt
