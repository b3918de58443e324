// Exports that the lab does not model: each says so once a call and answers STATUS_NOT_IMPLEMENTED (or
// nothing where it has no status to answer with), so that a program that needs one fails in a way that can be
// understood.
#include <windows.h>
#include <winternl.h>

#include <string>

#include "lab/winfsp/log.h"
#include "nt/status.h"

namespace {

NTSTATUS not_modelled(const char* name) {
    lab::winfsp::complain(std::string("winfsp-x64.dll (lab): ") + name + " is not modelled");
    return static_cast<NTSTATUS>(nt::Status::kNotImplemented);
}

}  // namespace

// The caller's arguments stay untouched: on x64 the callee need not know them. Where a pointer or a BOOLEAN
// is expected the result reads as none or FALSE.
#define NOT_MODELLED(name)          \
    extern "C" NTSTATUS name() {    \
        return not_modelled(#name); \
    }
#define NOT_MODELLED_NO_RESULT(name) \
    extern "C" ULONG_PTR name() {    \
        not_modelled(#name);         \
        return 0;                    \
    }

NOT_MODELLED(FspFileSystemNotifyBegin)
NOT_MODELLED(FspFileSystemNotifyEnd)
NOT_MODELLED(FspFileSystemNotify)
NOT_MODELLED(FspFileSystemEnumerateEa)
NOT_MODELLED(FspFileSystemOpCreate)
NOT_MODELLED(FspFileSystemOpOverwrite)
NOT_MODELLED(FspFileSystemOpCleanup)
NOT_MODELLED(FspFileSystemOpClose)
NOT_MODELLED(FspFileSystemOpRead)
NOT_MODELLED(FspFileSystemOpWrite)
NOT_MODELLED(FspFileSystemOpQueryInformation)
NOT_MODELLED(FspFileSystemOpSetInformation)
NOT_MODELLED(FspFileSystemOpQueryEa)
NOT_MODELLED(FspFileSystemOpSetEa)
NOT_MODELLED(FspFileSystemOpFlushBuffers)
NOT_MODELLED(FspFileSystemOpQueryVolumeInformation)
NOT_MODELLED(FspFileSystemOpSetVolumeInformation)
NOT_MODELLED(FspFileSystemOpQueryDirectory)
NOT_MODELLED(FspFileSystemOpFileSystemControl)
NOT_MODELLED(FspFileSystemOpDeviceControl)
NOT_MODELLED(FspFileSystemOpQuerySecurity)
NOT_MODELLED(FspFileSystemOpSetSecurity)
NOT_MODELLED(FspFileSystemOpQueryStreamInformation)
NOT_MODELLED(FspAccessCheckEx)
NOT_MODELLED(FspCreateSecurityDescriptor)
NOT_MODELLED(FspSetSecurityDescriptor)
NOT_MODELLED(FspPosixSetUidMap)
NOT_MODELLED(FspPosixMapUidToSid)
NOT_MODELLED(FspPosixMapSidToUid)
NOT_MODELLED(FspPosixMapPermissionsToSecurityDescriptor)
NOT_MODELLED(FspPosixMergePermissionsToSecurityDescriptor)
NOT_MODELLED(FspPosixMapSecurityDescriptorToPermissions)
NOT_MODELLED(FspPosixMapWindowsToPosixPathEx)
NOT_MODELLED(FspPosixMapPosixToWindowsPathEx)
NOT_MODELLED(FspServiceContextCheck)
NOT_MODELLED(FspCallNamedPipeSecurely)
NOT_MODELLED(FspCallNamedPipeSecurelyEx)
NOT_MODELLED(FspMountSet)
NOT_MODELLED(FspMountRemove)
NOT_MODELLED(FspFsctlCreateVolume)
NOT_MODELLED(FspFsctlMakeMountdev)
NOT_MODELLED(FspFsctlUseMountmgr)
NOT_MODELLED(FspFsctlTransact)
NOT_MODELLED(FspFsctlStop)
NOT_MODELLED(FspFsctlStop0)
NOT_MODELLED(FspFsctlNotify)
NOT_MODELLED(FspFsctlGetVolumeList)
NOT_MODELLED(FspFsctlPreflight)
NOT_MODELLED(FspFsctlServiceVersion)
NOT_MODELLED(FspFsctlStartService)
NOT_MODELLED(FspFsctlStopService)
NOT_MODELLED(FspFsctlEnumServices)
NOT_MODELLED(FspLaunchCallLauncherPipe)
NOT_MODELLED(FspLaunchCallLauncherPipeEx)
NOT_MODELLED(FspLaunchStart)
NOT_MODELLED(FspLaunchStartEx)
NOT_MODELLED(FspLaunchStop)
NOT_MODELLED(FspLaunchGetInfo)
NOT_MODELLED(FspLaunchGetNameList)
NOT_MODELLED(FspLaunchRegSetRecord)
NOT_MODELLED(FspLaunchRegGetRecord)

NOT_MODELLED_NO_RESULT(FspFileSystemAddEa)
NOT_MODELLED_NO_RESULT(FspFileSystemAddNotifyInfo)
NOT_MODELLED_NO_RESULT(FspFileSystemSetOperationF)
NOT_MODELLED_NO_RESULT(FspGetFileGenericMapping)
NOT_MODELLED_NO_RESULT(FspDeleteSecurityDescriptor)
NOT_MODELLED_NO_RESULT(FspDeleteSid)
NOT_MODELLED_NO_RESULT(FspPosixDeletePath)
NOT_MODELLED_NO_RESULT(FspPosixEncodeWindowsPath)
NOT_MODELLED_NO_RESULT(FspPosixDecodeWindowsPath)
NOT_MODELLED_NO_RESULT(FspPathPrefix)
NOT_MODELLED_NO_RESULT(FspPathSuffix)
NOT_MODELLED_NO_RESULT(FspPathCombine)
NOT_MODELLED_NO_RESULT(FspDebugLogSD)
NOT_MODELLED_NO_RESULT(FspDebugLogSid)
NOT_MODELLED_NO_RESULT(FspDebugLogFT)
NOT_MODELLED_NO_RESULT(FspDebugLogRequest)
NOT_MODELLED_NO_RESULT(FspDebugLogResponse)
NOT_MODELLED_NO_RESULT(FspLaunchRegFreeRecord)
