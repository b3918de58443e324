// NT's information structures as bytes: offsets, fixed sizes and unaligned little-endian access
// ([MS-FSCC] 2.4, 2.5, x64). Must never know: where the values come from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "nt/file.h"

namespace lab::fsd::layout {

// sizeof() of the structures, which is what NT's I/O manager compares a buffer's length with.
inline constexpr std::size_t kBasicSize = 40;
inline constexpr std::size_t kStandardSize = 24;
inline constexpr std::size_t kInternalSize = 8;
inline constexpr std::size_t kEaSize = 4;
inline constexpr std::size_t kAccessSize = 4;
inline constexpr std::size_t kNameSize = 8;
inline constexpr std::size_t kRenameSize = 24;
inline constexpr std::size_t kDispositionSize = 1;
inline constexpr std::size_t kDispositionExSize = 4;
inline constexpr std::size_t kPositionSize = 8;
inline constexpr std::size_t kModeSize = 4;
inline constexpr std::size_t kAlignmentSize = 4;
inline constexpr std::size_t kAllSize = 104;
inline constexpr std::size_t kAllocationSize = 8;
inline constexpr std::size_t kEndOfFileSize = 8;
inline constexpr std::size_t kNetworkOpenSize = 56;
inline constexpr std::size_t kAttributeTagSize = 8;
inline constexpr std::size_t kFsVolumeSize = 24;
inline constexpr std::size_t kFsLabelSize = 8;
inline constexpr std::size_t kFsSizeSize = 24;
inline constexpr std::size_t kFsDeviceSize = 8;
inline constexpr std::size_t kFsAttributeSize = 16;
inline constexpr std::size_t kFsFullSizeSize = 32;

// FILE_ALL_INFORMATION: where its parts begin.
inline constexpr std::size_t kAllStandard = 40;
inline constexpr std::size_t kAllInternal = 64;
inline constexpr std::size_t kAllEa = 72;
inline constexpr std::size_t kAllAccess = 76;
inline constexpr std::size_t kAllPosition = 80;
inline constexpr std::size_t kAllMode = 88;
inline constexpr std::size_t kAllAlignment = 92;
inline constexpr std::size_t kAllName = 96;

// FILE_RENAME_INFORMATION.
inline constexpr std::size_t kRenameRoot = 8;
inline constexpr std::size_t kRenameNameLength = 16;
inline constexpr std::size_t kRenameName = 20;

template <typename T>
void put(std::span<std::byte> buffer, std::size_t offset, T value) {
    std::memcpy(buffer.subspan(offset, sizeof(T)).data(), &value, sizeof(T));
}

template <typename T>
T get(std::span<const std::byte> buffer, std::size_t offset) {
    T value;
    std::memcpy(&value, buffer.subspan(offset, sizeof(T)).data(), sizeof(T));
    return value;
}

// As much of `text` as fits from `offset` on: the bytes written, in whole bytes as NT truncates.
inline std::size_t put_text(std::span<std::byte> buffer, std::size_t offset, std::u16string_view text) {
    const std::size_t bytes = std::min(buffer.size() - offset, text.size() * sizeof(char16_t));
    if (bytes != 0) std::memcpy(buffer.data() + offset, text.data(), bytes);
    return bytes;
}

// `length` bytes of text; an odd byte is dropped.
inline std::u16string get_text(std::span<const std::byte> buffer, std::size_t offset, std::size_t length) {
    std::u16string text(length / sizeof(char16_t), u'\0');
    if (!text.empty()) std::memcpy(text.data(), buffer.data() + offset, text.size() * sizeof(char16_t));
    return text;
}

// "No attributes" is written kNormal.
inline std::uint32_t reported_attributes(std::uint32_t attributes) {
    return attributes == 0 ? nt::file_attribute::kNormal : attributes;
}

}  // namespace lab::fsd::layout
