// Attributes: reading and changing them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

namespace {

// The descriptor of a file or directory that is open; null if the handle is neither's.
std::shared_ptr<const vhost_user::Fd> descriptor_of(const HandleTable<OpenFile>& files,
                                                    const HandleTable<OpenDirectory>& directories,
                                                    fuse::FileHandle handle, bool directory) {
    if (directory) {
        if (auto open = directories.find(handle)) return {open, &open->fd};
        return nullptr;
    }
    if (auto open = files.find(handle)) return {open, &open->fd};
    return nullptr;
}

timespec time_to_set(std::uint32_t valid, std::uint32_t given, std::uint32_t now, std::uint64_t seconds,
                     std::uint32_t nanoseconds) {
    if ((valid & now) != 0) return {.tv_sec = 0, .tv_nsec = UTIME_NOW};
    if ((valid & given) != 0) return {.tv_sec = static_cast<time_t>(seconds), .tv_nsec = nanoseconds};
    return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
}

fuse::AttrOut attributes(const fuse::Attr& attr, std::chrono::nanoseconds valid) {
    return {.attr_valid = static_cast<std::uint64_t>(valid / std::chrono::seconds{1}),
            .attr_valid_nsec = static_cast<std::uint32_t>((valid % std::chrono::seconds{1}).count()),
            .attr = attr};
}

}  // namespace

void FuseWorker::getattr(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::GetAttrIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    struct stat status;
    if ((in->getattr_flags & fuse::kGetAttrFileHandle) != 0) {
        // Of a file that is open, be its name and its node's handle gone.
        if (const auto file = server_.files_.find(in->fh)) {
            if (::fstat(file->fd.get(), &status) != 0) return reply.finish(errno);
            return reply.succeed(attributes(attr_of(status, options_), options_.attr_timeout));
        }
    }
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    if (::fstat(node->fd(), &status) != 0) return reply.finish(errno);
    reply.succeed(attributes(attr_of(status, options_), options_.attr_timeout));
}

void FuseWorker::statx(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::StatxIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    std::shared_ptr<OpenFile> file;
    if ((in->getattr_flags & fuse::kGetAttrFileHandle) != 0) file = server_.files_.find(in->fh);
    struct statx status;
    // Only the bits about synchronising with a network's server mean something here.
    const int flags =
        AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | (static_cast<int>(in->sx_flags) & AT_STATX_SYNC_TYPE);
    const unsigned mask = (in->sx_mask | STATX_BASIC_STATS) & (STATX_BASIC_STATS | STATX_BTIME);
    if (file != nullptr) {
        if (::statx(file->fd.get(), "", flags, mask, &status) != 0) return reply.finish(errno);
    } else {
        const auto node = pin(header.node);
        if (!node) return reply.fail(node.error());
        if (::statx(node->fd(), "", flags, mask, &status) != 0) return reply.finish(errno);
    }
    const fuse::AttrOut valid = attributes({}, options_.attr_timeout);
    reply.succeed(fuse::StatxOut{.attr_valid = valid.attr_valid,
                                 .attr_valid_nsec = valid.attr_valid_nsec,
                                 .stat = statx_of(status, options_)});
}

// 0 or an errno. `open_file` is a descriptor of the node that is open, or -1.
int FuseWorker::change_attributes(const fuse::SetAttrIn& change, const NodeTable::Pin& node, int open_file) {
    using namespace fuse::set_attr;
    const DescriptorPath path(node.fd());
    const int proc = server_.proc_self_fd_.get();

    if ((change.valid & (kUid | kGid)) != 0) {
        std::uint32_t uid = UINT32_MAX;
        std::uint32_t gid = UINT32_MAX;
        if ((change.valid & kUid) != 0) {
            const auto host = options_.uids.to_host(change.uid);
            if (!host) return static_cast<int>(host.error());
            uid = *host;
        }
        if ((change.valid & kGid) != 0) {
            const auto host = options_.gids.to_host(change.gid);
            if (!host) return static_cast<int>(host.error());
            gid = *host;
        }
        const WithoutSetIdCapability kill((change.valid & kKillSuidGid) != 0);
        if (::fchownat(node.fd(), "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) return errno;
    }
    if ((change.valid & kSize) != 0) {
        vhost_user::Fd opened;
        if (open_file < 0) {
            if (node.info().type != fuse::mode::kRegular) return EINVAL;
            opened = reopen(node.fd(), O_RDWR | O_NONBLOCK);
            if (!opened) return errno;
        }
        if (change.size > INT64_MAX) return EFBIG;
        const WithoutSetIdCapability kill((change.valid & kKillSuidGid) != 0);
        if (::ftruncate(open_file < 0 ? opened.get() : open_file, static_cast<off_t>(change.size)) != 0)
            return errno;
    }
    if ((change.valid & kMode) != 0) {
        const mode_t mode = change.mode & 07777;
        const bool symlink = node.info().type == fuse::mode::kSymlink;
        if (symlink) return EOPNOTSUPP;
        if ((open_file < 0 ? ::fchmodat(proc, path.c_str(), mode, 0) : ::fchmod(open_file, mode)) != 0)
            return errno;
    }
    if ((change.valid & (kAtime | kMtime | kAtimeNow | kMtimeNow)) != 0) {
        const timespec times[] = {
            time_to_set(change.valid, kAtime, kAtimeNow, change.atime, change.atimensec),
            time_to_set(change.valid, kMtime, kMtimeNow, change.mtime, change.mtimensec),
        };
        if ((open_file < 0 ? ::utimensat(proc, path.c_str(), times, 0) : ::futimens(open_file, times)) != 0) {
            return errno;
        }
    }
    return 0;
}

void FuseWorker::setattr(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::SetAttrIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    std::shared_ptr<const vhost_user::Fd> open;
    if ((in->valid & fuse::set_attr::kFileHandle) != 0) {
        open = descriptor_of(server_.files_, server_.directories_, in->fh,
                             node->info().type == fuse::mode::kDirectory);
        if (open == nullptr) return reply.fail(Errno::kEBADF);
    }
    if (const int error = change_attributes(*in, *node, open ? open->get() : -1); error != 0) {
        return reply.finish(error);
    }
    struct stat status;
    if (::fstat(open ? open->get() : node->fd(), &status) != 0) return reply.finish(errno);
    reply.succeed(attributes(attr_of(status, options_), options_.attr_timeout));
}

// By mode bits alone, for the request's user and group; guests that check permissions themselves do not ask.
void FuseWorker::access(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::AccessIn>();
    if (!in || (in->mask & ~static_cast<std::uint32_t>(R_OK | W_OK | X_OK)) != 0)
        return reply.fail(Errno::kEINVAL);
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    struct stat status;
    if (::fstat(node->fd(), &status) != 0) return reply.finish(errno);
    if ((in->mask & W_OK) != 0 && options_.readonly) return reply.fail(Errno::kEROFS);
    const fuse::Attr attr = attr_of(status, options_);
    std::uint32_t allowed = attr.mode & 7;
    if (header.uid == 0) {
        const bool may_execute = node->info().type == fuse::mode::kDirectory || (attr.mode & 0111) != 0;
        allowed = R_OK | W_OK | (may_execute ? X_OK : 0);
    } else if (header.uid == attr.uid) {
        allowed = attr.mode >> 6 & 7;
    } else if (header.gid == attr.gid || request_.further_group() == attr.gid) {
        allowed = attr.mode >> 3 & 7;
    }
    reply.finish((in->mask & ~allowed) == 0 ? 0 : EACCES);
}

}  // namespace host
