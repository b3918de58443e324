// Open files, but for reading and writing them.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

namespace {

// Of one COPY_FILE_RANGE: the guest asks again for the rest, and other requests get their turn.
constexpr std::uint64_t kMaxCopyBytes = std::uint64_t{64} << 20;

// An fsync or fallocate on its way.
class PendingChange final : public AsyncOperation {
  public:
    PendingChange(std::shared_ptr<void> owner, const Reply& reply)
        : owner_(std::move(owner)), reply_(reply) {}

    void completed(std::int32_t result) noexcept override {
        const Reply reply = reply_;
        delete this;  // before the reply: the file may be released by then
        reply.finish(result < 0 ? -result : 0);
    }

  private:
    std::shared_ptr<void> owner_;
    Reply reply_;
};

}  // namespace

int FuseWorker::host_open_flags(std::uint32_t flags) const {
    using namespace fuse::open_flag;
    // What has been done by then, what the guest has decided itself, and what would make the daemon follow or
    // create.
    constexpr std::uint32_t kDropped =
        kCreate | kExclusive | kNoFollow | kDirectory | kNonBlock | static_cast<std::uint32_t>(O_PATH) |
        static_cast<std::uint32_t>(O_TMPFILE & ~O_DIRECTORY) | static_cast<std::uint32_t>(O_ASYNC) |
        static_cast<std::uint32_t>(O_CLOEXEC) | static_cast<std::uint32_t>(O_NOCTTY);
    flags &= ~kDropped;
    if (!options_.allow_direct_io) flags &= ~kDirect;
    if (!options_.preserve_noatime) flags &= ~kNoAtime;
    if (agreed(fuse::init_flag::kWritebackCache)) {
        // The guest's kernel reads what it is to complete, and knows itself where the end is.
        if ((flags & kAccessMask) == kWriteOnly) flags = (flags & ~kAccessMask) | kReadWrite;
        flags &= ~kAppend;
    }
    return static_cast<int>(flags) | O_CLOEXEC | O_NOCTTY;
}

fuse::OpenOut FuseWorker::open_reply(vhost_user::Fd fd, int flags, fuse::NodeId node) {
    auto file = std::make_shared<OpenFile>(std::move(fd), node);
    file->direct = (flags & O_DIRECT) != 0;
    file->durable = (flags & (O_SYNC | O_DSYNC)) != 0;
    fuse::OpenOut out;
    if (options_.cache == CachePolicy::kNever || options_.cache == CachePolicy::kMetadata || file->direct) {
        out.open_flags |= fuse::opened_flag::kDirectIo;
    } else if (options_.cache == CachePolicy::kAlways) {
        out.open_flags |= fuse::opened_flag::kKeepCache;
    }
    out.fh = server_.files_.add(std::move(file));
    return out;
}

void FuseWorker::open(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::OpenIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    // Opening a pipe would wait, opening a device would reach the host's.
    if (node->info().type == fuse::mode::kSymlink) return reply.fail(Errno::kELOOP);
    if (node->info().type != fuse::mode::kRegular) return reply.fail(Errno::kEBADF);
    const int flags = host_open_flags(in->flags);
    if (options_.readonly && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0)) {
        return reply.fail(Errno::kEROFS);
    }
    vhost_user::Fd file;
    {
        const WithoutSetIdCapability kill((in->open_flags & fuse::kOpenKillSuidGid) != 0);
        file = to_keep(reopen(node->fd(), flags));
    }
    if (!file) return reply.finish(errno);
    reply.succeed(open_reply(std::move(file), flags, header.node));
}

void FuseWorker::release(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::ReleaseIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto file = server_.files_.remove(in->fh);
    if (file == nullptr) return reply.fail(Errno::kEBADF);
    release_locks(header.node, in->lock_owner);
    if ((in->release_flags & fuse::kReleaseFlockUnlock) != 0 && agreed(fuse::init_flag::kFlockLocks)) {
        static_cast<void>(::flock(file->fd.get(), LOCK_UN));  // a read on its way may keep the file open
        lock_waits_.look();
    }
    reply.succeed();
}

