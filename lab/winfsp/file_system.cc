// The file system object's exports: creation, the dispatcher, asynchronous answers, the default operation
// guard.
#include "lab/winfsp/file_system.h"

#include <ntsecapi.h>

#include <cstdio>
#include <cstring>
#include <new>

#include "lab/winfsp/log.h"

namespace lab::winfsp {
namespace {

constexpr NTSTATUS to_ntstatus(nt::Status status) {
    return static_cast<NTSTATUS>(status);
}

fsd::VolumeParams to_params(const FSP_FSCTL_VOLUME_PARAMS& params) {
    fsd::VolumeParams result;
    if (params.SectorSize != 0) result.sector_size = params.SectorSize;
    if (params.SectorsPerAllocationUnit != 0)
        result.sectors_per_allocation_unit = params.SectorsPerAllocationUnit;
    if (params.MaxComponentLength != 0) result.max_component_length = params.MaxComponentLength;
    result.creation_time = params.VolumeCreationTime;
    result.serial_number = params.VolumeSerialNumber;
    result.file_info_timeout = params.FileInfoTimeout;
    result.case_sensitive_search = params.CaseSensitiveSearch;
    result.case_preserved_names = params.CasePreservedNames;
    result.unicode_on_disk = params.UnicodeOnDisk;
    result.persistent_acls = params.PersistentAcls;
    result.reparse_points = params.ReparsePoints;
    result.named_streams = params.NamedStreams;
    result.extended_attributes = params.ExtendedAttributes;
    result.read_only_volume = params.ReadOnlyVolume;
    result.post_cleanup_when_modified_only = params.PostCleanupWhenModifiedOnly;
    result.flush_and_purge_on_cleanup = params.FlushAndPurgeOnCleanup;
    result.pass_query_directory_pattern = params.PassQueryDirectoryPattern;
    result.pass_query_directory_file_name = params.PassQueryDirectoryFileName;
    result.supports_posix_unlink_rename = params.SupportsPosixUnlinkRename;
    result.context_is_per_open = params.UmFileContextIsUserContext2;

    std::u16string name;
    for (const WCHAR unit : params.FileSystemName) {
        if (unit == 0) break;
        name.push_back(static_cast<char16_t>(unit));
    }
    const bool is_suffix = name.empty() || name[0] == u'-' || name[0] == u'/' || name[0] == u'\\';
    result.file_system_name = is_suffix ? u"WinFsp" + name : name;
    return result;
}

void name_volume(WCHAR (&name)[256]) {
    GUID guid{};
    RtlGenRandom(&guid, sizeof guid);
    swprintf(name, std::size(name), L"\\Device\\Volume{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}",
             guid.Data1, guid.Data2, guid.Data3, guid.Data4[0], guid.Data4[1], guid.Data4[2], guid.Data4[3],
             guid.Data4[4], guid.Data4[5], guid.Data4[6], guid.Data4[7]);
}

enum class GuardMode { kNone, kShared, kExclusive };

// WinFsp's "fine" strategy.
GuardMode fine_mode(const FSP_FSCTL_TRANSACT_REQ& request) {
    constexpr UINT32 kRename = 10, kDisposition = 13, kDispositionEx = 64, kRenameEx = 65;
    switch (request.Kind) {
        case FspFsctlTransactCreateKind: {
            const UINT32 disposition = request.Req.Create.CreateOptions >> 24;
            return disposition == static_cast<UINT32>(nt::Disposition::kOpen) ? GuardMode::kShared
                                                                              : GuardMode::kExclusive;
        }
        case FspFsctlTransactOverwriteKind:
        case FspFsctlTransactSetVolumeInformationKind:
            return GuardMode::kExclusive;
        case FspFsctlTransactCleanupKind:
            return request.Req.Cleanup.Delete ? GuardMode::kExclusive : GuardMode::kNone;
        case FspFsctlTransactFlushBuffersKind:
            return request.Req.FlushBuffers.UserContext == 0 && request.Req.FlushBuffers.UserContext2 == 0
                       ? GuardMode::kExclusive
                       : GuardMode::kNone;
        case FspFsctlTransactSetInformationKind: {
            const UINT32 what = request.Req.SetInformation.FileInformationClass;
            if (what == kRename || what == kRenameEx) return GuardMode::kExclusive;
            return what == kDisposition || what == kDispositionEx ? GuardMode::kShared : GuardMode::kNone;
        }
        case FspFsctlTransactQueryDirectoryKind:
        case FspFsctlTransactQueryVolumeInformationKind:
            return GuardMode::kShared;
        default:
            return GuardMode::kNone;
    }
}

GuardMode guard_mode(const FSP_FILE_SYSTEM& fs, const FSP_FSCTL_TRANSACT_REQ& request) {
    return fs.OpGuardStrategy == FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY_COARSE ? GuardMode::kExclusive
                                                                                 : fine_mode(request);
}

}  // namespace

FileSystemObject::FileSystemObject(const FSP_FSCTL_VOLUME_PARAMS& params,
                                   const FSP_FILE_SYSTEM_INTERFACE& operations)
    : api{}, dispatcher(api), params_(to_params(params)) {
    api.Version = sizeof api;
    api.Interface = &operations;
    api.EnterOperation = FspFileSystemOpEnter;
    api.LeaveOperation = FspFileSystemOpLeave;
    InitializeSRWLock(&api.OpGuardLock);
    api.UmFileContextIsUserContext2 = params.UmFileContextIsUserContext2;
    name_volume(api.VolumeName);
    file_system_.emplace(api, dispatcher);
    fsd_.emplace(*file_system_, params_);
}

FileSystemObject::~FileSystemObject() {
    dispatcher.stop();
    remove_mount_point();
}

}  // namespace lab::winfsp

