// The native API as the redirection uses it: mingw's headers plus the declarations they lack. Sources:
// Microsoft's documentation of the Nt and Zw functions, [MS-FSCC], Wine's winternl.h (public interface). Must
// never know: what is done with any of it.
#pragma once

#define WIN32_NO_STATUS
#include <windows.h>
#undef WIN32_NO_STATUS
#include <winternl.h>
// After the headers above, which define some of its values otherwise.
#include <ntstatus.h>

#include <cstddef>
#include <cstdint>

#include "nt/status.h"

namespace lab::redirect {

constexpr NTSTATUS to_ntstatus(nt::Status status) {
    return static_cast<NTSTATUS>(status);
}
// Severity "error" (warnings such as STATUS_BUFFER_OVERFLOW are not).
constexpr bool is_error(NTSTATUS status) {
    return (static_cast<std::uint32_t>(status) >> 30) == 3;
}

inline constexpr NTSTATUS kStatusVolumeDismounted = static_cast<NTSTATUS>(0xC000026E);
inline constexpr NTSTATUS kStatusNameTooLong = static_cast<NTSTATUS>(0xC0000106);
inline constexpr NTSTATUS kStatusInvalidImageFormat = static_cast<NTSTATUS>(0xC000007B);
inline constexpr NTSTATUS kStatusMappedFileSizeZero = static_cast<NTSTATUS>(0xC000011E);
inline constexpr NTSTATUS kStatusSectionTooBig = static_cast<NTSTATUS>(0xC0000040);
inline constexpr NTSTATUS kStatusNotFound = static_cast<NTSTATUS>(0xC0000225);

// FILE_INFORMATION_CLASS and FS_INFORMATION_CLASS values.
namespace info {
inline constexpr ULONG kBasic = 4;
inline constexpr ULONG kStandard = 5;
inline constexpr ULONG kInternal = 6;
inline constexpr ULONG kAccess = 8;
inline constexpr ULONG kRename = 10;
inline constexpr ULONG kLink = 11;
inline constexpr ULONG kDisposition = 13;
inline constexpr ULONG kMode = 16;
inline constexpr ULONG kAlignment = 17;
inline constexpr ULONG kAll = 18;
inline constexpr ULONG kEndOfFile = 20;
inline constexpr ULONG kCompletion = 30;
inline constexpr ULONG kNetworkOpen = 34;
inline constexpr ULONG kCompletionNotification = 41;
inline constexpr ULONG kIsRemoteDevice = 51;
inline constexpr ULONG kReplaceCompletion = 61;
inline constexpr ULONG kRenameEx = 65;
inline constexpr ULONG kLinkEx = 72;
inline constexpr ULONG kFsDevice = 4;
}  // namespace info

struct BasicInformation {
    LARGE_INTEGER creation_time;
    LARGE_INTEGER last_access_time;
    LARGE_INTEGER last_write_time;
    LARGE_INTEGER change_time;
    ULONG attributes;
    ULONG padding;
};
static_assert(sizeof(BasicInformation) == 40);

struct StandardInformation {
    LARGE_INTEGER allocation_size;
    LARGE_INTEGER end_of_file;
    ULONG number_of_links;
    BOOLEAN delete_pending;
    BOOLEAN directory;
    USHORT padding;
};
static_assert(sizeof(StandardInformation) == 24);

struct NetworkOpenInformation {
    LARGE_INTEGER creation_time;
    LARGE_INTEGER last_access_time;
    LARGE_INTEGER last_write_time;
    LARGE_INTEGER change_time;
    LARGE_INTEGER allocation_size;
    LARGE_INTEGER end_of_file;
    ULONG attributes;
    ULONG padding;
};
static_assert(sizeof(NetworkOpenInformation) == 56);

struct CompletionInformation {
    HANDLE port;
    void* key;
};

// FILE_RENAME_INFORMATION and its Ex form up to the name.
struct RenameInformation {
    ULONG flags;  // the old form uses the first byte: ReplaceIfExists
    ULONG padding;
    HANDLE root;
    ULONG name_bytes;
};
inline constexpr std::size_t kRenameNameOffset = 20;
static_assert(offsetof(RenameInformation, name_bytes) == 16);

struct FsDeviceInformation {
    ULONG device_type;
    ULONG characteristics;
};
inline constexpr ULONG kFileDeviceDiskFileSystem = 8;

struct BasicObjectInformation {
    ULONG attributes;
    ACCESS_MASK granted_access;
    ULONG handle_count;
    ULONG pointer_count;
    ULONG reserved[10];
};
static_assert(sizeof(BasicObjectInformation) == 56);

namespace object_class {
inline constexpr auto kBasic = static_cast<OBJECT_INFORMATION_CLASS>(0);
inline constexpr auto kName = static_cast<OBJECT_INFORMATION_CLASS>(1);
inline constexpr auto kType = static_cast<OBJECT_INFORMATION_CLASS>(2);
}  // namespace object_class

// SystemExtendedHandleInformation (64).
struct SystemHandleEntry {
    void* object;
    ULONG_PTR process_id;
    ULONG_PTR handle;
    ULONG granted_access;
    USHORT back_trace_index;
    USHORT type_index;
    ULONG attributes;
    ULONG reserved;
};
struct SystemHandles {
    ULONG_PTR count;
    ULONG_PTR reserved;
    SystemHandleEntry entries[1];
};
inline constexpr auto kSystemExtendedHandleInformation = static_cast<SYSTEM_INFORMATION_CLASS>(64);

// RTL_USER_PROCESS_PARAMETERS (x64) as far as it is used.
struct ProcessParameters {
    ULONG allocation_size;
    ULONG size;
    ULONG flags;
    ULONG debug_flags;
    HANDLE console;
    ULONG_PTR console_flags;
    HANDLE standard_handles[3];
    UNICODE_STRING current_directory;
    HANDLE current_directory_handle;
    UNICODE_STRING dll_path;
    UNICODE_STRING image_path;
    UNICODE_STRING command_line;
    void* environment;
};
static_assert(offsetof(ProcessParameters, current_directory) == 0x38 &&
              offsetof(ProcessParameters, image_path) == 0x60 &&
              offsetof(ProcessParameters, environment) == 0x80);

struct ProcessBasicInformation {
    NTSTATUS exit_status;
    std::byte* peb;
    ULONG_PTR affinity;
    LONG base_priority;
    ULONG_PTR process_id;
    ULONG_PTR parent_process_id;
};
inline constexpr std::size_t kPebImageBase = 0x10;
inline constexpr std::size_t kPebProcessParameters = 0x20;

struct ProcessAttribute {
    ULONG_PTR attribute;
    SIZE_T size;
    ULONG_PTR value;
    SIZE_T* return_length;
};
struct ProcessAttributeList {
    SIZE_T total_length;
    ProcessAttribute attributes[1];
};
inline constexpr ULONG_PTR kProcessAttributeImageName = 0x20005;
inline constexpr ULONG kThreadCreateSuspended = 1;

inline HANDLE current_process() {
    return reinterpret_cast<HANDLE>(~std::uintptr_t{0});
}
inline HANDLE current_thread() {
    return reinterpret_cast<HANDLE>(~std::uintptr_t{1});
}

}  // namespace lab::redirect