// Nothing is kept back here that a flush would have to write. A process that closes one of its descriptors
// gives up its locks on the file.
void FuseWorker::flush(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::FlushIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    if (server_.files_.find(in->fh) == nullptr) return reply.fail(Errno::kEBADF);
    release_locks(header.node, in->lock_owner);
    reply.succeed();
}

void FuseWorker::sync_descriptor(const std::shared_ptr<void>& owner, int fd, const fuse::FsyncIn& arguments,
                                 const Reply& reply) {
    const bool data_only = (arguments.fsync_flags & fuse::kFsyncDataOnly) != 0;
    if (io_ != nullptr) {
        auto pending = std::make_unique<PendingChange>(owner, reply);
        if (io_->fsync(fd, data_only, *pending)) {
            static_cast<void>(pending.release());  // it ends itself
            return;
        }
    }
    reply.exchange().before_blocking();
    reply.finish((data_only ? ::fdatasync(fd) : ::fsync(fd)) == 0 ? 0 : errno);
}

void FuseWorker::fsync(const InHeader&, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::FsyncIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto file = server_.files_.find(in->fh);
    if (file == nullptr) return reply.fail(Errno::kEBADF);
    sync_descriptor(file, file->fd.get(), *in, reply);
}

void FuseWorker::fallocate(const InHeader&, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::FallocateIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto file = server_.files_.find(in->fh);
    if (file == nullptr) return reply.fail(Errno::kEBADF);
    if (in->offset > INT64_MAX || in->length > INT64_MAX) return reply.fail(Errno::kEFBIG);
    const int fd = file->fd.get();
    const auto mode = static_cast<std::int32_t>(in->mode);
    if (io_ != nullptr) {
        auto pending = std::make_unique<PendingChange>(file, reply);
        if (io_->fallocate(fd, mode, in->offset, in->length, *pending)) {
            static_cast<void>(pending.release());  // it ends itself
            return;
        }
    }
    reply.exchange().before_blocking();
    reply.finish(::fallocate(fd, mode, static_cast<off_t>(in->offset), static_cast<off_t>(in->length)) == 0
                     ? 0
                     : errno);
}

void FuseWorker::lseek(const InHeader&, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::LseekIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto file = server_.files_.find(in->fh);
    if (file == nullptr) return reply.fail(Errno::kEBADF);
    if (in->whence != fuse::kSeekData && in->whence != fuse::kSeekHole) return reply.fail(Errno::kEINVAL);
    const off_t found = ::lseek(file->fd.get(), static_cast<off_t>(in->offset), static_cast<int>(in->whence));
    if (found < 0) return reply.finish(errno);
    reply.succeed(fuse::LseekOut{.offset = static_cast<std::uint64_t>(found)});
}

void FuseWorker::copy_file_range(const InHeader&, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::CopyFileRangeIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto from = server_.files_.find(in->fh_in);
    const auto to = server_.files_.find(in->fh_out);
    if (from == nullptr || to == nullptr) return reply.fail(Errno::kEBADF);
    if (in->flags != 0 || in->off_in > INT64_MAX || in->off_out > INT64_MAX)
        return reply.fail(Errno::kEINVAL);
    reply.exchange().before_blocking();
    auto offset_in = static_cast<off64_t>(in->off_in);
    auto offset_out = static_cast<off64_t>(in->off_out);
    const ssize_t copied = ::copy_file_range(from->fd.get(), &offset_in, to->fd.get(), &offset_out,
                                             std::min(in->len, kMaxCopyBytes), 0);
    if (copied < 0) return reply.finish(errno);
    reply.succeed(fuse::WriteOut{.size = static_cast<std::uint32_t>(copied)});
}

}  // namespace host
