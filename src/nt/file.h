// NT's file vocabulary: attributes, access rights, share modes, create dispositions and options, file
// information. Must never know: FUSE, WinFsp, windows.h. Values: [MS-FSCC], [MS-SMB2], wdm.h's documentation.
#pragma once

#include <cstdint>

namespace nt {

// 100 ns ticks since 1601-01-01 UTC (FILETIME). 0 means "no time" or "leave as it is".
using FileTime = std::uint64_t;

namespace file_attribute {
inline constexpr std::uint32_t kReadOnly = 0x0001;
inline constexpr std::uint32_t kHidden = 0x0002;
inline constexpr std::uint32_t kSystem = 0x0004;
inline constexpr std::uint32_t kDirectory = 0x0010;
inline constexpr std::uint32_t kArchive = 0x0020;
inline constexpr std::uint32_t kNormal = 0x0080;
inline constexpr std::uint32_t kTemporary = 0x0100;
inline constexpr std::uint32_t kReparsePoint = 0x0400;
inline constexpr std::uint32_t kOffline = 0x1000;
inline constexpr std::uint32_t kNotContentIndexed = 0x2000;
}  // namespace file_attribute

namespace access {
inline constexpr std::uint32_t kReadData = 0x0001;    // also list directory
inline constexpr std::uint32_t kWriteData = 0x0002;   // also add file
inline constexpr std::uint32_t kAppendData = 0x0004;  // also add subdirectory
inline constexpr std::uint32_t kReadEa = 0x0008;
inline constexpr std::uint32_t kWriteEa = 0x0010;
inline constexpr std::uint32_t kExecute = 0x0020;  // also traverse
inline constexpr std::uint32_t kDeleteChild = 0x0040;
inline constexpr std::uint32_t kReadAttributes = 0x0080;
inline constexpr std::uint32_t kWriteAttributes = 0x0100;
inline constexpr std::uint32_t kDelete = 0x00010000;
inline constexpr std::uint32_t kReadControl = 0x00020000;
inline constexpr std::uint32_t kWriteDac = 0x00040000;
inline constexpr std::uint32_t kWriteOwner = 0x00080000;
inline constexpr std::uint32_t kSynchronize = 0x00100000;
inline constexpr std::uint32_t kSystemSecurity = 0x01000000;
inline constexpr std::uint32_t kMaximumAllowed = 0x02000000;
inline constexpr std::uint32_t kGenericAll = 0x10000000;
inline constexpr std::uint32_t kGenericExecute = 0x20000000;
inline constexpr std::uint32_t kGenericWrite = 0x40000000;
inline constexpr std::uint32_t kGenericRead = 0x80000000;
inline constexpr std::uint32_t kFileGenericRead = 0x00120089;
inline constexpr std::uint32_t kFileGenericWrite = 0x00120116;
inline constexpr std::uint32_t kFileGenericExecute = 0x001200A0;
inline constexpr std::uint32_t kFileAllAccess = 0x001F01FF;
}  // namespace access

namespace share {
inline constexpr std::uint32_t kRead = 1;
inline constexpr std::uint32_t kWrite = 2;
inline constexpr std::uint32_t kDelete = 4;
inline constexpr std::uint32_t kAll = 7;
}  // namespace share

enum class Disposition : std::uint32_t {
    kSupersede = 0,
    kOpen = 1,
    kCreate = 2,
    kOpenIf = 3,
    kOverwrite = 4,
    kOverwriteIf = 5,
};

// What a successful create did (IO_STATUS_BLOCK.Information).
enum class CreateAction : std::uint32_t {
    kSuperseded = 0,
    kOpened = 1,
    kCreated = 2,
    kOverwritten = 3,
    kExists = 4,
    kDoesNotExist = 5,
};

namespace create_option {
inline constexpr std::uint32_t kDirectoryFile = 0x00000001;
inline constexpr std::uint32_t kWriteThrough = 0x00000002;
inline constexpr std::uint32_t kSequentialOnly = 0x00000004;
inline constexpr std::uint32_t kNoIntermediateBuffering = 0x00000008;
inline constexpr std::uint32_t kSynchronousIoAlert = 0x00000010;
inline constexpr std::uint32_t kSynchronousIoNonalert = 0x00000020;
inline constexpr std::uint32_t kNonDirectoryFile = 0x00000040;
inline constexpr std::uint32_t kNoEaKnowledge = 0x00000200;
inline constexpr std::uint32_t kRandomAccess = 0x00000800;
inline constexpr std::uint32_t kDeleteOnClose = 0x00001000;
inline constexpr std::uint32_t kOpenByFileId = 0x00002000;
inline constexpr std::uint32_t kOpenForBackupIntent = 0x00004000;
inline constexpr std::uint32_t kOpenReparsePoint = 0x00200000;
}  // namespace create_option

// What NT reports of a file. The same fields as WinFsp's FSP_FSCTL_FILE_INFO.
struct FileInfo {
    std::uint32_t attributes = 0;  // file_attribute bits; 0 is reported to programs as kNormal
    std::uint32_t reparse_tag = 0;
    std::uint64_t allocation_size = 0;  // bytes
    std::uint64_t file_size = 0;        // bytes
    FileTime creation_time = 0;
    FileTime last_access_time = 0;
    FileTime last_write_time = 0;
    FileTime change_time = 0;
    std::uint64_t index_number = 0;  // unique within the volume
    std::uint32_t hard_links = 0;    // WinFsp wants 0
    std::uint32_t ea_size = 0;
    friend bool operator==(const FileInfo&, const FileInfo&) = default;
};

inline constexpr std::uint32_t kReparseTagSymlink = 0xA000000C;

}  // namespace nt
