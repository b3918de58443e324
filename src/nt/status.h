// NTSTATUS values that the file system, the service and the lab answer with, as a portable type.
// Must never know: FUSE, WinFsp, windows.h. Values: [MS-ERREF] section 2.3.1.
#pragma once

#include <cstdint>
#include <expected>

namespace nt {

enum class Status : std::uint32_t {
    kSuccess = 0x00000000,
    kPending = 0x00000103,
    kReparse = 0x00000104,
    kNotifyEnumDir = 0x0000010C,
    kNotifyCleanup = 0x0000010B,
    kBufferOverflow = 0x80000005,
    kNoMoreFiles = 0x80000006,
    kUnsuccessful = 0xC0000001,
    kNotImplemented = 0xC0000002,
    kInvalidInfoClass = 0xC0000003,
    kInfoLengthMismatch = 0xC0000004,
    kAccessViolation = 0xC0000005,
    kInvalidHandle = 0xC0000008,
    kInvalidParameter = 0xC000000D,
    kNoSuchDevice = 0xC000000E,
    kNoSuchFile = 0xC000000F,
    kInvalidDeviceRequest = 0xC0000010,
    kEndOfFile = 0xC0000011,
    kAccessDenied = 0xC0000022,
    kBufferTooSmall = 0xC0000023,
    kObjectTypeMismatch = 0xC0000024,
    kObjectNameInvalid = 0xC0000033,
    kObjectNameNotFound = 0xC0000034,
    kObjectNameCollision = 0xC0000035,
    kObjectPathInvalid = 0xC0000039,
    kObjectPathNotFound = 0xC000003A,
    kSharingViolation = 0xC0000043,
    kQuotaExceeded = 0xC0000044,
    kEasNotSupported = 0xC000004F,
    kFileLockConflict = 0xC0000054,
    kLockNotGranted = 0xC0000055,
    kDeletePending = 0xC0000056,
    kRangeNotLocked = 0xC000007E,
    kDiskFull = 0xC000007F,
    kInsufficientResources = 0xC000009A,
    kDeviceNotConnected = 0xC000009D,
    kDeviceNotReady = 0xC00000A3,
    kMediaWriteProtected = 0xC00000A2,
    kIoTimeout = 0xC00000B5,
    kFileIsADirectory = 0xC00000BA,
    kNotSupported = 0xC00000BB,
    kBadNetworkName = 0xC00000CC,
    kNotSameDevice = 0xC00000D4,
    kUnexpectedIoError = 0xC00000E9,
    kInternalError = 0xC00000E5,
    kDirectoryNotEmpty = 0xC0000101,
    kFileCorruptError = 0xC0000102,
    kNotADirectory = 0xC0000103,
    kNameTooLong = 0xC0000106,
    kTooManyOpenedFiles = 0xC000011F,
    kCancelled = 0xC0000120,
    kCannotDelete = 0xC0000121,
    kFileDeleted = 0xC0000123,
    kFileClosed = 0xC0000128,
    kIoDeviceError = 0xC0000185,
    kDeviceProtocolError = 0xC0000186,
    kNoneMapped = 0xC0000073,
    kTooManyLinks = 0xC0000265,
    kVolumeDismounted = 0xC000026E,
    kDeviceRemoved = 0xC00002B6,
    kNotAReparsePoint = 0xC0000275,
    kIoReparseTagInvalid = 0xC0000276,
    kIoReparseTagMismatch = 0xC0000277,
    kIoReparseDataInvalid = 0xC0000278,
    kIoReparseTagNotHandled = 0xC0000279,
    kReparsePointNotResolved = 0xC0000280,
    kDirectoryIsAReparsePoint = 0xC0000281,
    kReparseAttributeConflict = 0xC00002B2,
    kUserMappedFile = 0xC0000243,
    kFileTooLarge = 0xC0000904,
    kUnmappableCharacter = 0xC0000162,
};

// Severity "error", the top two bits set. Warnings (kBufferOverflow, kNoMoreFiles) are not errors.
constexpr bool is_error(Status status) {
    return (static_cast<std::uint32_t>(status) >> 30) == 3;
}

template <typename T>
using Result = std::expected<T, Status>;

inline std::unexpected<Status> fail(Status status) {
    return std::unexpected(status);
}

}  // namespace nt
