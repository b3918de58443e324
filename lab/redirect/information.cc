// The replacements that ask and tell about files and volumes: information classes, renames, directory
// listings.
#include <cstring>

#include "lab/redirect/calls.h"
#include "lab/redirect/device.h"
#include "lab/redirect/files.h"
#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/originals.h"

namespace lab::redirect {
namespace {

// Larger buffers are filled up to here: no information structure is longer.
constexpr ULONG kMaxInformation = kChunkBytes;

ULONG clamp(ULONG bytes) {
    return bytes < kMaxInformation ? bytes : kMaxInformation;
}

// Sends a query whose answer goes to the program's buffer.
struct Answer {
    NTSTATUS status;
    std::uint64_t information;
};
Answer ask(ServerCall& call, std::size_t payload_bytes, void* buffer, ULONG length) {
    call.request().length = clamp(length);
    const NTSTATUS status = call.exchange(payload_bytes);
    if (is_error(status)) return {status, call.reply().information};
    const auto data = call.reply_payload();
    if (data.size() > length) return {to_ntstatus(nt::Status::kInternalError), 0};
    if (!guarded_copy(buffer, data.data(), data.size())) return {STATUS_ACCESS_VIOLATION, 0};
    return {status, call.reply().information};
}

// Sends the program's buffer.
NTSTATUS tell(ServerCall& call, const void* buffer, ULONG length) {
    if (length > kMaxInformation) return STATUS_INVALID_PARAMETER;
    if (call.payload().size() < length) return call.exchange();
    if (!guarded_copy(call.payload().data(), buffer, length)) return STATUS_ACCESS_VIOLATION;
    return call.exchange(length);
}

bool is_rename(ULONG information_class) {
    return information_class == info::kRename || information_class == info::kRenameEx;
}
bool is_link(ULONG information_class) {
    return information_class == info::kLink || information_class == info::kLinkEx;
}

struct NewName {
    RenameInformation fixed{};
    // As the program gave it, in its memory.
    UNICODE_STRING text{};
    Target target;
};

NTSTATUS read_new_name(NewName& name, void* buffer, ULONG length) {
    if (length < sizeof(RenameInformation)) return STATUS_INFO_LENGTH_MISMATCH;
    if (!guarded_read(name.fixed, buffer)) return STATUS_ACCESS_VIOLATION;
    const ULONG bytes = name.fixed.name_bytes;
    if (bytes > length - kRenameNameOffset || bytes > 0xFFFE || bytes % 2) return STATUS_INVALID_PARAMETER;
    name.text.Buffer = reinterpret_cast<wchar_t*>(static_cast<std::byte*>(buffer) + kRenameNameOffset);
    name.text.Length = name.text.MaximumLength = static_cast<USHORT>(bytes);
    OBJECT_ATTRIBUTES attributes{};
    attributes.Length = sizeof(attributes);
    attributes.RootDirectory = name.fixed.root;
    attributes.ObjectName = &name.text;
    name.target = resolve(&attributes);
    return STATUS_SUCCESS;
}

// No path: it stays in the file's own directory. An empty name is for the server to refuse.
bool is_bare(const UNICODE_STRING& text) {
    char16_t first = 0;
    return text.Length == 0 || (guarded_read(first, text.Buffer) && first != u'\\');
}

NTSTATUS rename(Tag file, ULONG information_class, void* buffer, ULONG length) {
    NewName name;
    const NTSTATUS status = read_new_name(name, buffer, length);
    if (is_error(status)) return status;
    ServerCall call(file.mount(), Operation::kRename, file.number());
    RequestHead& head = call.request();
    if (information_class == info::kRenameEx) {
        head.flags = request_flag::kExtended;
        head.rename_flags = name.fixed.flags;
    } else if (name.fixed.flags & 0xFF) {
        head.flags = request_flag::kReplace;
    }
    if (name.target.where == Target::Where::kVolume) {
        if (name.target.mount != file.mount()) return STATUS_NOT_SAME_DEVICE;
    } else if (!name.fixed.root && is_bare(name.text)) {
        name.target.where = Target::Where::kVolume;
        name.target.name = reinterpret_cast<const char16_t*>(name.text.Buffer);
        name.target.name_chars = name.text.Length / 2;
    } else {
        return STATUS_NOT_SAME_DEVICE;
    }
    const NamePlaced placed = place_name(call, name.target);
    return is_error(placed.status) ? placed.status : call.exchange(placed.bytes);
}

// A real file renamed or linked to a name on an emulated volume.
bool leads_to_volume(void* buffer, ULONG length) {
    NewName name;
    return read_new_name(name, buffer, length) >= 0 && name.target.where != Target::Where::kForeign;
}

}  // namespace

namespace hook {

NTSTATUS NTAPI NtQueryInformationFile(HANDLE handle, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                      FILE_INFORMATION_CLASS information_class) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file())
        return originals().NtQueryInformationFile(handle, io, buffer, length, information_class);
    ServerCall call(tag.mount(), Operation::kQueryInformation, tag.number());
    call.request().code = information_class;
    const Answer answer = ask(call, 0, buffer, length);
    return complete(io, answer.status, answer.information);
}

