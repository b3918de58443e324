// The bits of FUSE messages, one namespace a field. Also the Linux open flags and mode bits that messages
// carry. Source: Linux, include/uapi/linux/fuse.h (7.39), asm-generic/fcntl.h, linux/stat.h.
#pragma once

#include <cstdint>

namespace fuse {

// InitIn and InitOut. Bits 32 and up travel in flags2 and count only if kInitExt is set.
namespace init_flag {
inline constexpr std::uint64_t kAsyncRead = 1ULL << 0;
inline constexpr std::uint64_t kPosixLocks = 1ULL << 1;
inline constexpr std::uint64_t kFileOps = 1ULL << 2;
inline constexpr std::uint64_t kAtomicOTrunc = 1ULL << 3;
inline constexpr std::uint64_t kExportSupport = 1ULL << 4;
inline constexpr std::uint64_t kBigWrites = 1ULL << 5;
inline constexpr std::uint64_t kDontMask = 1ULL << 6;
inline constexpr std::uint64_t kSpliceWrite = 1ULL << 7;
inline constexpr std::uint64_t kSpliceMove = 1ULL << 8;
inline constexpr std::uint64_t kSpliceRead = 1ULL << 9;
inline constexpr std::uint64_t kFlockLocks = 1ULL << 10;
inline constexpr std::uint64_t kHasIoctlDir = 1ULL << 11;
inline constexpr std::uint64_t kAutoInvalData = 1ULL << 12;
inline constexpr std::uint64_t kDoReadDirPlus = 1ULL << 13;
inline constexpr std::uint64_t kReadDirPlusAuto = 1ULL << 14;
inline constexpr std::uint64_t kAsyncDio = 1ULL << 15;
inline constexpr std::uint64_t kWritebackCache = 1ULL << 16;
inline constexpr std::uint64_t kNoOpenSupport = 1ULL << 17;
inline constexpr std::uint64_t kParallelDirOps = 1ULL << 18;
inline constexpr std::uint64_t kHandleKillPriv = 1ULL << 19;
inline constexpr std::uint64_t kPosixAcl = 1ULL << 20;
inline constexpr std::uint64_t kAbortError = 1ULL << 21;
inline constexpr std::uint64_t kMaxPages = 1ULL << 22;
inline constexpr std::uint64_t kCacheSymlinks = 1ULL << 23;
inline constexpr std::uint64_t kNoOpenDirSupport = 1ULL << 24;
inline constexpr std::uint64_t kExplicitInvalData = 1ULL << 25;
inline constexpr std::uint64_t kMapAlignment = 1ULL << 26;
inline constexpr std::uint64_t kSubmounts = 1ULL << 27;
inline constexpr std::uint64_t kHandleKillPrivV2 = 1ULL << 28;
inline constexpr std::uint64_t kSetXattrExt = 1ULL << 29;
inline constexpr std::uint64_t kInitExt = 1ULL << 30;
inline constexpr std::uint64_t kInitReserved = 1ULL << 31;
inline constexpr std::uint64_t kSecurityCtx = 1ULL << 32;
inline constexpr std::uint64_t kHasInodeDax = 1ULL << 33;
inline constexpr std::uint64_t kCreateSuppGroup = 1ULL << 34;
inline constexpr std::uint64_t kHasExpireOnly = 1ULL << 35;
inline constexpr std::uint64_t kDirectIoAllowMmap = 1ULL << 36;
}  // namespace init_flag

// OpenOut::open_flags
namespace opened_flag {
inline constexpr std::uint32_t kDirectIo = 1U << 0;
inline constexpr std::uint32_t kKeepCache = 1U << 1;
inline constexpr std::uint32_t kNonSeekable = 1U << 2;
inline constexpr std::uint32_t kCacheDir = 1U << 3;
inline constexpr std::uint32_t kStream = 1U << 4;
inline constexpr std::uint32_t kNoFlush = 1U << 5;
inline constexpr std::uint32_t kParallelDirectWrites = 1U << 6;
}  // namespace opened_flag

// SetAttrIn::valid
namespace set_attr {
inline constexpr std::uint32_t kMode = 1U << 0;
inline constexpr std::uint32_t kUid = 1U << 1;
inline constexpr std::uint32_t kGid = 1U << 2;
inline constexpr std::uint32_t kSize = 1U << 3;
inline constexpr std::uint32_t kAtime = 1U << 4;
inline constexpr std::uint32_t kMtime = 1U << 5;
inline constexpr std::uint32_t kFileHandle = 1U << 6;
inline constexpr std::uint32_t kAtimeNow = 1U << 7;
inline constexpr std::uint32_t kMtimeNow = 1U << 8;
inline constexpr std::uint32_t kLockOwner = 1U << 9;
inline constexpr std::uint32_t kCtime = 1U << 10;
inline constexpr std::uint32_t kKillSuidGid = 1U << 11;
}  // namespace set_attr

// GetAttrIn::getattr_flags and StatxIn::getattr_flags: `fh` is valid.
inline constexpr std::uint32_t kGetAttrFileHandle = 1U << 0;

// ReleaseIn::release_flags
inline constexpr std::uint32_t kReleaseFlush = 1U << 0;
inline constexpr std::uint32_t kReleaseFlockUnlock = 1U << 1;

// WriteIn::write_flags
inline constexpr std::uint32_t kWriteCache = 1U << 0;
inline constexpr std::uint32_t kWriteLockOwner = 1U << 1;
inline constexpr std::uint32_t kWriteKillSuidGid = 1U << 2;

// ReadIn::read_flags
inline constexpr std::uint32_t kReadLockOwner = 1U << 1;

// FsyncIn::fsync_flags: data only, not metadata
inline constexpr std::uint32_t kFsyncDataOnly = 1U << 0;

// Attr::flags
inline constexpr std::uint32_t kAttrSubmount = 1U << 0;
inline constexpr std::uint32_t kAttrDax = 1U << 1;

// OpenIn::open_flags and CreateIn::open_flags
inline constexpr std::uint32_t kOpenKillSuidGid = 1U << 0;

// SetXattrIn::setxattr_flags
inline constexpr std::uint32_t kSetXattrAclKillSgid = 1U << 0;
// SetXattrIn::flags
inline constexpr std::uint32_t kXattrCreate = 1;
inline constexpr std::uint32_t kXattrReplace = 2;

// LkIn::lk_flags
inline constexpr std::uint32_t kLkFlock = 1U << 0;

// Rename2In::flags
inline constexpr std::uint32_t kRenameNoReplace = 1U << 0;
inline constexpr std::uint32_t kRenameExchange = 1U << 1;
inline constexpr std::uint32_t kRenameWhiteout = 1U << 2;

// LseekIn::whence
inline constexpr std::uint32_t kSeekData = 3;
inline constexpr std::uint32_t kSeekHole = 4;

// FallocateIn::mode
inline constexpr std::uint32_t kFallocateKeepSize = 1U << 0;
inline constexpr std::uint32_t kFallocatePunchHole = 1U << 1;
inline constexpr std::uint32_t kFallocateZeroRange = 1U << 4;

// OpenIn::flags, CreateIn::flags, and the `flags` of reads, writes and releases: Linux's O_ values of x86 and
// the generic ABI (a host of another architecture translates).
namespace open_flag {
inline constexpr std::uint32_t kReadOnly = 0;
inline constexpr std::uint32_t kWriteOnly = 1;
inline constexpr std::uint32_t kReadWrite = 2;
inline constexpr std::uint32_t kAccessMask = 3;
inline constexpr std::uint32_t kCreate = 0100;
inline constexpr std::uint32_t kExclusive = 0200;
inline constexpr std::uint32_t kTruncate = 01000;
inline constexpr std::uint32_t kAppend = 02000;
inline constexpr std::uint32_t kNonBlock = 04000;
inline constexpr std::uint32_t kDsync = 010000;
inline constexpr std::uint32_t kDirect = 040000;
inline constexpr std::uint32_t kLargeFile = 0100000;
inline constexpr std::uint32_t kDirectory = 0200000;
inline constexpr std::uint32_t kNoFollow = 0400000;
inline constexpr std::uint32_t kNoAtime = 01000000;
inline constexpr std::uint32_t kSync = 04010000;
}  // namespace open_flag

// Attr::mode and the `mode` of creations; Dirent::type is the type bits shifted right by 12.
namespace mode {
inline constexpr std::uint32_t kTypeMask = 0170000;
inline constexpr std::uint32_t kSocket = 0140000;
inline constexpr std::uint32_t kSymlink = 0120000;
inline constexpr std::uint32_t kRegular = 0100000;
inline constexpr std::uint32_t kBlockDevice = 0060000;
inline constexpr std::uint32_t kDirectory = 0040000;
inline constexpr std::uint32_t kCharDevice = 0020000;
inline constexpr std::uint32_t kFifo = 0010000;
inline constexpr std::uint32_t kSetUid = 04000;
inline constexpr std::uint32_t kSetGid = 02000;
inline constexpr std::uint32_t kSticky = 01000;
inline constexpr std::uint32_t kPermissions = 0777;
}  // namespace mode

// StatxIn::sx_mask and Statx::mask
namespace statx_mask {
inline constexpr std::uint32_t kBasicStats = 0x07ff;
inline constexpr std::uint32_t kBirthTime = 0x0800;
}  // namespace statx_mask

}  // namespace fuse
