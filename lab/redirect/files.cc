#include "lab/redirect/files.h"

#include <cstring>

#include "lab/redirect/calls.h"
#include "lab/redirect/device.h"
#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/kernelbase.h"
#include "lab/redirect/originals.h"
#include "lab/redirect/sections.h"

namespace lab::redirect {

NamePlaced place_name(ServerCall& call, const Target& target) {
    if (target.where == Target::Where::kBadName) return {STATUS_OBJECT_NAME_INVALID, 0};
    const std::size_t bytes = target.name_chars * 2;
    // Without a server there is no room and exchange() says so.
    if (bytes > call.payload().size()) return {STATUS_SUCCESS, 0};
    if (!guarded_copy(call.payload().data(), target.name, bytes)) return {STATUS_ACCESS_VIOLATION, 0};
    if (target.root.is_file()) call.request().related = target.root.number();
    return {STATUS_SUCCESS, bytes};
}

OpenedFile open_on_volume(const Target& target, const OpenRequest& request) {
    ServerCall call(target.mount, Operation::kCreate);
    RequestHead& head = call.request();
    head.flags = request.has_ea ? request_flag::kHasEa : 0;
    head.desired_access = request.access;
    head.attributes = request.attributes;
    head.share_access = request.share;
    head.disposition = request.disposition;
    head.options = request.options;
    head.handle_attributes = request.handle_attributes & OBJ_INHERIT;
    head.allocation_size = request.allocation_size;
    const NamePlaced name = place_name(call, target);
    if (is_error(name.status)) return {name.status, nullptr, 0};
    NTSTATUS status = call.exchange(name.bytes);
    const ReplyHead& reply = call.reply();
    // A reparse point that nobody resolves is no success although the code looks like one.
    if (status == to_ntstatus(nt::Status::kReparse))
        status = to_ntstatus(nt::Status::kIoReparseTagNotHandled);
    if (is_error(status)) return {status, nullptr, reply.information};
    const auto handle = reinterpret_cast<HANDLE>(reply.handle);
    set_tag(handle, Tag(reply.tag));
    return {status, handle, reply.information};
}

void handle_closed(Tag file) {
    ServerCall call(file.mount(), Operation::kHandleClosed, file.number());
    call.exchange();
}

void close_files_at_exit() {
    for (HANDLE handle = next_file_handle(nullptr); handle; handle = next_file_handle(handle)) {
        forget_handle(handle);
        originals().NtClose(handle);
    }
    report_dead_process();
}

void report_dead_process() {
    for (unsigned mount = 0; mount < kMaxMounts; ++mount) {
        if (mounts().is_live(mount)) note_process_end(mount);
    }
}

Transfer read_file(Tag file, void* buffer, std::uint64_t bytes, std::optional<std::uint64_t> offset) {
    std::uint64_t done = 0;
    do {
        const std::uint64_t wanted = bytes - done < kChunkBytes ? bytes - done : kChunkBytes;
        ServerCall call(file.mount(), Operation::kRead, file.number());
        call.request().length = static_cast<std::uint32_t>(wanted);
        if (offset) {
            call.request().flags = request_flag::kHasOffset;
            call.request().offset = *offset + done;
        }
        const NTSTATUS status = call.exchange();
        // What came before the end or an error counts.
        if (is_error(status)) return done ? Transfer{STATUS_SUCCESS, done} : Transfer{status, 0};
        const auto data = call.reply_payload();
        if (data.size() > wanted) return {to_ntstatus(nt::Status::kInternalError), 0};
        if (!guarded_copy(static_cast<std::byte*>(buffer) + done, data.data(), data.size())) {
            return {STATUS_ACCESS_VIOLATION, 0};
        }
        done += data.size();
        if (data.size() < wanted) break;
    } while (done < bytes);
    return {STATUS_SUCCESS, done};
}

Transfer write_file(Tag file, const void* buffer, std::uint64_t bytes, std::optional<std::uint64_t> offset) {
    // FILE_WRITE_TO_END_OF_FILE: each part is appended.
    const bool append = offset == ~std::uint64_t{0};
    std::uint64_t done = 0;
    do {
        const std::uint64_t wanted = bytes - done < kChunkBytes ? bytes - done : kChunkBytes;
        ServerCall call(file.mount(), Operation::kWrite, file.number());
        if (offset) {
            call.request().flags = request_flag::kHasOffset;
            call.request().offset = append ? *offset : *offset + done;
        }
        if (call.payload().size() < wanted) return {call.exchange(), 0};
        if (!guarded_copy(call.payload().data(), static_cast<const std::byte*>(buffer) + done, wanted)) {
            return {STATUS_ACCESS_VIOLATION, done};
        }
        const NTSTATUS status = call.exchange(wanted);
        if (is_error(status)) return {status, done};
        if (call.reply().information > wanted) return {to_ntstatus(nt::Status::kInternalError), done};
        done += call.reply().information;
        if (call.reply().information < wanted) break;
    } while (done < bytes);
    return {STATUS_SUCCESS, done};
}

NTSTATUS query_file(Tag file, ULONG information_class, void* buffer, ULONG bytes) {
    ServerCall call(file.mount(), Operation::kQueryInformation, file.number());
    call.request().code = information_class;
    call.request().length = bytes;
    const NTSTATUS status = call.exchange();
    if (is_error(status)) return status;
    if (call.reply_payload().size() != bytes) return to_ntstatus(nt::Status::kInternalError);
    std::memcpy(buffer, call.reply_payload().data(), bytes);
    return status;
}

NTSTATUS set_end_of_file(Tag file, std::uint64_t bytes) {
    ServerCall call(file.mount(), Operation::kSetInformation, file.number());
    call.request().code = info::kEndOfFile;
    if (call.payload().size() < sizeof(bytes)) return call.exchange();
    std::memcpy(call.payload().data(), &bytes, sizeof(bytes));
    return call.exchange(sizeof(bytes));
}

namespace {

std::optional<HANDLE> store_handle(HANDLE* where, HANDLE handle) {
    if (guarded_write(where, handle)) return handle;
    hook::NtClose(handle);
    return std::nullopt;
}

NTSTATUS create(HANDLE* handle, IO_STATUS_BLOCK* io, const Target& target, const OpenRequest& request) {
    const OpenedFile opened = open_on_volume(target, request);
    if (is_error(opened.status)) return complete(io, opened.status, opened.information);
    if (!store_handle(handle, opened.handle)) return STATUS_ACCESS_VIOLATION;
    return complete(io, opened.status, opened.information);
}

ULONG handle_attributes_of(const OBJECT_ATTRIBUTES* attributes) {
    OBJECT_ATTRIBUTES copy{};
    return guarded_read(copy, attributes) ? copy.Attributes : 0;
}

// A handle that a real call returned belongs to no volume; saves looking at it.
NTSTATUS mark_foreign(NTSTATUS status, HANDLE* handle) {
    HANDLE value = nullptr;
    if (!is_error(status) && guarded_read(value, handle)) set_tag(value, Tag::of(Kind::kForeign));
    return status;
}

// Opens on neither a volume nor a device are NT's own.
std::optional<NTSTATUS> open_if_device(HANDLE* handle, ACCESS_MASK access,
                                       const OBJECT_ATTRIBUTES* attributes, IO_STATUS_BLOCK* io,
                                       ULONG options) {
    const auto name = device_named(attributes);
    if (!name) return std::nullopt;
    const device::Opened opened =
        device::open(name->view(), access, options, handle_attributes_of(attributes));
    if (is_error(opened.status)) return complete(io, opened.status, 0);
    set_tag(opened.handle, Tag::of(Kind::kDevice));
    if (!store_handle(handle, opened.handle)) return STATUS_ACCESS_VIOLATION;
    return complete(io, opened.status, FILE_OPENED);
}

NTSTATUS query_by_name(const Target& target, ULONG information_class, void* buffer, std::size_t bytes) {
    ServerCall call(target.mount, Operation::kQueryByName);
    call.request().code = information_class;
    call.request().length = static_cast<std::uint32_t>(bytes);
    const NamePlaced name = place_name(call, target);
    if (is_error(name.status)) return name.status;
    const NTSTATUS status = call.exchange(name.bytes);
    if (is_error(status)) return status;
    if (call.reply_payload().size() != bytes) return to_ntstatus(nt::Status::kInternalError);
    return guarded_copy(buffer, call.reply_payload().data(), bytes) ? status : STATUS_ACCESS_VIOLATION;
}

}  // namespace

namespace hook {

NTSTATUS NTAPI NtCreateFile(PHANDLE handle, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes,
                            PIO_STATUS_BLOCK io, PLARGE_INTEGER allocation_size, ULONG file_attributes,
                            ULONG share, ULONG disposition, ULONG options, PVOID ea, ULONG ea_length) {
    const Target target = resolve(attributes);
    if (target.where == Target::Where::kForeign) {
        if (const auto status = open_if_device(handle, access, attributes, io, options)) return *status;
        return mark_foreign(
            originals().NtCreateFile(handle, access, attributes, io, allocation_size, file_attributes, share,
                                     disposition, options, ea, ea_length),
            handle);
    }
    LARGE_INTEGER allocation{};
    if (allocation_size && !guarded_read(allocation, allocation_size)) return STATUS_ACCESS_VIOLATION;
    return create(handle, io, target,
                  {.access = access,
                   .allocation_size = static_cast<std::uint64_t>(allocation.QuadPart),
                   .attributes = file_attributes,
                   .share = share,
                   .disposition = disposition,
                   .options = options_as_windows_asks(options, __builtin_return_address(0)),
                   .handle_attributes = handle_attributes_of(attributes),
                   .has_ea = ea && ea_length});
}

NTSTATUS NTAPI NtOpenFile(PHANDLE handle, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes,
                          PIO_STATUS_BLOCK io, ULONG share, ULONG options) {
    const Target target = resolve(attributes);
    if (target.where == Target::Where::kForeign) {
        if (const auto status = open_if_device(handle, access, attributes, io, options)) return *status;
        return mark_foreign(originals().NtOpenFile(handle, access, attributes, io, share, options), handle);
    }
    const OpenAs as = as_windows_opens({access, options}, share, __builtin_return_address(0));
    return create(handle, io, target,
                  {.access = as.access,
                   .share = share,
                   .options = as.options,
                   .handle_attributes = handle_attributes_of(attributes)});
}

NTSTATUS NTAPI NtClose(HANDLE handle) {
    const Tag tag = forget_handle(handle);
    if (tag.kind() == Kind::kDevice) device::closing(handle);
    const NTSTATUS status = originals().NtClose(handle);
    if (is_error(status) || status == STATUS_HANDLE_NOT_CLOSABLE) {
        if (tag.is_file() || tag.kind() == Kind::kSection) set_tag(handle, tag);
        return status;
    }
    if (tag.is_file()) {
        if (tag.has_port()) forget_port(tag);
        handle_closed(tag);
    }
    if (tag.kind() == Kind::kSection) release_section(tag);
    return status;
}

NTSTATUS NTAPI NtQueryAttributesFile(const OBJECT_ATTRIBUTES* attributes, void* buffer) {
    const Target target = resolve(attributes);
    if (target.where == Target::Where::kForeign) return originals().NtQueryAttributesFile(attributes, buffer);
    return query_by_name(target, info::kBasic, buffer, sizeof(BasicInformation));
}

NTSTATUS NTAPI NtQueryFullAttributesFile(const OBJECT_ATTRIBUTES* attributes, void* buffer) {
    const Target target = resolve(attributes);
    if (target.where == Target::Where::kForeign)
        return originals().NtQueryFullAttributesFile(attributes, buffer);
    return query_by_name(target, info::kNetworkOpen, buffer, sizeof(NetworkOpenInformation));
}

NTSTATUS NTAPI NtDeleteFile(POBJECT_ATTRIBUTES attributes) {
    const Target target = resolve(attributes);
    if (target.where == Target::Where::kForeign) return originals().NtDeleteFile(attributes);
    ServerCall call(target.mount, Operation::kDeleteByName);
    const NamePlaced name = place_name(call, target);
    return is_error(name.status) ? name.status : call.exchange(name.bytes);
}

}  // namespace hook
}  // namespace lab::redirect
