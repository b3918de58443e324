// FUSE's message layouts, protocol 7.31 to 7.39, as virtiofs guests and hosts exchange them: little-endian,
// no implicit padding. Must never know: transports, sessions, what an operating system does with them.
// Source: Linux, include/uapi/linux/fuse.h; field names are kept where they say what they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "fuse/errno.h"
#include "fuse/flags.h"
#include "fuse/ids.h"
#include "fuse/opcode.h"

namespace fuse {

inline constexpr std::uint32_t kMajorVersion = 7;
inline constexpr std::uint32_t kMinorVersion = 39;        // the newest that these declarations follow
inline constexpr std::uint32_t kOldestMinorVersion = 31;  // what every virtiofs host speaks

// The longest name that a directory record may carry, in bytes.
inline constexpr std::uint32_t kMaxNameBytes = 1024;

// Pages are 4 KiB in InitOut::max_pages whatever the guest's page size is.
inline constexpr std::uint32_t kPageBytes = 4096;

// Opens every request.
struct InHeader {
    std::uint32_t len = 0;  // bytes of the whole request
    Opcode opcode{};
    std::uint64_t unique = 0;  // names the request; never 0
    NodeId node{};
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t pid = 0;
    std::uint16_t total_extlen = 0;  // length of extensions, in 8-byte units
    std::uint16_t padding = 0;
};
static_assert(sizeof(InHeader) == 40 && std::is_trivially_copyable_v<InHeader>);

// Opens every reply.
struct OutHeader {
    std::uint32_t len = 0;   // bytes of the whole reply
    std::int32_t error = 0;  // 0 or a negated errno; with unique 0 a notification code
    std::uint64_t unique = 0;
};
static_assert(sizeof(OutHeader) == 16 && std::is_trivially_copyable_v<OutHeader>);

struct Attr {
    std::uint64_t ino = 0;
    std::uint64_t size = 0;    // bytes
    std::uint64_t blocks = 0;  // of 512 bytes
    std::uint64_t atime = 0;   // seconds since 1970, signed for times before
    std::uint64_t mtime = 0;
    std::uint64_t ctime = 0;
    std::uint32_t atimensec = 0;
    std::uint32_t mtimensec = 0;
    std::uint32_t ctimensec = 0;
    std::uint32_t mode = 0;
    std::uint32_t nlink = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t rdev = 0;
    std::uint32_t blksize = 0;
    std::uint32_t flags = 0;  // kAttr...
};
static_assert(sizeof(Attr) == 88 && std::is_trivially_copyable_v<Attr>);

// LOOKUP, MKDIR, MKNOD, SYMLINK, LINK; and first in CREATE. Gives one lookup reference.
struct EntryOut {
    NodeId node{};  // kNoNode: no such name, and entry_valid says for how long
    std::uint64_t generation = 0;
    std::uint64_t entry_valid = 0;  // seconds that the name may be cached
    std::uint64_t attr_valid = 0;   // seconds that the attributes may be cached
    std::uint32_t entry_valid_nsec = 0;
    std::uint32_t attr_valid_nsec = 0;
    Attr attr{};
};
static_assert(sizeof(EntryOut) == 128 && std::is_trivially_copyable_v<EntryOut>);

struct ForgetIn {
    LookupCount nlookup = 0;
};
static_assert(sizeof(ForgetIn) == 8 && std::is_trivially_copyable_v<ForgetIn>);

struct ForgetOne {
    NodeId node{};
    LookupCount nlookup = 0;
};
static_assert(sizeof(ForgetOne) == 16 && std::is_trivially_copyable_v<ForgetOne>);

struct BatchForgetIn {
    std::uint32_t count = 0;  // ForgetOne records that follow
    std::uint32_t dummy = 0;
};
static_assert(sizeof(BatchForgetIn) == 8 && std::is_trivially_copyable_v<BatchForgetIn>);

struct GetAttrIn {
    std::uint32_t getattr_flags = 0;
    std::uint32_t dummy = 0;
    FileHandle fh{};
};
static_assert(sizeof(GetAttrIn) == 16 && std::is_trivially_copyable_v<GetAttrIn>);

struct AttrOut {
    std::uint64_t attr_valid = 0;  // seconds
    std::uint32_t attr_valid_nsec = 0;
    std::uint32_t dummy = 0;
    Attr attr{};
};
static_assert(sizeof(AttrOut) == 104 && std::is_trivially_copyable_v<AttrOut>);

// Followed by the name.
struct MknodIn {
    std::uint32_t mode = 0;
    std::uint32_t rdev = 0;
    std::uint32_t umask = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(MknodIn) == 16 && std::is_trivially_copyable_v<MknodIn>);

// Followed by the name.
struct MkdirIn {
    std::uint32_t mode = 0;
    std::uint32_t umask = 0;
};
static_assert(sizeof(MkdirIn) == 8 && std::is_trivially_copyable_v<MkdirIn>);

// Followed by the old and the new name.
struct RenameIn {
    NodeId newdir{};
};
static_assert(sizeof(RenameIn) == 8 && std::is_trivially_copyable_v<RenameIn>);

// Followed by the old and the new name.
struct Rename2In {
    NodeId newdir{};
    std::uint32_t flags = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(Rename2In) == 16 && std::is_trivially_copyable_v<Rename2In>);

// Followed by the new name.
struct LinkIn {
    NodeId oldnode{};
};
static_assert(sizeof(LinkIn) == 8 && std::is_trivially_copyable_v<LinkIn>);

struct SetAttrIn {
    std::uint32_t valid = 0;  // set_attr bits
    std::uint32_t padding = 0;
    FileHandle fh{};
    std::uint64_t size = 0;
    std::uint64_t lock_owner = 0;
    std::uint64_t atime = 0;
    std::uint64_t mtime = 0;
    std::uint64_t ctime = 0;
    std::uint32_t atimensec = 0;
    std::uint32_t mtimensec = 0;
    std::uint32_t ctimensec = 0;
    std::uint32_t mode = 0;
    std::uint32_t unused4 = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t unused5 = 0;
};
static_assert(sizeof(SetAttrIn) == 88 && std::is_trivially_copyable_v<SetAttrIn>);

// OPEN and OPENDIR.
struct OpenIn {
    std::uint32_t flags = 0;       // open_flag bits
    std::uint32_t open_flags = 0;  // kOpen...
};
static_assert(sizeof(OpenIn) == 8 && std::is_trivially_copyable_v<OpenIn>);

// CREATE and TMPFILE; followed by the name.
struct CreateIn {
    std::uint32_t flags = 0;  // open_flag bits
    std::uint32_t mode = 0;
    std::uint32_t umask = 0;
    std::uint32_t open_flags = 0;  // kOpen...
};
static_assert(sizeof(CreateIn) == 16 && std::is_trivially_copyable_v<CreateIn>);

struct OpenOut {
    FileHandle fh{};
    std::uint32_t open_flags = 0;  // opened_flag bits
    std::uint32_t padding = 0;
};
static_assert(sizeof(OpenOut) == 16 && std::is_trivially_copyable_v<OpenOut>);

// The reply to CREATE and TMPFILE.
struct CreateOut {
    EntryOut entry{};
    OpenOut open{};
};
static_assert(sizeof(CreateOut) == 144 && std::is_trivially_copyable_v<CreateOut>);

struct ReleaseIn {
    FileHandle fh{};
    std::uint32_t flags = 0;
    std::uint32_t release_flags = 0;
    std::uint64_t lock_owner = 0;
};
static_assert(sizeof(ReleaseIn) == 24 && std::is_trivially_copyable_v<ReleaseIn>);

struct FlushIn {
    FileHandle fh{};
    std::uint32_t unused = 0;
    std::uint32_t padding = 0;
    std::uint64_t lock_owner = 0;
};
static_assert(sizeof(FlushIn) == 24 && std::is_trivially_copyable_v<FlushIn>);

// READ, READDIR and READDIRPLUS; for directories `offset` is the Dirent::off to go on after.
struct ReadIn {
    FileHandle fh{};
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t read_flags = 0;
    std::uint64_t lock_owner = 0;
    std::uint32_t flags = 0;  // open_flag bits of the open file
    std::uint32_t padding = 0;
};
static_assert(sizeof(ReadIn) == 40 && std::is_trivially_copyable_v<ReadIn>);

// Followed by the data.
struct WriteIn {
    FileHandle fh{};
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t write_flags = 0;
    std::uint64_t lock_owner = 0;
    std::uint32_t flags = 0;  // open_flag bits of the open file
    std::uint32_t padding = 0;
};
static_assert(sizeof(WriteIn) == 40 && std::is_trivially_copyable_v<WriteIn>);

struct WriteOut {
    std::uint32_t size = 0;  // bytes written, possibly fewer than asked
    std::uint32_t padding = 0;
};
static_assert(sizeof(WriteOut) == 8 && std::is_trivially_copyable_v<WriteOut>);

struct StatfsOut {
    std::uint64_t blocks = 0;  // of frsize bytes
    std::uint64_t bfree = 0;
    std::uint64_t bavail = 0;  // what an unprivileged user may use
    std::uint64_t files = 0;
    std::uint64_t ffree = 0;
    std::uint32_t bsize = 0;
    std::uint32_t namelen = 0;
    std::uint32_t frsize = 0;  // 0: bsize counts
    std::uint32_t padding = 0;
    std::uint32_t spare[6] = {};
};
static_assert(sizeof(StatfsOut) == 80 && std::is_trivially_copyable_v<StatfsOut>);

// FSYNC and FSYNCDIR.
struct FsyncIn {
    FileHandle fh{};
    std::uint32_t fsync_flags = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(FsyncIn) == 16 && std::is_trivially_copyable_v<FsyncIn>);

// Only if init_flag::kSetXattrExt was agreed on; followed by the name and the value.
struct SetXattrIn {
    std::uint32_t size = 0;   // of the value
    std::uint32_t flags = 0;  // kXattr...
    std::uint32_t setxattr_flags = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(SetXattrIn) == 16 && std::is_trivially_copyable_v<SetXattrIn>);

// Without init_flag::kSetXattrExt.
struct SetXattrCompatIn {
    std::uint32_t size = 0;   // of the value
    std::uint32_t flags = 0;  // kXattr...
};
static_assert(sizeof(SetXattrCompatIn) == 8 && std::is_trivially_copyable_v<SetXattrCompatIn>);

// GETXATTR (followed by the name) and LISTXATTR.
struct GetXattrIn {
    std::uint32_t size = 0;  // room for the value; 0 asks for its size
    std::uint32_t padding = 0;
};
static_assert(sizeof(GetXattrIn) == 8 && std::is_trivially_copyable_v<GetXattrIn>);

// The reply if GetXattrIn::size was 0.
struct GetXattrOut {
    std::uint32_t size = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(GetXattrOut) == 8 && std::is_trivially_copyable_v<GetXattrOut>);

struct FileLock {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    std::uint32_t type = 0;
    std::uint32_t pid = 0;
};
static_assert(sizeof(FileLock) == 24 && std::is_trivially_copyable_v<FileLock>);

struct LkIn {
    FileHandle fh{};
    std::uint64_t owner = 0;
    FileLock lk{};
    std::uint32_t lk_flags = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(LkIn) == 48 && std::is_trivially_copyable_v<LkIn>);

struct LkOut {
    FileLock lk{};
};
static_assert(sizeof(LkOut) == 24 && std::is_trivially_copyable_v<LkOut>);

struct AccessIn {
    std::uint32_t mask = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(AccessIn) == 8 && std::is_trivially_copyable_v<AccessIn>);

// Before 7.36 the first 16 bytes only.
struct InitIn {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t max_readahead = 0;
    std::uint32_t flags = 0;   // init_flag bits 0 to 31
    std::uint32_t flags2 = 0;  // init_flag bits 32 to 63
    std::uint32_t unused[11] = {};
};
static_assert(sizeof(InitIn) == 64 && std::is_trivially_copyable_v<InitIn>);

// Old hosts send the first 8 or 24 bytes only (parse_init_reply).
struct InitOut {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t max_readahead = 0;
    std::uint32_t flags = 0;
    std::uint16_t max_background = 0;
    std::uint16_t congestion_threshold = 0;
    std::uint32_t max_write = 0;  // bytes of data in one WRITE
    std::uint32_t time_gran = 0;  // nanoseconds
    std::uint16_t max_pages = 0;  // with init_flag::kMaxPages
    std::uint16_t map_alignment = 0;
    std::uint32_t flags2 = 0;
    std::uint32_t max_stack_depth = 0;
    std::uint32_t unused[6] = {};
};
static_assert(sizeof(InitOut) == 64 && std::is_trivially_copyable_v<InitOut>);

struct InterruptIn {
    std::uint64_t unique = 0;  // of the request to interrupt
};
static_assert(sizeof(InterruptIn) == 8 && std::is_trivially_copyable_v<InterruptIn>);

struct FallocateIn {
    FileHandle fh{};
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint32_t mode = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(FallocateIn) == 32 && std::is_trivially_copyable_v<FallocateIn>);

// Opens a directory record; the name follows, without NUL, padded to 8 bytes.
struct Dirent {
    std::uint64_t ino = 0;
    std::uint64_t off = 0;  // where to go on after this record
    std::uint32_t namelen = 0;
    std::uint32_t type = 0;  // mode type bits >> 12; 0: unknown
};
static_assert(sizeof(Dirent) == 24 && std::is_trivially_copyable_v<Dirent>);

struct DirentPlus {
    EntryOut entry{};  // node kNoNode: no reference was taken
    Dirent dirent{};
};
static_assert(sizeof(DirentPlus) == 152 && std::is_trivially_copyable_v<DirentPlus>);

struct LseekIn {
    FileHandle fh{};
    std::uint64_t offset = 0;
    std::uint32_t whence = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(LseekIn) == 24 && std::is_trivially_copyable_v<LseekIn>);

struct LseekOut {
    std::uint64_t offset = 0;
};
static_assert(sizeof(LseekOut) == 8 && std::is_trivially_copyable_v<LseekOut>);

// Answered with WriteOut.
struct CopyFileRangeIn {
    FileHandle fh_in{};
    std::uint64_t off_in = 0;
    NodeId node_out{};
    FileHandle fh_out{};
    std::uint64_t off_out = 0;
    std::uint64_t len = 0;
    std::uint64_t flags = 0;
};
static_assert(sizeof(CopyFileRangeIn) == 56 && std::is_trivially_copyable_v<CopyFileRangeIn>);

struct SyncfsIn {
    std::uint64_t padding = 0;
};
static_assert(sizeof(SyncfsIn) == 8 && std::is_trivially_copyable_v<SyncfsIn>);

struct StatxIn {
    std::uint32_t getattr_flags = 0;
    std::uint32_t reserved = 0;
    FileHandle fh{};
    std::uint32_t sx_flags = 0;
    std::uint32_t sx_mask = 0;
};
static_assert(sizeof(StatxIn) == 24 && std::is_trivially_copyable_v<StatxIn>);

struct StatxTime {
    std::int64_t sec = 0;
    std::uint32_t nsec = 0;
    std::int32_t reserved = 0;
};
static_assert(sizeof(StatxTime) == 16 && std::is_trivially_copyable_v<StatxTime>);

struct Statx {
    std::uint32_t mask = 0;  // which fields are valid
    std::uint32_t blksize = 0;
    std::uint64_t attributes = 0;
    std::uint32_t nlink = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint16_t mode = 0;
    std::uint16_t spare0 = 0;
    std::uint64_t ino = 0;
    std::uint64_t size = 0;
    std::uint64_t blocks = 0;
    std::uint64_t attributes_mask = 0;
    StatxTime atime{};
    StatxTime btime{};
    StatxTime ctime{};
    StatxTime mtime{};
    std::uint32_t rdev_major = 0;
    std::uint32_t rdev_minor = 0;
    std::uint32_t dev_major = 0;
    std::uint32_t dev_minor = 0;
    std::uint64_t spare2[14] = {};
};
static_assert(sizeof(Statx) == 256 && std::is_trivially_copyable_v<Statx>);

struct StatxOut {
    std::uint64_t attr_valid = 0;
    std::uint32_t attr_valid_nsec = 0;
    std::uint32_t flags = 0;
    std::uint64_t spare[2] = {};
    Statx stat{};
};
static_assert(sizeof(StatxOut) == 288 && std::is_trivially_copyable_v<StatxOut>);

// Extensions of a request (InHeader::total_extlen), 8-byte aligned, at its end.
struct ExtHeader {
    std::uint32_t size = 0;  // of the extension, this header included
    std::uint32_t type = 0;
};
static_assert(sizeof(ExtHeader) == 8 && std::is_trivially_copyable_v<ExtHeader>);

struct SecurityContextHeader {
    std::uint32_t size = 0;
    std::uint32_t count = 0;
};
static_assert(sizeof(SecurityContextHeader) == 8 && std::is_trivially_copyable_v<SecurityContextHeader>);

struct SecurityContext {
    std::uint32_t size = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(SecurityContext) == 8 && std::is_trivially_copyable_v<SecurityContext>);

struct IoctlIn {
    FileHandle fh{};
    std::uint32_t flags = 0;
    std::uint32_t cmd = 0;
    std::uint64_t arg = 0;
    std::uint32_t in_size = 0;
    std::uint32_t out_size = 0;
};
static_assert(sizeof(IoctlIn) == 32 && std::is_trivially_copyable_v<IoctlIn>);

struct IoctlOut {
    std::int32_t result = 0;
    std::uint32_t flags = 0;
    std::uint32_t in_iovs = 0;
    std::uint32_t out_iovs = 0;
};
static_assert(sizeof(IoctlOut) == 16 && std::is_trivially_copyable_v<IoctlOut>);

// What OutHeader::error says when OutHeader::unique is 0.
enum class Notification : std::int32_t {
    kPoll = 1,
    kInvalInode = 2,
    kInvalEntry = 3,
    kStore = 4,
    kRetrieve = 5,
    kDelete = 6,
    kResend = 7,
};

struct NotifyInvalInodeOut {
    NodeId node{};
    std::int64_t off = 0;
    std::int64_t len = 0;
};
static_assert(sizeof(NotifyInvalInodeOut) == 24 && std::is_trivially_copyable_v<NotifyInvalInodeOut>);

// Followed by the name and a NUL.
struct NotifyInvalEntryOut {
    NodeId parent{};
    std::uint32_t namelen = 0;
    std::uint32_t flags = 0;
};
static_assert(sizeof(NotifyInvalEntryOut) == 16 && std::is_trivially_copyable_v<NotifyInvalEntryOut>);

// Followed by the name and a NUL.
struct NotifyDeleteOut {
    NodeId parent{};
    NodeId child{};
    std::uint32_t namelen = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(NotifyDeleteOut) == 24 && std::is_trivially_copyable_v<NotifyDeleteOut>);

// The size of a directory record with a name of that many bytes.
constexpr std::size_t dirent_bytes(std::size_t name_bytes) {
    return (sizeof(Dirent) + name_bytes + 7) & ~std::size_t{7};
}
constexpr std::size_t direntplus_bytes(std::size_t name_bytes) {
    return (sizeof(DirentPlus) + name_bytes + 7) & ~std::size_t{7};
}

}  // namespace fuse
