// WinFsp's user-mode API, x64, as far as this project uses it: the operations table, the file system object,
// the service framework and the imports. Names, prototypes and layouts are those of WinFsp 2.x's public
// interface, so a build with the WinFsp SDK takes the SDK's header of the same name instead. Must never know:
// what is built on it.
//
// Strings are UTF-16 with a terminator; errors are NTSTATUS; nothing is annotated, x64 has one calling
// convention.
#pragma once

#include <cwchar>

#include "winfsp/fsctl.h"

#ifndef FSP_API
#define FSP_API __declspec(dllimport)
#endif

struct FSP_FILE_SYSTEM;
struct FSP_SERVICE;

typedef NTSTATUS FSP_FILE_SYSTEM_OPERATION_GUARD(FSP_FILE_SYSTEM*, FSP_FSCTL_TRANSACT_REQ*,
                                                 FSP_FSCTL_TRANSACT_RSP*);
typedef NTSTATUS FSP_FILE_SYSTEM_OPERATION(FSP_FILE_SYSTEM*, FSP_FSCTL_TRANSACT_REQ*,
                                           FSP_FSCTL_TRANSACT_RSP*);

enum FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY {
    FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_FINE = 0,
    FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_COARSE,
};

enum {
    FspCleanupDelete = 0x01,
    FspCleanupSetAllocationSize = 0x02,
    FspCleanupSetArchiveBit = 0x10,
    FspCleanupSetLastAccessTime = 0x20,
    FspCleanupSetLastWriteTime = 0x40,
    FspCleanupSetChangeTime = 0x80,
};

