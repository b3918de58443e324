#include "guest/volume/attributes.h"

#include <algorithm>

namespace guest {
namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kAllocationUnit = 4096;

// At most how far the host's coarse clock (the kernel's tick) lies behind its precise one, in NT's ticks of
// 100 ns.
constexpr nt::FileTime kHostTick = 100'000;

nt::FileTime change_time_of(const fuse::Attr& attr) {
    return file_time_of({.seconds = attr.ctime, .nanoseconds = attr.ctimensec});
}

}  // namespace

FileKind kind_of(const fuse::Attr& attr) {
    switch (attr.mode & fuse::mode::kTypeMask) {
        case fuse::mode::kRegular:
            return FileKind::kRegular;
        case fuse::mode::kDirectory:
            return FileKind::kDirectory;
        case fuse::mode::kSymlink:
            return FileKind::kSymlink;
        default:
            return FileKind::kOther;
    }
}

std::uint32_t nt_attributes_of(const fuse::Attr& attr) {
    const std::uint32_t read_only =
        without_write_bits(attr.mode) == attr.mode ? nt::file_attribute::kReadOnly : 0;
    switch (kind_of(attr)) {
        case FileKind::kRegular:
            return nt::file_attribute::kArchive | read_only;
        case FileKind::kDirectory:
            return nt::file_attribute::kDirectory | read_only;
        case FileKind::kSymlink:
            return nt::file_attribute::kReparsePoint;
        case FileKind::kOther:
            return read_only;
    }
    return 0;
}

nt::FileInfo file_info_of(const fuse::Attr& attr) {
    const nt::FileTime accessed = file_time_of({.seconds = attr.atime, .nanoseconds = attr.atimensec});
    const nt::FileTime written = file_time_of({.seconds = attr.mtime, .nanoseconds = attr.mtimensec});
    // A last write time that was set to "now" can lie a tick after the change time, which nobody can set.
    nt::FileTime changed = change_time_of(attr);
    if (written > changed && written - changed < kHostTick) changed = written;
    nt::FileInfo info{
        .attributes = nt_attributes_of(attr),
        .creation_time = std::min({accessed, written, changed}),
        .last_access_time = accessed,
        .last_write_time = written,
        .change_time = changed,
        .index_number = attr.ino,
    };
    if (kind_of(attr) == FileKind::kRegular) {
        info.file_size = std::min<std::uint64_t>(attr.size, INT64_MAX);
        info.allocation_size = std::min<std::uint64_t>(attr.blocks, INT64_MAX / kBlock) * kBlock;
    }
    if (kind_of(attr) == FileKind::kSymlink) info.reparse_tag = nt::kReparseTagSymlink;
    return info;
}

void keep_change_time(fuse::Attr& attr, const fuse::Attr& before) {
    const nt::FileTime now = change_time_of(attr);
    const nt::FileTime then = file_info_of(before).change_time;
    if (then <= now || then - now >= kHostTick) return;
    const HostTime kept = host_time_of(then);
    attr.ctime = kept.seconds;
    attr.ctimensec = kept.nanoseconds;
}

void note_written(fuse::Attr& attr, std::uint64_t offset, std::uint64_t size, HostTime now) {
    attr.size = std::max(attr.size, offset + size);
    const std::uint64_t units = attr.size / kAllocationUnit + (attr.size % kAllocationUnit != 0);
    attr.blocks = std::max(attr.blocks, units * (kAllocationUnit / kBlock));
    attr.mtime = attr.ctime = now.seconds;
    attr.mtimensec = attr.ctimensec = now.nanoseconds;
}

}  // namespace guest
