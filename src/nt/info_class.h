// Numbers of NT's information classes (FILE_INFORMATION_CLASS, FS_INFORMATION_CLASS) and file system control
// codes, as far as anything here names them. Sources: [MS-FSCC] 2.3, 2.4, 2.5; ntifs.h's documentation.
#pragma once

#include <cstdint>

namespace nt {

namespace file_class {
inline constexpr std::uint32_t kDirectory = 1;
inline constexpr std::uint32_t kFullDirectory = 2;
inline constexpr std::uint32_t kBothDirectory = 3;
inline constexpr std::uint32_t kBasic = 4;
inline constexpr std::uint32_t kStandard = 5;
inline constexpr std::uint32_t kInternal = 6;
inline constexpr std::uint32_t kEa = 7;
inline constexpr std::uint32_t kAccess = 8;
inline constexpr std::uint32_t kName = 9;
inline constexpr std::uint32_t kRename = 10;
inline constexpr std::uint32_t kLink = 11;
inline constexpr std::uint32_t kNames = 12;
inline constexpr std::uint32_t kDisposition = 13;
inline constexpr std::uint32_t kPosition = 14;
inline constexpr std::uint32_t kFullEa = 15;
inline constexpr std::uint32_t kMode = 16;
inline constexpr std::uint32_t kAlignment = 17;
inline constexpr std::uint32_t kAll = 18;
inline constexpr std::uint32_t kAllocation = 19;
inline constexpr std::uint32_t kEndOfFile = 20;
inline constexpr std::uint32_t kAlternateName = 21;
inline constexpr std::uint32_t kStream = 22;
inline constexpr std::uint32_t kCompression = 28;
inline constexpr std::uint32_t kNetworkOpen = 34;
inline constexpr std::uint32_t kAttributeTag = 35;
inline constexpr std::uint32_t kIdBothDirectory = 37;
inline constexpr std::uint32_t kIdFullDirectory = 38;
inline constexpr std::uint32_t kValidDataLength = 39;
inline constexpr std::uint32_t kHardLink = 46;
inline constexpr std::uint32_t kNormalizedName = 48;
inline constexpr std::uint32_t kIsRemoteDevice = 51;
inline constexpr std::uint32_t kDispositionEx = 64;
inline constexpr std::uint32_t kRenameEx = 65;
inline constexpr std::uint32_t kStat = 68;
inline constexpr std::uint32_t kStatLx = 70;
}  // namespace file_class

namespace fs_class {
inline constexpr std::uint32_t kVolume = 1;
inline constexpr std::uint32_t kLabel = 2;
inline constexpr std::uint32_t kSize = 3;
inline constexpr std::uint32_t kDevice = 4;
inline constexpr std::uint32_t kAttribute = 5;
inline constexpr std::uint32_t kFullSize = 7;
inline constexpr std::uint32_t kObjectId = 8;
}  // namespace fs_class

// FileDispositionInformationEx flags.
namespace disposition_flag {
inline constexpr std::uint32_t kDelete = 0x01;
inline constexpr std::uint32_t kPosixSemantics = 0x02;
inline constexpr std::uint32_t kForceImageSectionCheck = 0x04;
inline constexpr std::uint32_t kOnClose = 0x08;
inline constexpr std::uint32_t kIgnoreReadOnly = 0x10;
}  // namespace disposition_flag

// FileRenameInformationEx flags.
namespace rename_flag {
inline constexpr std::uint32_t kReplaceIfExists = 0x01;
inline constexpr std::uint32_t kPosixSemantics = 0x02;
inline constexpr std::uint32_t kIgnoreReadOnly = 0x40;
}  // namespace rename_flag

// FILE_FS_ATTRIBUTE_INFORMATION.FileSystemAttributes.
namespace fs_attribute {
inline constexpr std::uint32_t kCaseSensitiveSearch = 0x00000001;
inline constexpr std::uint32_t kCasePreservedNames = 0x00000002;
inline constexpr std::uint32_t kUnicodeOnDisk = 0x00000004;
inline constexpr std::uint32_t kPersistentAcls = 0x00000008;
inline constexpr std::uint32_t kReparsePoints = 0x00000080;
inline constexpr std::uint32_t kPosixUnlinkRename = 0x00000400;
inline constexpr std::uint32_t kNamedStreams = 0x00040000;
inline constexpr std::uint32_t kReadOnlyVolume = 0x00080000;
inline constexpr std::uint32_t kExtendedAttributes = 0x00800000;
}  // namespace fs_attribute

namespace fsctl {
inline constexpr std::uint32_t kIsVolumeMounted = 0x00090028;
inline constexpr std::uint32_t kSetReparsePoint = 0x000900A4;
inline constexpr std::uint32_t kGetReparsePoint = 0x000900A8;
inline constexpr std::uint32_t kDeleteReparsePoint = 0x000900AC;
inline constexpr std::uint32_t kQueryPersistentVolumeState = 0x0009023C;
}  // namespace fsctl

}  // namespace nt