// What a file system implements; an absent member answers STATUS_INVALID_DEVICE_REQUEST. The PVOID after the
// object is the context that Create or Open returned. Only Read, Write and ReadDirectory may answer
// STATUS_PENDING.
struct FSP_FILE_SYSTEM_INTERFACE {
    NTSTATUS (*GetVolumeInfo)(FSP_FILE_SYSTEM*, FSP_FSCTL_VOLUME_INFO*);
    NTSTATUS (*SetVolumeLabel)(FSP_FILE_SYSTEM*, PWSTR label, FSP_FSCTL_VOLUME_INFO*);
    NTSTATUS(*GetSecurityByName)
    (FSP_FILE_SYSTEM*, PWSTR path, PUINT32 attributes, PSECURITY_DESCRIPTOR, SIZE_T* bytes);
    NTSTATUS(*Create)
    (FSP_FILE_SYSTEM*, PWSTR path, UINT32 options, UINT32 granted, UINT32 attributes, PSECURITY_DESCRIPTOR,
     UINT64 allocation, PVOID* context, FSP_FSCTL_FILE_INFO*);
    NTSTATUS(*Open)
    (FSP_FILE_SYSTEM*, PWSTR path, UINT32 options, UINT32 granted, PVOID* context, FSP_FSCTL_FILE_INFO*);
    NTSTATUS(*Overwrite)
    (FSP_FILE_SYSTEM*, PVOID, UINT32 attributes, BOOLEAN replace, UINT64 allocation, FSP_FSCTL_FILE_INFO*);
    VOID (*Cleanup)(FSP_FILE_SYSTEM*, PVOID, PWSTR path, ULONG flags);
    VOID (*Close)(FSP_FILE_SYSTEM*, PVOID);
    NTSTATUS (*Read)(FSP_FILE_SYSTEM*, PVOID, PVOID buffer, UINT64 offset, ULONG length, PULONG transferred);
    NTSTATUS(*Write)
    (FSP_FILE_SYSTEM*, PVOID, PVOID buffer, UINT64 offset, ULONG length, BOOLEAN to_end_of_file,
     BOOLEAN constrained, PULONG transferred, FSP_FSCTL_FILE_INFO*);
    NTSTATUS (*Flush)(FSP_FILE_SYSTEM*, PVOID, FSP_FSCTL_FILE_INFO*);
    NTSTATUS (*GetFileInfo)(FSP_FILE_SYSTEM*, PVOID, FSP_FSCTL_FILE_INFO*);
    NTSTATUS(*SetBasicInfo)
    (FSP_FILE_SYSTEM*, PVOID, UINT32 attributes, UINT64 creation, UINT64 access, UINT64 write, UINT64 change,
     FSP_FSCTL_FILE_INFO*);
    NTSTATUS (*SetFileSize)(FSP_FILE_SYSTEM*, PVOID, UINT64 size, BOOLEAN allocation, FSP_FSCTL_FILE_INFO*);
    NTSTATUS (*CanDelete)(FSP_FILE_SYSTEM*, PVOID, PWSTR path);
    NTSTATUS (*Rename)(FSP_FILE_SYSTEM*, PVOID, PWSTR from, PWSTR to, BOOLEAN replace);
    NTSTATUS (*GetSecurity)(FSP_FILE_SYSTEM*, PVOID, PSECURITY_DESCRIPTOR, SIZE_T* bytes);
    NTSTATUS (*SetSecurity)(FSP_FILE_SYSTEM*, PVOID, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR);
    NTSTATUS(*ReadDirectory)
    (FSP_FILE_SYSTEM*, PVOID, PWSTR pattern, PWSTR marker, PVOID buffer, ULONG length, PULONG transferred);
    NTSTATUS(*ResolveReparsePoints)
    (FSP_FILE_SYSTEM*, PWSTR path, UINT32 index, BOOLEAN resolve_last, PIO_STATUS_BLOCK, PVOID buffer,
     PSIZE_T bytes);
    NTSTATUS (*GetReparsePoint)(FSP_FILE_SYSTEM*, PVOID, PWSTR path, PVOID buffer, PSIZE_T bytes);
    NTSTATUS (*SetReparsePoint)(FSP_FILE_SYSTEM*, PVOID, PWSTR path, PVOID buffer, SIZE_T bytes);
    NTSTATUS (*DeleteReparsePoint)(FSP_FILE_SYSTEM*, PVOID, PWSTR path, PVOID buffer, SIZE_T bytes);
    NTSTATUS (*GetStreamInfo)(FSP_FILE_SYSTEM*, PVOID, PVOID buffer, ULONG length, PULONG transferred);
    NTSTATUS (*GetDirInfoByName)(FSP_FILE_SYSTEM*, PVOID, PWSTR name, FSP_FSCTL_DIR_INFO*);
    NTSTATUS(*Control)
    (FSP_FILE_SYSTEM*, PVOID, UINT32 code, PVOID in, ULONG in_length, PVOID out, ULONG out_length,
     PULONG transferred);
    NTSTATUS (*SetDelete)(FSP_FILE_SYSTEM*, PVOID, PWSTR path, BOOLEAN remove);
    NTSTATUS(*CreateEx)
    (FSP_FILE_SYSTEM*, PWSTR path, UINT32 options, UINT32 granted, UINT32 attributes, PSECURITY_DESCRIPTOR,
     UINT64 allocation, PVOID extra, ULONG extra_length, BOOLEAN is_reparse, PVOID* context,
     FSP_FSCTL_FILE_INFO*);
    NTSTATUS(*OverwriteEx)
    (FSP_FILE_SYSTEM*, PVOID, UINT32 attributes, BOOLEAN replace, UINT64 allocation,
     PFILE_FULL_EA_INFORMATION, ULONG ea_length, FSP_FSCTL_FILE_INFO*);
    NTSTATUS (*GetEa)(FSP_FILE_SYSTEM*, PVOID, PFILE_FULL_EA_INFORMATION, ULONG length, PULONG transferred);
    NTSTATUS (*SetEa)(FSP_FILE_SYSTEM*, PVOID, PFILE_FULL_EA_INFORMATION, ULONG length, FSP_FSCTL_FILE_INFO*);
    NTSTATUS (*Obsolete0)(VOID);
    VOID (*DispatcherStopped)(FSP_FILE_SYSTEM*, BOOLEAN normally);
    NTSTATUS (*Reserved[31])();
};

