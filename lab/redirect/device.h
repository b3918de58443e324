// The virtio-fs device as a process under Wine sees it: which names mean the device, and the Nt calls on a
// handle that stands for it, each one truly asynchronous (STATUS_PENDING, then status block, event, APC or
// completion port). The work is done by the device host, reached over the transport; completions come on a
// thread of this process's transport client. Must never know: volumes and files, what a FUSE message says.
//
// The hooks ask is_device_name() on opens and call open(); they remember which handles stand for devices
// (Kind::kDevice) and call the others for those only. All functions are thread-safe.
#pragma once

#include <string_view>

#include "lab/redirect/completion.h"
#include "lab/redirect/device_link.h"
#include "lab/redirect/nt.h"

namespace lab::redirect::device {

// Whether a full NT name ("\??\PCI#VEN_1AF4&DEV_105A...#{a1b0cbf2-...}", any case) is one that SetupDi gives
// for one of the lab's devices.
bool is_device_name(std::u16string_view name);

struct Opened {
    NTSTATUS status;
    HANDLE handle;  // an event's: waits work, closing is the caller's; null on failure
};
// Opens the device. `access` as NtCreateFile gets it (generic rights are mapped), `options` its
// CreateOptions: with FILE_SYNCHRONOUS_IO_* every control call waits for its end.
// STATUS_OBJECT_NAME_NOT_FOUND: no device host of this session runs for it.
Opened open(std::u16string_view name, ACCESS_MASK access, ULONG options, ULONG handle_attributes);

// NtDeviceIoControlFile. STATUS_INVALID_HANDLE for a handle that is none of the device's.
NTSTATUS control(HANDLE handle, const Notice& notice, ULONG code, const void* in, ULONG in_length, void* out,
                 ULONG out_length);

// What a handle has open at the device host, for device_watch. `link` is null if it stands for no device;
// otherwise it is the caller's to release.
struct HostOpen {
    Link* link;
    std::uint32_t number;
};
HostOpen host_open_of(HANDLE handle);

// NtCancelIoFile: what the calling thread began on the handle.
NTSTATUS cancel(HANDLE handle, IO_STATUS_BLOCK* io);
// NtCancelIoFileEx: the operation with that status block, null for all; STATUS_NOT_FOUND when there is none.
NTSTATUS cancel_ex(HANDLE handle, const IO_STATUS_BLOCK* operation, IO_STATUS_BLOCK* io);

// NtDuplicateObject within this process: `copy` stands for the same open from now on.
void duplicated(HANDLE source, HANDLE copy);
// Before the handle is closed. With the last one of an open, what is in flight is cancelled (and still told).
void closing(HANDLE handle);

// NtSetInformationFile with FileCompletionInformation and FileIoCompletionNotificationInformation.
NTSTATUS associate_port(HANDLE handle, const void* buffer, ULONG bytes);
NTSTATUS set_port_flags(HANDLE handle, const void* buffer, ULONG bytes);

// NtQueryVolumeInformationFile with FileFsDeviceInformation (GetFileType asks it): FILE_DEVICE_UNKNOWN.
NTSTATUS query_device_type(HANDLE handle, IO_STATUS_BLOCK* io, void* buffer, ULONG bytes);

}  // namespace lab::redirect::device