using namespace lab::winfsp;

namespace {

constexpr FSP_FILE_SYSTEM_INTERFACE kNoOperations{};

NTSTATUS check(const FSP_FSCTL_VOLUME_PARAMS& params) {
    if (params.Version != 0 && params.Version != sizeof params)
        return to_ntstatus(nt::Status::kInvalidParameter);
    if (params.UmFileContextIsUserContext2 && params.UmFileContextIsFullContext) {
        return to_ntstatus(nt::Status::kInvalidParameter);
    }
    if (params.UmFileContextIsFullContext || params.DirectoryMarkerAsNextOffset) {
        complain(
            "winfsp-x64.dll (lab): UmFileContextIsFullContext and DirectoryMarkerAsNextOffset are not "
            "modelled");
        return to_ntstatus(nt::Status::kNotImplemented);
    }
    return 0;
}

}  // namespace

extern "C" {

NTSTATUS FspFileSystemCreate(PWSTR device, const FSP_FSCTL_VOLUME_PARAMS* params,
                             const FSP_FILE_SYSTEM_INTERFACE* operations, FSP_FILE_SYSTEM** result) {
    *result = nullptr;
    if (std::wcscmp(device, L"" FSP_FSCTL_DISK_DEVICE_NAME) != 0) {
        complain("winfsp-x64.dll (lab): only the disk device is modelled");
        return to_ntstatus(nt::Status::kNotImplemented);
    }
    if (const NTSTATUS status = check(*params); status != 0) return status;
    // An old program's structure ends after the file system's name.
    FSP_FSCTL_VOLUME_PARAMS whole{};
    std::memcpy(&whole, params,
                params->Version == 0
                    ? offsetof(FSP_FSCTL_VOLUME_PARAMS, FileSystemName) + sizeof whole.FileSystemName
                    : sizeof whole);
    try {
        *result = &(new FileSystemObject(whole, operations != nullptr ? *operations : kNoOperations))->api;
    } catch (const std::bad_alloc&) {
        return to_ntstatus(nt::Status::kInsufficientResources);
    }
    return 0;
}

VOID FspFileSystemDelete(FSP_FILE_SYSTEM* fs) {
    delete &FileSystemObject::of(fs);
}

NTSTATUS FspFileSystemStartDispatcher(FSP_FILE_SYSTEM* fs, ULONG threads) {
    FileSystemObject& object = FileSystemObject::of(fs);
    const NTSTATUS status = object.dispatcher.start(threads);
    if (status == 0) object.announce();
    return status;
}

VOID FspFileSystemStopDispatcher(FSP_FILE_SYSTEM* fs) {
    FileSystemObject::of(fs).dispatcher.stop();
}

VOID FspFileSystemSendResponse(FSP_FILE_SYSTEM* fs, FSP_FSCTL_TRANSACT_RSP* response) {
    FileSystemObject::of(fs).dispatcher.respond(*response);
}

FSP_FILE_SYSTEM_OPERATION_CONTEXT* FspFileSystemGetOperationContext(VOID) {
    return Dispatcher::current();
}

NTSTATUS FspFileSystemOpEnter(FSP_FILE_SYSTEM* fs, FSP_FSCTL_TRANSACT_REQ* request, FSP_FSCTL_TRANSACT_RSP*) {
    switch (guard_mode(*fs, *request)) {
        case GuardMode::kExclusive:
            AcquireSRWLockExclusive(&fs->OpGuardLock);
            break;
        case GuardMode::kShared:
            AcquireSRWLockShared(&fs->OpGuardLock);
            break;
        case GuardMode::kNone:
            break;
    }
    return 0;
}

NTSTATUS FspFileSystemOpLeave(FSP_FILE_SYSTEM* fs, FSP_FSCTL_TRANSACT_REQ* request, FSP_FSCTL_TRANSACT_RSP*) {
    switch (guard_mode(*fs, *request)) {
        case GuardMode::kExclusive:
            ReleaseSRWLockExclusive(&fs->OpGuardLock);
            break;
        case GuardMode::kShared:
            ReleaseSRWLockShared(&fs->OpGuardLock);
            break;
        case GuardMode::kNone:
            break;
    }
    return 0;
}

PWSTR FspFileSystemMountPointF(FSP_FILE_SYSTEM* fs) {
    return fs->MountPoint;
}

NTSTATUS FspFileSystemEnterOperationF(FSP_FILE_SYSTEM* fs, FSP_FSCTL_TRANSACT_REQ* request,
                                      FSP_FSCTL_TRANSACT_RSP* response) {
    return fs->EnterOperation != nullptr ? fs->EnterOperation(fs, request, response) : 0;
}

NTSTATUS FspFileSystemLeaveOperationF(FSP_FILE_SYSTEM* fs, FSP_FSCTL_TRANSACT_REQ* request,
                                      FSP_FSCTL_TRANSACT_RSP* response) {
    return fs->LeaveOperation != nullptr ? fs->LeaveOperation(fs, request, response) : 0;
}

VOID FspFileSystemSetOperationGuardF(FSP_FILE_SYSTEM* fs, FSP_FILE_SYSTEM_OPERATION_GUARD* enter,
                                     FSP_FILE_SYSTEM_OPERATION_GUARD* leave) {
    FspFileSystemSetOperationGuard(fs, enter, leave);
}

VOID FspFileSystemSetOperationGuardStrategyF(FSP_FILE_SYSTEM* fs,
                                             FSP_FILE_SYSTEM_OPERATION_GUARD_STRATEGY strategy) {
    FspFileSystemSetOperationGuardStrategy(fs, strategy);
}

VOID FspFileSystemGetDispatcherResultF(FSP_FILE_SYSTEM* fs, NTSTATUS* result) {
    *result = fs->DispatcherResult;
}

VOID FspFileSystemSetDispatcherResultF(FSP_FILE_SYSTEM* fs, NTSTATUS result) {
    if (result < 0)
        InterlockedCompareExchange(reinterpret_cast<LONG volatile*>(&fs->DispatcherResult), result, 0);
}

VOID FspFileSystemSetDebugLogF(FSP_FILE_SYSTEM* fs, UINT32 kinds) {
    FspFileSystemSetDebugLog(fs, kinds);
}

BOOLEAN FspFileSystemIsOperationCaseSensitiveF(VOID) {
    const auto* context = Dispatcher::current();
    if (context == nullptr) return FALSE;
    const FSP_FSCTL_TRANSACT_REQ& request = *context->Request;
    if (request.Kind == FspFsctlTransactCreateKind) return request.Req.Create.CaseSensitive;
    return request.Kind == FspFsctlTransactQueryDirectoryKind && request.Req.QueryDirectory.CaseSensitive;
}

UINT32 FspFileSystemOperationProcessIdF(VOID) {
    const auto* context = Dispatcher::current();
    if (context == nullptr) return 0;
    const FSP_FSCTL_TRANSACT_REQ& request = *context->Request;
    if (request.Kind == FspFsctlTransactCreateKind)
        return static_cast<UINT32>(request.Req.Create.AccessToken >> 32);
    constexpr UINT32 kRename = 10, kRenameEx = 65;
    const UINT32 what = request.Req.SetInformation.FileInformationClass;
    if (request.Kind == FspFsctlTransactSetInformationKind && (what == kRename || what == kRenameEx)) {
        return static_cast<UINT32>(request.Req.SetInformation.Info.Rename.AccessToken >> 32);
    }
    return 0;
}
}
