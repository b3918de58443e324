// NT's information structures as bytes: offsets and fixed sizes ([MS-FSCC] 2.4, 2.5, x64). Must never know:
// where the values come from.
#pragma once

#include <cstddef>
#include <cstdint>

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

// "No attributes" is written kNormal.
inline std::uint32_t reported_attributes(std::uint32_t attributes) {
    return attributes == 0 ? nt::file_attribute::kNormal : attributes;
}

}  // namespace lab::fsd::layout
