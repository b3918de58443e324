// The replacements that move file data: read, write, their page-wise forms, flush, byte-range locks.
#include "lab/redirect/calls.h"
#include "lab/redirect/files.h"
#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/originals.h"

namespace lab::redirect {
namespace {

constexpr std::size_t kPageBytes = 4096;

struct Position {
    NTSTATUS status = STATUS_SUCCESS;
    std::optional<std::uint64_t> offset;
};

// FILE_USE_FILE_POINTER_POSITION is {-2, -1}; FILE_WRITE_TO_END_OF_FILE {-1, -1} is the server's to judge.
Position position(Tag file, const LARGE_INTEGER* byte_offset) {
    LARGE_INTEGER given{};
    if (byte_offset && !guarded_read(given, byte_offset)) return {STATUS_ACCESS_VIOLATION, std::nullopt};
    if (byte_offset && given.QuadPart != -2)
        return {STATUS_SUCCESS, static_cast<std::uint64_t>(given.QuadPart)};
    if (!file.synchronous()) return {STATUS_INVALID_PARAMETER, std::nullopt};
    return {};
}

// Scatter and gather: one page per element, all at the given place.
template <typename Step>
Transfer page_by_page(const FILE_SEGMENT_ELEMENT* segments, ULONG bytes, std::uint64_t offset, Step step) {
    std::uint64_t done = 0;
    while (done < bytes) {
        FILE_SEGMENT_ELEMENT segment{};
        if (!guarded_read(segment, segments + done / kPageBytes)) return {STATUS_ACCESS_VIOLATION, done};
        const std::uint64_t wanted = bytes - done < kPageBytes ? bytes - done : kPageBytes;
        const Transfer part = step(segment.Buffer, wanted, offset + done);
        if (is_error(part.status)) {
            if (done && part.status == to_ntstatus(nt::Status::kEndOfFile)) break;
            return {part.status, done};
        }
        done += part.bytes;
        if (part.bytes < wanted) break;
    }
    return {STATUS_SUCCESS, done};
}

}  // namespace

namespace hook {

NTSTATUS NTAPI NtReadFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
                          PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, PLARGE_INTEGER byte_offset,
                          PULONG key) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file()) {
        return originals().NtReadFile(handle, event, apc, apc_context, io, buffer, length, byte_offset, key);
    }
    const Position where = position(tag, byte_offset);
    if (is_error(where.status)) return where.status;
    const Transfer done = read_file(tag, buffer, length, where.offset);
    return complete(tag, {event, apc, apc_context, io}, done.status, done.bytes);
}

NTSTATUS NTAPI NtWriteFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
                           PIO_STATUS_BLOCK io, const void* buffer, ULONG length, PLARGE_INTEGER byte_offset,
                           PULONG key) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file()) {
        return originals().NtWriteFile(handle, event, apc, apc_context, io, buffer, length, byte_offset, key);
    }
    const Position where = position(tag, byte_offset);
    if (is_error(where.status)) return where.status;
    const Transfer done = write_file(tag, buffer, length, where.offset);
    return complete(tag, {event, apc, apc_context, io}, done.status, done.bytes);
}

NTSTATUS NTAPI NtReadFileScatter(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
                                 PIO_STATUS_BLOCK io, FILE_SEGMENT_ELEMENT* segments, ULONG length,
                                 PLARGE_INTEGER byte_offset, PULONG key) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file()) {
        return originals().NtReadFileScatter(handle, event, apc, apc_context, io, segments, length,
                                             byte_offset, key);
    }
    const Position where = position(tag, byte_offset);
    if (is_error(where.status)) return where.status;
    if (!where.offset) return STATUS_INVALID_PARAMETER;
    const Transfer done = page_by_page(segments, length, *where.offset,
                                       [tag](void* page, std::uint64_t bytes, std::uint64_t offset) {
                                           return read_file(tag, page, bytes, offset);
                                       });
    return complete(tag, {event, apc, apc_context, io}, done.status, done.bytes);
}

NTSTATUS NTAPI NtWriteFileGather(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
                                 PIO_STATUS_BLOCK io, FILE_SEGMENT_ELEMENT* segments, ULONG length,
                                 PLARGE_INTEGER byte_offset, PULONG key) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file()) {
        return originals().NtWriteFileGather(handle, event, apc, apc_context, io, segments, length,
                                             byte_offset, key);
    }
    const Position where = position(tag, byte_offset);
    if (is_error(where.status)) return where.status;
    if (!where.offset) return STATUS_INVALID_PARAMETER;
    const Transfer done = page_by_page(segments, length, *where.offset,
                                       [tag](void* page, std::uint64_t bytes, std::uint64_t offset) {
                                           return write_file(tag, page, bytes, offset);
                                       });
    return complete(tag, {event, apc, apc_context, io}, done.status, done.bytes);
}

NTSTATUS NTAPI NtFlushBuffersFile(HANDLE handle, PIO_STATUS_BLOCK io) {
    const Tag tag = tag_of(handle);
    if (!tag.is_file()) return originals().NtFlushBuffersFile(handle, io);
    ServerCall call(tag.mount(), Operation::kFlush, tag.number());
    return complete(io, call.exchange(), 0);
}

// The model has no byte-range locks yet. Wine's LockFile passes no status block.
NTSTATUS NTAPI NtLockFile(HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PVOID apc_context,
                          PIO_STATUS_BLOCK io, PLARGE_INTEGER offset, PLARGE_INTEGER bytes, ULONG* key,
                          BOOLEAN dont_wait, BOOLEAN exclusive) {
    if (!tag_of(handle).is_file()) {
        return originals().NtLockFile(handle, event, apc, apc_context, io, offset, bytes, key, dont_wait,
                                      exclusive);
    }
    return complete(io, STATUS_NOT_SUPPORTED, 0);
}

NTSTATUS NTAPI NtUnlockFile(HANDLE handle, PIO_STATUS_BLOCK io, PLARGE_INTEGER offset, PLARGE_INTEGER bytes,
                            PULONG key) {
    if (!tag_of(handle).is_file()) return originals().NtUnlockFile(handle, io, offset, bytes, key);
    return complete(io, STATUS_NOT_SUPPORTED, 0);
}

}  // namespace hook
}  // namespace lab::redirect