extern "C" {
NTSTATUS NTAPI NtReadFile(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, PVOID, ULONG,
                          PLARGE_INTEGER, PULONG);
NTSTATUS NTAPI NtWriteFile(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, const void*, ULONG,
                           PLARGE_INTEGER, PULONG);
NTSTATUS NTAPI NtReadFileScatter(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK,
                                 FILE_SEGMENT_ELEMENT*, ULONG, PLARGE_INTEGER, PULONG);
NTSTATUS NTAPI NtWriteFileGather(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK,
                                 FILE_SEGMENT_ELEMENT*, ULONG, PLARGE_INTEGER, PULONG);
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, PVOID, ULONG,
                                    FILE_INFORMATION_CLASS, BOOLEAN, PUNICODE_STRING, BOOLEAN);
NTSTATUS NTAPI NtQueryAttributesFile(const OBJECT_ATTRIBUTES*, void*);
NTSTATUS NTAPI NtQueryFullAttributesFile(const OBJECT_ATTRIBUTES*, void*);
NTSTATUS NTAPI NtDeleteFile(POBJECT_ATTRIBUTES);
NTSTATUS NTAPI NtFlushBuffersFile(HANDLE, PIO_STATUS_BLOCK);
NTSTATUS NTAPI NtLockFile(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, PLARGE_INTEGER,
                          PLARGE_INTEGER, ULONG*, BOOLEAN, BOOLEAN);