NTSTATUS NTAPI NtSetInformationFile(HANDLE handle, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                    FILE_INFORMATION_CLASS information_class) {
    const Tag tag = tag_of(handle);
    const ULONG code = information_class;
    if (tag.kind() == Kind::kDevice) {
        if (code == info::kCompletion) return complete(io, device::associate_port(handle, buffer, length), 0);
        if (code == info::kCompletionNotification) {
            return complete(io, device::set_port_flags(handle, buffer, length), 0);
        }
    }
    if (!tag.is_file()) {
        if ((is_rename(code) || is_link(code)) && leads_to_volume(buffer, length)) {
            return complete(io, STATUS_NOT_SAME_DEVICE, 0);
        }
        return originals().NtSetInformationFile(handle, io, buffer, length, information_class);
    }
    if (is_rename(code)) return complete(io, rename(tag, code, buffer, length), 0);
    if (code == info::kCompletion) return complete(io, associate_port(handle, tag, buffer, length), 0);
    if (code == info::kCompletionNotification) return complete(io, set_port_flags(tag, buffer, length), 0);
    ServerCall call(tag.mount(), Operation::kSetInformation, tag.number());
    call.request().code = code;
    return complete(io, tell(call, buffer, length), 0);
}

NTSTATUS NTAPI NtQueryVolumeInformationFile(HANDLE handle, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                            FS_INFORMATION_CLASS information_class) {
    const Tag tag = tag_of(handle);
    if (tag.kind() == Kind::kDevice && static_cast<ULONG>(information_class) == info::kFsDevice) {
        return device::query_device_type(handle, io, buffer, length);
    }
    if (!tag.is_file()) {
        return originals().NtQueryVolumeInformationFile(handle, io, buffer, length, information_class);
    }
    const ULONG code = information_class;
    ServerCall call(tag.mount(), Operation::kQueryVolume, tag.number());
    call.request().code = code;
    const Answer answer = ask(call, 0, buffer, length);
    if (code == info::kFsDevice && !is_error(answer.status)) {
        // Wine's GetDriveType does not know FILE_DEVICE_DISK, which is what such a volume says.
        if (!guarded_write(buffer, kFileDeviceDiskFileSystem)) return STATUS_ACCESS_VIOLATION;
    }
    return complete(io, answer.status, answer.information);
}

NTSTATUS NTAPI NtSetVolumeInformationFile(HANDLE handle, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                          FILE_INFORMATION_CLASS information_class) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file())
        return originals().NtSetVolumeInformationFile(handle, io, buffer, length, information_class);
    ServerCall call(tag.mount(), Operation::kSetVolume, tag.number());
    call.request().code = information_class;
    return complete(io, tell(call, buffer, length), 0);
}

NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
                                    PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                    FILE_INFORMATION_CLASS information_class, BOOLEAN single_entry,
                                    PUNICODE_STRING pattern, BOOLEAN restart_scan) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file()) {
        return originals().NtQueryDirectoryFile(handle, event, apc, apc_context, io, buffer, length,
                                                information_class, single_entry, pattern, restart_scan);
    }
    ServerCall call(tag.mount(), Operation::kQueryDirectory, tag.number());
    RequestHead& head = call.request();
    head.code = information_class;
    if (single_entry) head.flags |= request_flag::kSingleEntry;
    if (restart_scan) head.flags |= request_flag::kRestartScan;
    UNICODE_STRING text{};
    if (pattern) {
        if (!guarded_read(text, pattern)) return STATUS_ACCESS_VIOLATION;
        head.flags |= request_flag::kHasPattern;
        if (text.Length > call.payload().size()) return call.exchange();
        if (!guarded_copy(call.payload().data(), text.Buffer, text.Length)) return STATUS_ACCESS_VIOLATION;
    }
    const Answer answer = ask(call, text.Length, buffer, length);
    return complete(tag, {event, apc, apc_context, io}, answer.status, answer.information);
}

}  // namespace hook
}  // namespace lab::redirect
