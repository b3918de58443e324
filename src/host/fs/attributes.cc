#include "host/fs/attributes.h"

#include <sys/sysmacros.h>
#include <time.h>

namespace host {
namespace {

// Device numbers as FUSE carries them: Linux's new_encode_dev, 12 bits of major and 20 of minor.
std::uint32_t encoded_device(unsigned major_number, unsigned minor_number) {
    return (minor_number & 0xff) | (major_number & 0xfff) << 8 | (minor_number & ~0xffU) << 12;
}

fuse::StatxTime time_of(const struct statx_timestamp& time) {
    return {.sec = time.tv_sec, .nsec = time.tv_nsec};
}

// Times of birth are those of a clock that stands still for some milliseconds; this is far more.
constexpr std::int64_t kBirthTellsApartAfterSeconds = 2;

std::uint64_t birth_of(const struct statx& status) {
    if ((status.stx_mask & STATX_BTIME) == 0 || status.stx_btime.tv_sec <= 0) return 0;
    timespec now;
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec - status.stx_btime.tv_sec < kBirthTellsApartAfterSeconds) return 0;
    return static_cast<std::uint64_t>(status.stx_btime.tv_sec) * 1'000'000'000 + status.stx_btime.tv_nsec;
}

}  // namespace

NodeKey key_of(const struct statx& status) {
    return {.mount = status.stx_mnt_id,
            .device = ::makedev(status.stx_dev_major, status.stx_dev_minor),
            .inode = status.stx_ino};
}

NodeInfo info_of(const struct statx& status, std::uint64_t parent_mount) {
    const std::uint32_t type = status.stx_mode & fuse::mode::kTypeMask;
    return {.key = key_of(status),
            .type = type,
            .submount = type == fuse::mode::kDirectory && status.stx_mnt_id != parent_mount,
            .birth = birth_of(status)};
}

fuse::Attr attr_of(const struct statx& status, const ServerOptions& options) {
    return {.ino = status.stx_ino,
            .size = status.stx_size,
            .blocks = status.stx_blocks,
            .atime = static_cast<std::uint64_t>(status.stx_atime.tv_sec),
            .mtime = static_cast<std::uint64_t>(status.stx_mtime.tv_sec),
            .ctime = static_cast<std::uint64_t>(status.stx_ctime.tv_sec),
            .atimensec = status.stx_atime.tv_nsec,
            .mtimensec = status.stx_mtime.tv_nsec,
            .ctimensec = status.stx_ctime.tv_nsec,
            .mode = status.stx_mode,
            .nlink = status.stx_nlink,
            .uid = options.uids.to_guest(status.stx_uid),
            .gid = options.gids.to_guest(status.stx_gid),
            .rdev = encoded_device(status.stx_rdev_major, status.stx_rdev_minor),
            .blksize = status.stx_blksize};
}

fuse::Attr attr_of(const struct stat& status, const ServerOptions& options) {
    return {.ino = status.st_ino,
            .size = static_cast<std::uint64_t>(status.st_size),
            .blocks = static_cast<std::uint64_t>(status.st_blocks),
            .atime = static_cast<std::uint64_t>(status.st_atim.tv_sec),
            .mtime = static_cast<std::uint64_t>(status.st_mtim.tv_sec),
            .ctime = static_cast<std::uint64_t>(status.st_ctim.tv_sec),
            .atimensec = static_cast<std::uint32_t>(status.st_atim.tv_nsec),
            .mtimensec = static_cast<std::uint32_t>(status.st_mtim.tv_nsec),
            .ctimensec = static_cast<std::uint32_t>(status.st_ctim.tv_nsec),
            .mode = status.st_mode,
            .nlink = static_cast<std::uint32_t>(status.st_nlink),
            .uid = options.uids.to_guest(status.st_uid),
            .gid = options.gids.to_guest(status.st_gid),
            .rdev = encoded_device(major(status.st_rdev), minor(status.st_rdev)),
            .blksize = static_cast<std::uint32_t>(status.st_blksize)};
}

fuse::Statx statx_of(const struct statx& status, const ServerOptions& options) {
    return {.mask = status.stx_mask & (fuse::statx_mask::kBasicStats | fuse::statx_mask::kBirthTime),
            .blksize = status.stx_blksize,
            .attributes = status.stx_attributes,
            .nlink = status.stx_nlink,
            .uid = options.uids.to_guest(status.stx_uid),
            .gid = options.gids.to_guest(status.stx_gid),
            .mode = status.stx_mode,
            .ino = status.stx_ino,
            .size = status.stx_size,
            .blocks = status.stx_blocks,
            .attributes_mask = status.stx_attributes_mask,
            .atime = time_of(status.stx_atime),
            .btime = time_of(status.stx_btime),
            .ctime = time_of(status.stx_ctime),
            .mtime = time_of(status.stx_mtime),
            .rdev_major = status.stx_rdev_major,
            .rdev_minor = status.stx_rdev_minor,
            .dev_major = status.stx_dev_major,
            .dev_minor = status.stx_dev_minor};
}

}  // namespace host