// Made by the library only. UserContext is the file system's own.
struct FSP_FILE_SYSTEM {
    UINT16 Version;
    PVOID UserContext;
    WCHAR VolumeName[256];
    HANDLE VolumeHandle;
    FSP_FILE_SYSTEM_OPERATION_GUARD *EnterOperation, *LeaveOperation;
    FSP_FILE_SYSTEM_OPERATION* Operations[FspFsctlTransactKindCount];
    const FSP_FILE_SYSTEM_INTERFACE* Interface;
    HANDLE DispatcherThread;
    ULONG DispatcherThreadCount;
    NTSTATUS DispatcherResult;
    PWSTR MountPoint;
    HANDLE MountHandle;
    UINT32 DebugLog;
    FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY OpGuardStrategy;
    SRWLOCK OpGuardLock;
    BOOLEAN UmFileContextIsUserContext2, UmFileContextIsFullContext;
    UINT16 UmNoReparsePointsDirCheck : 1;
    UINT16 UmReservedFlags : 14;
    UINT16 DispatcherStopping : 1;
};

struct FSP_FILE_SYSTEM_OPERATION_CONTEXT {
    FSP_FSCTL_TRANSACT_REQ* Request;
    FSP_FSCTL_TRANSACT_RSP* Response;
};

typedef NTSTATUS FSP_SERVICE_START(FSP_SERVICE*, ULONG argc, PWSTR* argv);
typedef NTSTATUS FSP_SERVICE_STOP(FSP_SERVICE*);
typedef NTSTATUS FSP_SERVICE_CONTROL(FSP_SERVICE*, ULONG control, ULONG event_type, PVOID event_data);

// Made by the library only. UserContext is the program's own.
struct FSP_SERVICE {
    UINT16 Version;
    PVOID UserContext;
    FSP_SERVICE_START* OnStart;
    FSP_SERVICE_STOP* OnStop;
    FSP_SERVICE_CONTROL* OnControl;
    ULONG AcceptControl;
    ULONG ExitCode;
    SERVICE_STATUS_HANDLE StatusHandle;
    SERVICE_STATUS ServiceStatus;
    CRITICAL_SECTION ServiceStatusGuard;
    CRITICAL_SECTION ServiceStopGuard;
    BOOLEAN AllowConsoleMode;
#ifdef __GNUC__
    __extension__ WCHAR ServiceName[0];
#else
    WCHAR ServiceName[];
#endif
};

