// The Nt functions that are replaced, each with its replacement and the way to call the real one.
// Must never know: how the replacement is done.
#pragma once

#include "lab/redirect/nt.h"

#define LAB_REDIRECT_HOOKS(X)       \
    X(NtCreateFile)                 \
    X(NtOpenFile)                   \
    X(NtClose)                      \
    X(NtReadFile)                   \
    X(NtWriteFile)                  \
    X(NtReadFileScatter)            \
    X(NtWriteFileGather)            \
    X(NtQueryInformationFile)       \
    X(NtSetInformationFile)         \
    X(NtQueryDirectoryFile)         \
    X(NtQueryVolumeInformationFile) \
    X(NtSetVolumeInformationFile)   \
    X(NtQueryAttributesFile)        \
    X(NtQueryFullAttributesFile)    \
    X(NtDeleteFile)                 \
    X(NtFlushBuffersFile)           \
    X(NtFsControlFile)              \
    X(NtDeviceIoControlFile)        \
    X(NtCancelIoFile)               \
    X(NtCancelIoFileEx)             \
    X(NtLockFile)                   \
    X(NtUnlockFile)                 \
    X(NtQueryEaFile)                \
    X(NtSetEaFile)                  \
    X(NtNotifyChangeDirectoryFile)  \
    X(NtQuerySecurityObject)        \
    X(NtSetSecurityObject)          \
    X(NtDuplicateObject)            \
    X(NtQueryObject)                \
    X(NtCreateSection)              \
    X(NtMapViewOfSection)           \
    X(NtUnmapViewOfSection)         \
    X(NtFlushVirtualMemory)         \
    X(NtCreateUserProcess)          \
    X(NtTerminateProcess)

namespace lab::redirect {

// The real functions. Filled before the first replacement is in place, constant afterwards.
struct Originals {
#define X(name) decltype(&::name) name = nullptr;
    LAB_REDIRECT_HOOKS(X)
#undef X
};
const Originals& originals();

// Replaces all of them in this process. False: ntdll's functions do not look as expected; nothing was
// replaced.
bool install_hooks();

// Replaces a whole function for good: the old one cannot be called any more. False if there is none.
bool replace_function(void* function, const void* replacement);

// The replacements, defined in the files of their subjects.
namespace hook {
#define X(name) decltype(::name) name;
LAB_REDIRECT_HOOKS(X)
#undef X
}  // namespace hook

}  // namespace lab::redirect