NTSTATUS NTAPI NtUnlockFile(HANDLE, PIO_STATUS_BLOCK, PLARGE_INTEGER, PLARGE_INTEGER, PULONG);
NTSTATUS NTAPI NtDuplicateObject(HANDLE, HANDLE, HANDLE, PHANDLE, ACCESS_MASK, ULONG, ULONG);
NTSTATUS NTAPI NtCreateUserProcess(HANDLE*, HANDLE*, ACCESS_MASK, ACCESS_MASK, OBJECT_ATTRIBUTES*,
                                   OBJECT_ATTRIBUTES*, ULONG, ULONG, lab::redirect::ProcessParameters*, void*,
                                   lab::redirect::ProcessAttributeList*);
NTSTATUS NTAPI NtCreateSection(HANDLE*, ACCESS_MASK, const OBJECT_ATTRIBUTES*, const LARGE_INTEGER*, ULONG,
                               ULONG, HANDLE);
NTSTATUS NTAPI NtMapViewOfSection(HANDLE, HANDLE, PVOID*, ULONG_PTR, SIZE_T, const LARGE_INTEGER*, SIZE_T*,
                                  ULONG, ULONG, ULONG);
NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE, PVOID);
NTSTATUS NTAPI NtFlushVirtualMemory(HANDLE, LPCVOID*, SIZE_T*, ULONG);
NTSTATUS NTAPI NtNotifyChangeDirectoryFile(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, PVOID,
                                           ULONG, ULONG, BOOLEAN);
NTSTATUS NTAPI NtQuerySecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, ULONG, PULONG);
NTSTATUS NTAPI NtSetSecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR);
NTSTATUS NTAPI NtCancelIoFile(HANDLE, PIO_STATUS_BLOCK);
NTSTATUS NTAPI NtCancelIoFileEx(HANDLE, PIO_STATUS_BLOCK, PIO_STATUS_BLOCK);
NTSTATUS NTAPI NtQueryEaFile(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, BOOLEAN, PVOID, ULONG, PULONG, BOOLEAN);
NTSTATUS NTAPI NtSetEaFile(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG);
NTSTATUS NTAPI NtTerminateProcess(HANDLE, LONG);
NTSTATUS NTAPI NtSetEvent(HANDLE, LONG*);
NTSTATUS NTAPI NtCreateEvent(PHANDLE, ACCESS_MASK, const OBJECT_ATTRIBUTES*, ULONG, BOOLEAN);
NTSTATUS NTAPI NtQueueApcThread(HANDLE, void*, ULONG_PTR, ULONG_PTR, ULONG_PTR);
NTSTATUS NTAPI NtSetIoCompletion(HANDLE, ULONG_PTR, ULONG_PTR, NTSTATUS, SIZE_T);
NTSTATUS NTAPI NtAllocateVirtualMemory(HANDLE, PVOID*, ULONG_PTR, SIZE_T*, ULONG, ULONG);
NTSTATUS NTAPI NtFreeVirtualMemory(HANDLE, PVOID*, SIZE_T*, ULONG);
NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE, PVOID*, SIZE_T*, ULONG, ULONG*);
NTSTATUS NTAPI NtReadVirtualMemory(HANDLE, const void*, void*, SIZE_T, SIZE_T*);
NTSTATUS NTAPI NtWriteVirtualMemory(HANDLE, void*, const void*, SIZE_T, SIZE_T*);
NTSTATUS NTAPI NtResumeThread(HANDLE, PULONG);
NTSTATUS NTAPI NtOpenSection(HANDLE*, ACCESS_MASK, const OBJECT_ATTRIBUTES*);
NTSTATUS NTAPI RtlSetCurrentDirectory_U(const UNICODE_STRING*);
ULONG NTAPI RtlDetermineDosPathNameType_U(const wchar_t*);
void NTAPI RtlAcquireSRWLockExclusive(RTL_SRWLOCK*);
void NTAPI RtlReleaseSRWLockExclusive(RTL_SRWLOCK*);
void NTAPI RtlAcquireSRWLockShared(RTL_SRWLOCK*);
void NTAPI RtlReleaseSRWLockShared(RTL_SRWLOCK*);
}
