// The connection as a whole: what is agreed on at its start, its end, and what concerns whole file systems.
#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

namespace {

constexpr std::uint32_t kMaxWriteBytes = 1U << 20;  // also of a read: what a Linux guest asks for at most
constexpr std::uint32_t kDefaultPages = 32;         // of guests that do not speak of pages
constexpr std::uint16_t kMaxBackground = 256;
// Of InitIn: before 7.36, and before 7.6 respectively.
constexpr std::size_t kShortInit = 16;

}  // namespace

std::uint64_t FuseWorker::flags_to_agree_on(std::uint64_t offered) const {
    using namespace fuse::init_flag;
    std::uint64_t wanted = kAsyncRead | kBigWrites | kMaxPages | kParallelDirOps | kAsyncDio | kAtomicOTrunc |
                           kAbortError | kSetXattrExt | kInitExt | kAutoInvalData | kCreateSuppGroup;
    if (options_.readdirplus) wanted |= kDoReadDirPlus | kReadDirPlusAuto;
    if (options_.posix_locks) wanted |= kPosixLocks;
    if (options_.flock) wanted |= kFlockLocks;
    if (options_.writeback) wanted |= kWritebackCache;
    if (options_.posix_acl) wanted |= kPosixAcl | kDontMask;
    if (options_.killpriv_v2) wanted |= kHandleKillPrivV2;
    if (options_.announce_submounts) wanted |= kSubmounts;
    if (options_.security_label) wanted |= kSecurityCtx;
    if (options_.cache == CachePolicy::kAlways) wanted |= kCacheSymlinks;
    return offered & wanted;
}

void FuseWorker::init(const InHeader&, Arguments arguments, const Reply& reply) {
    fuse::InitIn in;
    const auto bytes = arguments.rest();
    if (bytes.size() < kShortInit) return reply.fail(Errno::kEINVAL);
    std::memcpy(&in, bytes.data(), std::min(bytes.size(), sizeof in));
    if (in.major > fuse::kMajorVersion) {  // the guest then asks again, with our version
        return reply.succeed(fuse::InitOut{.major = fuse::kMajorVersion, .minor = fuse::kMinorVersion});
    }
    if (in.major < fuse::kMajorVersion || in.minor < fuse::kOldestMinorVersion)
        return reply.fail(Errno::kEPROTO);

    std::uint64_t offered = in.flags;
    if ((offered & fuse::init_flag::kInitExt) != 0) offered |= std::uint64_t{in.flags2} << 32;
    const std::uint64_t flags = flags_to_agree_on(offered);
    if (options_.posix_acl && (flags & fuse::init_flag::kPosixAcl) == 0) return reply.fail(Errno::kEPROTO);
    // Firmware does not offer to count pages.
    const std::uint32_t pages =
        (flags & fuse::init_flag::kMaxPages) != 0 ? kMaxWriteBytes / fuse::kPageBytes : kDefaultPages;

    server_.reset();  // whatever an earlier guest left behind
    server_.agreed_.store(flags | fuse::init_flag::kInitReserved, std::memory_order_release);
    reply.succeed(fuse::InitOut{.major = fuse::kMajorVersion,
                                .minor = std::min(in.minor, fuse::kMinorVersion),
                                .max_readahead = in.max_readahead,
                                .flags = static_cast<std::uint32_t>(flags),
                                .max_background = kMaxBackground,
                                .congestion_threshold = kMaxBackground / 4 * 3,
                                .max_write = pages * fuse::kPageBytes,
                                .time_gran = 1,
                                .max_pages = static_cast<std::uint16_t>(pages),
                                .flags2 = static_cast<std::uint32_t>(flags >> 32)});
}

void FuseWorker::destroy(const InHeader&, Arguments, const Reply& reply) {
    server_.reset();
    reply.succeed();
}

void FuseWorker::statfs(const InHeader& header, Arguments, const Reply& reply) {
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    struct statfs status;
    if (::fstatfs(node->fd(), &status) != 0) return reply.finish(errno);
    reply.succeed(fuse::StatfsOut{.blocks = status.f_blocks,
                                  .bfree = status.f_bfree,
                                  .bavail = status.f_bavail,
                                  .files = status.f_files,
                                  .ffree = status.f_ffree,
                                  .bsize = static_cast<std::uint32_t>(status.f_bsize),
                                  .namelen = static_cast<std::uint32_t>(status.f_namelen),
                                  .frsize = static_cast<std::uint32_t>(status.f_frsize)});
}

void FuseWorker::syncfs(const InHeader& header, Arguments, const Reply& reply) {
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    // Of anything else, a device perhaps, opening has effects of its own.
    const std::uint32_t type = node->info().type;
    if (type != fuse::mode::kDirectory && type != fuse::mode::kRegular) return reply.fail(Errno::kEINVAL);
    const vhost_user::Fd fd = reopen(node->fd(), O_RDONLY | O_NONBLOCK);
    if (!fd) return reply.finish(errno);
    reply.exchange().before_blocking();
    reply.finish(::syncfs(fd.get()) == 0 ? 0 : errno);
}

}  // namespace host