extern "C" {
FSP_API NTSTATUS FspFileSystemCreate(PWSTR device, const FSP_FSCTL_VOLUME_PARAMS*,
                                     const FSP_FILE_SYSTEM_INTERFACE*, FSP_FILE_SYSTEM**);
FSP_API VOID FspFileSystemDelete(FSP_FILE_SYSTEM*);
FSP_API NTSTATUS FspFileSystemPreflight(PWSTR device, PWSTR mount_point);
FSP_API NTSTATUS FspFileSystemSetMountPoint(FSP_FILE_SYSTEM*, PWSTR mount_point);
FSP_API NTSTATUS FspFileSystemSetMountPointEx(FSP_FILE_SYSTEM*, PWSTR mount_point, PSECURITY_DESCRIPTOR);
FSP_API VOID FspFileSystemRemoveMountPoint(FSP_FILE_SYSTEM*);
FSP_API NTSTATUS FspFileSystemStartDispatcher(FSP_FILE_SYSTEM*, ULONG threads);
FSP_API VOID FspFileSystemStopDispatcher(FSP_FILE_SYSTEM*);
FSP_API VOID FspFileSystemSendResponse(FSP_FILE_SYSTEM*, FSP_FSCTL_TRANSACT_RSP*);
FSP_API FSP_FILE_SYSTEM_OPERATION_CONTEXT* FspFileSystemGetOperationContext(VOID);

FSP_API BOOLEAN FspFileSystemAddDirInfo(FSP_FSCTL_DIR_INFO*, PVOID buffer, ULONG length, PULONG transferred);
// Asks a file system for the reparse point of a name: STATUS_NOT_A_REPARSE_POINT for other files. Without a
// buffer and a size only whether it is one is asked.
using FSP_GET_REPARSE_POINT_BY_NAME = NTSTATUS(FSP_FILE_SYSTEM*, PVOID context, PWSTR path,
                                               BOOLEAN is_directory, PVOID buffer, PSIZE_T bytes);
FSP_API BOOLEAN FspFileSystemFindReparsePoint(FSP_FILE_SYSTEM*, FSP_GET_REPARSE_POINT_BY_NAME*, PVOID context,
                                              PWSTR path, PUINT32 index);
FSP_API NTSTATUS FspFileSystemResolveReparsePoints(FSP_FILE_SYSTEM*, FSP_GET_REPARSE_POINT_BY_NAME*,
                                                   PVOID context, PWSTR path, UINT32 index,
                                                   BOOLEAN resolve_last, PIO_STATUS_BLOCK, PVOID buffer,
                                                   PSIZE_T bytes);
FSP_API NTSTATUS FspFileSystemCanReplaceReparsePoint(PVOID present, SIZE_T present_bytes, PVOID replacement,
                                                     SIZE_T replacement_bytes);
FSP_API BOOLEAN FspFileSystemAddStreamInfo(FSP_FSCTL_STREAM_INFO*, PVOID buffer, ULONG length,
                                           PULONG transferred);
FSP_API BOOLEAN FspFileSystemAcquireDirectoryBufferEx(PVOID*, BOOLEAN reset, ULONG capacity, PNTSTATUS);
FSP_API BOOLEAN FspFileSystemAcquireDirectoryBuffer(PVOID*, BOOLEAN reset, PNTSTATUS);
FSP_API BOOLEAN FspFileSystemFillDirectoryBuffer(PVOID*, FSP_FSCTL_DIR_INFO*, PNTSTATUS);
FSP_API VOID FspFileSystemReleaseDirectoryBuffer(PVOID*);
FSP_API VOID FspFileSystemReadDirectoryBuffer(PVOID*, PWSTR marker, PVOID buffer, ULONG length,
                                              PULONG transferred);
FSP_API VOID FspFileSystemDeleteDirectoryBuffer(PVOID*);
FSP_API VOID FspFileSystemStopServiceIfNecessary(FSP_FILE_SYSTEM*, BOOLEAN normally);

FSP_API NTSTATUS FspFileSystemOpEnter(FSP_FILE_SYSTEM*, FSP_FSCTL_TRANSACT_REQ*, FSP_FSCTL_TRANSACT_RSP*);
FSP_API NTSTATUS FspFileSystemOpLeave(FSP_FILE_SYSTEM*, FSP_FSCTL_TRANSACT_REQ*, FSP_FSCTL_TRANSACT_RSP*);

FSP_API ULONG FspServiceRunEx(PWSTR name, FSP_SERVICE_START*, FSP_SERVICE_STOP*, FSP_SERVICE_CONTROL*,
                              PVOID context);
FSP_API NTSTATUS FspServiceCreate(PWSTR name, FSP_SERVICE_START*, FSP_SERVICE_STOP*, FSP_SERVICE_CONTROL*,
                                  FSP_SERVICE**);
FSP_API VOID FspServiceDelete(FSP_SERVICE*);
FSP_API VOID FspServiceAllowConsoleMode(FSP_SERVICE*);
FSP_API VOID FspServiceAcceptControl(FSP_SERVICE*, ULONG control);
FSP_API VOID FspServiceRequestTime(FSP_SERVICE*, ULONG ms);
FSP_API VOID FspServiceSetExitCode(FSP_SERVICE*, ULONG code);
FSP_API ULONG FspServiceGetExitCode(FSP_SERVICE*);
FSP_API NTSTATUS FspServiceLoop(FSP_SERVICE*);
FSP_API VOID FspServiceStop(FSP_SERVICE*);
FSP_API BOOLEAN FspServiceIsInteractive(VOID);
FSP_API NTSTATUS FspServiceContextCheck(HANDLE token, PBOOLEAN is_local_system);
FSP_API VOID FspServiceLog(ULONG type, PWSTR format, ...);
FSP_API VOID FspServiceLogV(ULONG type, PWSTR format, va_list);

FSP_API NTSTATUS FspNtStatusFromWin32(DWORD error);
FSP_API DWORD FspWin32FromNtStatus(NTSTATUS status);
FSP_API VOID FspEventLog(ULONG type, PWSTR format, ...);
FSP_API VOID FspEventLogV(ULONG type, PWSTR format, va_list);
FSP_API VOID FspDebugLogSetHandle(HANDLE);
FSP_API VOID FspDebugLog(const char* format, ...);
FSP_API NTSTATUS FspVersion(PUINT32 version);
FSP_API PWSTR FspSxsIdent(VOID);
}

