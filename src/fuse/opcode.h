// What a FUSE request asks for, and the little that a transport must know of it.
// Source: Linux, include/uapi/linux/fuse.h, protocol 7.39.
#pragma once

#include <cstdint>
#include <string_view>

namespace fuse {

enum class Opcode : std::uint32_t {
    kLookup = 1,
    kForget = 2,
    kGetAttr = 3,
    kSetAttr = 4,
    kReadLink = 5,
    kSymlink = 6,
    kMknod = 8,
    kMkdir = 9,
    kUnlink = 10,
    kRmdir = 11,
    kRename = 12,
    kLink = 13,
    kOpen = 14,
    kRead = 15,
    kWrite = 16,
    kStatfs = 17,
    kRelease = 18,
    kFsync = 20,
    kSetXattr = 21,
    kGetXattr = 22,
    kListXattr = 23,
    kRemoveXattr = 24,
    kFlush = 25,
    kInit = 26,
    kOpenDir = 27,
    kReadDir = 28,
    kReleaseDir = 29,
    kFsyncDir = 30,
    kGetLk = 31,
    kSetLk = 32,
    kSetLkWait = 33,
    kAccess = 34,
    kCreate = 35,
    kInterrupt = 36,
    kBmap = 37,
    kDestroy = 38,
    kIoctl = 39,
    kPoll = 40,
    kNotifyReply = 41,
    kBatchForget = 42,
    kFallocate = 43,
    kReadDirPlus = 44,
    kRename2 = 45,
    kLseek = 46,
    kCopyFileRange = 47,
    kSetupMapping = 48,
    kRemoveMapping = 49,
    kSyncfs = 50,
    kTmpfile = 51,
    kStatx = 52,
};

// One more than the greatest opcode: the size of a table indexed by opcode.
inline constexpr std::uint32_t kOpcodeLimit = 53;

// Requests the host never answers. INTERRUPT is answered by some hosts and only on failure; it counts as
// unanswered.
constexpr bool has_reply(Opcode opcode) {
    return opcode != Opcode::kForget && opcode != Opcode::kBatchForget && opcode != Opcode::kInterrupt &&
           opcode != Opcode::kNotifyReply;
}

// Requests that travel on virtio-fs's high priority queue (virtio specification, 5.11.6.2).
constexpr bool is_high_priority(Opcode opcode) {
    return opcode == Opcode::kForget || opcode == Opcode::kBatchForget || opcode == Opcode::kInterrupt;
}

// The protocol's name, for logs and counters; "UNKNOWN" for a number without one.
constexpr std::string_view name_of(Opcode opcode) {
    constexpr std::string_view kNames[kOpcodeLimit] = {"",
                                                       "LOOKUP",
                                                       "FORGET",
                                                       "GETATTR",
                                                       "SETATTR",
                                                       "READLINK",
                                                       "SYMLINK",
                                                       "",
                                                       "MKNOD",
                                                       "MKDIR",
                                                       "UNLINK",
                                                       "RMDIR",
                                                       "RENAME",
                                                       "LINK",
                                                       "OPEN",
                                                       "READ",
                                                       "WRITE",
                                                       "STATFS",
                                                       "RELEASE",
                                                       "",
                                                       "FSYNC",
                                                       "SETXATTR",
                                                       "GETXATTR",
                                                       "LISTXATTR",
                                                       "REMOVEXATTR",
                                                       "FLUSH",
                                                       "INIT",
                                                       "OPENDIR",
                                                       "READDIR",
                                                       "RELEASEDIR",
                                                       "FSYNCDIR",
                                                       "GETLK",
                                                       "SETLK",
                                                       "SETLKW",
                                                       "ACCESS",
                                                       "CREATE",
                                                       "INTERRUPT",
                                                       "BMAP",
                                                       "DESTROY",
                                                       "IOCTL",
                                                       "POLL",
                                                       "NOTIFY_REPLY",
                                                       "BATCH_FORGET",
                                                       "FALLOCATE",
                                                       "READDIRPLUS",
                                                       "RENAME2",
                                                       "LSEEK",
                                                       "COPY_FILE_RANGE",
                                                       "SETUPMAPPING",
                                                       "REMOVEMAPPING",
                                                       "SYNCFS",
                                                       "TMPFILE",
                                                       "STATX"};
    const auto number = static_cast<std::uint32_t>(opcode);
    return number < kOpcodeLimit && !kNames[number].empty() ? kNames[number] : "UNKNOWN";
}

}  // namespace fuse
