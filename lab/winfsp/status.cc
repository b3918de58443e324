// NTSTATUS and Win32 error codes, version and identity.
#include "nt/status.h"

#include <windows.h>

#include "winfsp/winfsp.h"

namespace {

struct Pair {
    DWORD error;
    nt::Status status;
};

using nt::Status;

// Where several statuses have one error, the one that a file system would mean.
constexpr Pair kStatusOf[] = {
    {ERROR_SUCCESS, Status::kSuccess},
    {ERROR_INVALID_FUNCTION, Status::kInvalidDeviceRequest},
    {ERROR_FILE_NOT_FOUND, Status::kObjectNameNotFound},
    {ERROR_PATH_NOT_FOUND, Status::kObjectPathNotFound},
    {ERROR_TOO_MANY_OPEN_FILES, Status::kTooManyOpenedFiles},
    {ERROR_ACCESS_DENIED, Status::kAccessDenied},
    {ERROR_INVALID_HANDLE, Status::kInvalidHandle},
    {ERROR_NOT_ENOUGH_MEMORY, Status::kInsufficientResources},
    {ERROR_NOT_SAME_DEVICE, Status::kNotSameDevice},
    {ERROR_NO_MORE_FILES, Status::kNoMoreFiles},
    {ERROR_WRITE_PROTECT, Status::kMediaWriteProtected},
    {ERROR_NOT_READY, Status::kDeviceNotReady},
    {ERROR_GEN_FAILURE, Status::kUnsuccessful},
    {ERROR_SHARING_VIOLATION, Status::kSharingViolation},
    {ERROR_LOCK_VIOLATION, Status::kFileLockConflict},
    {ERROR_HANDLE_EOF, Status::kEndOfFile},
    {ERROR_NOT_SUPPORTED, Status::kNotSupported},
    {ERROR_FILE_EXISTS, Status::kObjectNameCollision},
    {ERROR_INVALID_PARAMETER, Status::kInvalidParameter},
    {ERROR_DISK_FULL, Status::kDiskFull},
    {ERROR_INSUFFICIENT_BUFFER, Status::kBufferTooSmall},
    {ERROR_INVALID_NAME, Status::kObjectNameInvalid},
    {ERROR_DIR_NOT_EMPTY, Status::kDirectoryNotEmpty},
    {ERROR_ALREADY_EXISTS, Status::kObjectNameCollision},
    {ERROR_MORE_DATA, Status::kBufferOverflow},
    {ERROR_DIRECTORY, Status::kNotADirectory},
    {ERROR_OPERATION_ABORTED, Status::kCancelled},
    {ERROR_IO_DEVICE, Status::kIoDeviceError},
    {ERROR_CALL_NOT_IMPLEMENTED, Status::kNotImplemented},
};

}  // namespace

extern "C" {

NTSYSAPI ULONG NTAPI RtlNtStatusToDosError(NTSTATUS status);

NTSTATUS FspNtStatusFromWin32(DWORD error) {
    for (const Pair& pair : kStatusOf) {
        if (pair.error == error) return static_cast<NTSTATUS>(pair.status);
    }
    constexpr DWORD kErrorOfFacilityWin32 = 0xC0070000;  // NTSTATUS_FROM_WIN32
    return static_cast<NTSTATUS>(kErrorOfFacilityWin32 | (error & 0xFFFF));
}

DWORD FspWin32FromNtStatus(NTSTATUS status) {
    return RtlNtStatusToDosError(status);
}

NTSTATUS FspVersion(PUINT32 version) {
    *version = 2 << 16;
    return 0;
}

PWSTR FspSxsIdent(VOID) {
    static wchar_t none[] = L"";
    return none;
}
}