inline PWSTR FspFileSystemMountPoint(FSP_FILE_SYSTEM* fs) {
    return fs->MountPoint;
}

inline VOID FspFileSystemSetOperationGuard(FSP_FILE_SYSTEM* fs, FSP_FILE_SYSTEM_OPERATION_GUARD* enter,
                                           FSP_FILE_SYSTEM_OPERATION_GUARD* leave) {
    fs->EnterOperation = enter;
    fs->LeaveOperation = leave;
}

inline VOID FspFileSystemSetOperationGuardStrategy(FSP_FILE_SYSTEM* fs,
                                                   FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY strategy) {
    fs->OpGuardStrategy = strategy;
}

// One bit a request kind; all ones logs everything.
inline VOID FspFileSystemSetDebugLog(FSP_FILE_SYSTEM* fs, UINT32 kinds) {
    fs->DebugLog = kinds;
}

// Finds and loads the library: by name, then in the folder that WinFsp's installer left in the registry. To
// be called before the first import of a program that delay-loads it. STATUS_OBJECT_NAME_NOT_FOUND: not
// installed; STATUS_DLL_NOT_FOUND: its file is missing or would not load.
inline NTSTATUS FspLoad(PVOID* module) {
    constexpr NTSTATUS kNotInstalled = static_cast<NTSTATUS>(0xC0000034u);
    constexpr NTSTATUS kDllNotFound = static_cast<NTSTATUS>(0xC0000135u);
    constexpr const wchar_t* kName = L"winfsp-x64.dll";
    if (module != nullptr) *module = nullptr;

    HMODULE dll = LoadLibraryW(kName);
    if (dll == nullptr) {
        wchar_t path[MAX_PATH];
        DWORD bytes = sizeof path;
        if (RegGetValueW(HKEY_LOCAL_MACHINE, L"Software\\WOW6432Node\\WinFsp", L"InstallDir", RRF_RT_REG_SZ,
                         nullptr, path, &bytes) != ERROR_SUCCESS) {
            return kNotInstalled;
        }
        const wchar_t* tail[] = {L"bin\\", kName};
        for (const wchar_t* part : tail) {
            if (std::wcslen(path) + std::wcslen(part) >= MAX_PATH) return kDllNotFound;
            std::wcscat(path, part);
        }
        dll = LoadLibraryW(path);
    }
    if (dll == nullptr) return kDllNotFound;
    if (module != nullptr) *module = dll;
    return 0;
}
