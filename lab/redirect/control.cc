// The replacements for control codes, cancellation, security, extended attributes and change notification.
#include <cstring>

#include "lab/redirect/calls.h"
#include "lab/redirect/device.h"
#include "lab/redirect/files.h"
#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/originals.h"

namespace lab::redirect {
namespace {

// Self-relative, owner and group Everyone (S-1-1-0), no DACL: what NT makes up for a file system without
// security.
struct WorldDescriptor {
    std::uint8_t revision = 1;
    std::uint8_t padding = 0;
    std::uint16_t control = 0x8000;  // SE_SELF_RELATIVE
    std::uint32_t owner = 0;
    std::uint32_t group = 0;
    std::uint32_t sacl = 0;
    std::uint32_t dacl = 0;
    std::uint8_t world[12] = {1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
};
static_assert(sizeof(WorldDescriptor) == 32);

}  // namespace

namespace hook {

NTSTATUS NTAPI NtFsControlFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
                               PIO_STATUS_BLOCK io, ULONG code, PVOID in, ULONG in_length, PVOID out,
                               ULONG out_length) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file()) {
        return originals().NtFsControlFile(handle, event, apc, apc_context, io, code, in, in_length, out,
                                           out_length);
    }
    ServerCall call(tag.mount(), Operation::kFsControl, tag.number());
    call.request().code = code;
    call.request().length = out_length < kChunkBytes ? out_length : kChunkBytes;
    if (in_length > kChunkBytes) return STATUS_INVALID_PARAMETER;
    if (call.payload().size() < in_length) return call.exchange();
    if (!guarded_copy(call.payload().data(), in, in_length)) return STATUS_ACCESS_VIOLATION;
    const NTSTATUS status = call.exchange(in_length);
    const auto data = call.reply_payload();
    if (!is_error(status)) {
        if (data.size() > out_length) return to_ntstatus(nt::Status::kInternalError);
        if (!guarded_copy(out, data.data(), data.size())) return STATUS_ACCESS_VIOLATION;
    }
    return complete(tag, {event, apc, apc_context, io}, status, call.reply().information);
}

NTSTATUS NTAPI NtDeviceIoControlFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
                                     PIO_STATUS_BLOCK io, ULONG code, PVOID in, ULONG in_length, PVOID out,
                                     ULONG out_length) {
    // Device control is frequent on Wine's own handles (sockets, consoles): looked at once, then one load.
    const Tag tag = tag_of(handle);
    if (tag.is_file()) return complete(io, STATUS_INVALID_DEVICE_REQUEST, 0);
    if (tag.kind() == Kind::kDevice) {
        return device::control(handle, {event, apc, apc_context, io}, code, in, in_length, out, out_length);
    }
    return originals().NtDeviceIoControlFile(handle, event, apc, apc_context, io, code, in, in_length, out,
                                             out_length);
}

// Everything on a file has completed when its call returns: there is nothing to cancel.
NTSTATUS NTAPI NtCancelIoFile(HANDLE handle, PIO_STATUS_BLOCK io) {
    const Tag tag = tag_of(handle);
    if (tag.is_file()) return complete(io, STATUS_SUCCESS, 0);
    if (tag.kind() == Kind::kDevice) return device::cancel(handle, io);
    return originals().NtCancelIoFile(handle, io);
}

NTSTATUS NTAPI NtCancelIoFileEx(HANDLE handle, PIO_STATUS_BLOCK operation, PIO_STATUS_BLOCK io) {
    const Tag tag = tag_of(handle);
    if (tag.is_file()) return complete(io, kStatusNotFound, 0);
    if (tag.kind() == Kind::kDevice) return device::cancel_ex(handle, operation, io);
    return originals().NtCancelIoFileEx(handle, operation, io);
}

NTSTATUS NTAPI NtQueryEaFile(HANDLE handle, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, BOOLEAN single,
                             PVOID list, ULONG list_length, PULONG index, BOOLEAN restart) {
    if (!tag_of(handle).is_file()) {
        return originals().NtQueryEaFile(handle, io, buffer, length, single, list, list_length, index,
                                         restart);
    }
    return complete(io, to_ntstatus(nt::Status::kEasNotSupported), 0);
}

NTSTATUS NTAPI NtSetEaFile(HANDLE handle, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length) {
    if (!tag_of(handle).is_file()) return originals().NtSetEaFile(handle, io, buffer, length);
    return complete(io, to_ntstatus(nt::Status::kEasNotSupported), 0);
}

// The model has no change notification yet.
NTSTATUS NTAPI NtNotifyChangeDirectoryFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc,
                                           PVOID apc_context, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                           ULONG filter, BOOLEAN tree) {
    if (!tag_of(handle).is_file()) {
        return originals().NtNotifyChangeDirectoryFile(handle, event, apc, apc_context, io, buffer, length,
                                                       filter, tree);
    }
    return complete(io, STATUS_NOT_SUPPORTED, 0);
}

// The model has no security yet: the answers are those NT's I/O manager makes up for such file systems.
NTSTATUS NTAPI NtQuerySecurityObject(HANDLE handle, SECURITY_INFORMATION wanted, PSECURITY_DESCRIPTOR buffer,
                                     ULONG length, PULONG needed) {
    if (!tag_of(handle).is_file()) {
        return originals().NtQuerySecurityObject(handle, wanted, buffer, length, needed);
    }
    WorldDescriptor descriptor;
    if (wanted & OWNER_SECURITY_INFORMATION) descriptor.owner = offsetof(WorldDescriptor, world);
    if (wanted & GROUP_SECURITY_INFORMATION) descriptor.group = offsetof(WorldDescriptor, world);
    if (!guarded_write(needed, static_cast<ULONG>(sizeof(descriptor)))) return STATUS_ACCESS_VIOLATION;
    if (length < sizeof(descriptor)) return STATUS_BUFFER_TOO_SMALL;
    return guarded_write(buffer, descriptor) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

NTSTATUS NTAPI NtSetSecurityObject(HANDLE handle, SECURITY_INFORMATION which,
                                   PSECURITY_DESCRIPTOR descriptor) {
    if (!tag_of(handle).is_file()) return originals().NtSetSecurityObject(handle, which, descriptor);
    return STATUS_SUCCESS;
}

}  // namespace hook
}  // namespace lab::redirect
