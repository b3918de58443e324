// Reading and writing, straight between files and the guest's memory.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "host/fs/fuse_worker.h"
#include "host/fs/pending_data.h"

namespace host {

using fuse::Errno;

namespace {

using Pieces = std::array<iovec, IOV_MAX>;

// Whether the file's content is never anywhere but in memory.
bool is_in_memory(int fd) {
    struct statfs status;
    return ::fstatfs(fd, &status) == 0 && (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

}  // namespace

void PendingData::begin(Direction direction, std::shared_ptr<OpenFile> file, const Reply& reply,
                        std::span<const iovec> pieces, std::uint64_t offset, std::size_t want,
                        std::size_t done) {
    direction_ = direction;
    file_ = std::move(file);
    reply_.emplace(reply);
    pieces_.assign(pieces.begin(), pieces.end());
    rest_.reserve(pieces_.size());
    offset_ = offset;
    want_ = want;
    done_ = done;
    go_on();
}

void PendingData::go_on() noexcept {
    rest_.resize(pieces_.size());
    rest_.resize(slice(pieces_, done_, want_ - done_, rest_));
    AsyncIo* const io = worker_.io_;
    const int fd = file_->fd.get();
    const std::uint64_t offset = offset_ + done_;
    if (io != nullptr && (direction_ == Direction::kRead ? io->readv(fd, rest_, offset, 0, *this)
                                                         : io->writev(fd, rest_, offset, 0, *this))) {
        return;
    }
    wait_for_rest();
}

void PendingData::wait_for_rest() noexcept {
    reply_->exchange().before_blocking();
    const int fd = file_->fd.get();
    const auto position = static_cast<off_t>(offset_ + done_);
    const int count = static_cast<int>(rest_.size());
    const ssize_t result = direction_ == Direction::kRead ? ::preadv(fd, rest_.data(), count, position)
                                                          : ::pwritev(fd, rest_.data(), count, position);
    completed(static_cast<std::int32_t>(result < 0 ? -errno : result));
}

void PendingData::completed(std::int32_t result) noexcept {
    if (result == -EINTR) return go_on();
    if (result == -EAGAIN) return wait_for_rest();  // the ring cannot do it on this file
    if (result < 0) return end(-result);
    done_ += static_cast<std::size_t>(result);
    if (result == 0 || done_ == want_) return end(0);
    go_on();
}

void PendingData::end(int error) noexcept {
    const Reply reply = *reply_;
    const std::size_t done = done_;
    const Direction direction = direction_;
    file_.reset();
    worker_.recycle(*this);
    if (error != 0 && done == 0) {
        reply.finish(error);
    } else if (direction == Direction::kRead) {
        reply.succeed_in_place(done);
    } else {
        reply.succeed(fuse::WriteOut{.size = static_cast<std::uint32_t>(done)});
    }
}

PendingData& FuseWorker::pending() {
    if (free_pending_.empty()) {
        all_pending_.push_back(std::make_unique<PendingData>(*this));
        free_pending_.reserve(all_pending_.capacity());  // giving back never fails
        free_pending_.push_back(all_pending_.back().get());
    }
    PendingData& taken = *free_pending_.back();
    free_pending_.pop_back();
    return taken;
}

void FuseWorker::recycle(PendingData& pending) {
    free_pending_.push_back(&pending);
}

void FuseWorker::read(const InHeader&, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::ReadIn>();
    if (!in || in->offset > INT64_MAX) return reply.fail(Errno::kEINVAL);
    auto file = server_.files_.find(in->fh);
    if (file == nullptr) return reply.fail(Errno::kEBADF);
    const std::size_t want = std::min<std::size_t>(in->size, reply.room());
    Pieces room;
    const std::size_t count = slice(reply.exchange().reply, sizeof(fuse::OutHeader), want, room);
    const auto pieces = std::span<const iovec>(room).first(count);
    std::size_t done = 0;
    if (!file->direct) {
        using Waits = OpenFile::Waits;
        Waits waits = file->waits.load(std::memory_order_relaxed);
        const auto offset = static_cast<off_t>(in->offset);
        ssize_t got = -1;
        errno = EAGAIN;
        if (waits == Waits::kTold) {
            got = ::preadv2(file->fd.get(), pieces.data(), static_cast<int>(count), offset, RWF_NOWAIT);
            if (got < 0 && errno == EOPNOTSUPP) {
                waits = is_in_memory(file->fd.get()) ? Waits::kNever : Waits::kPerhaps;
                file->waits.store(waits, std::memory_order_relaxed);
                errno = EAGAIN;
            }
        }
        if (waits == Waits::kNever)
            got = ::preadv(file->fd.get(), pieces.data(), static_cast<int>(count), offset);
        if (got < 0 && errno != EAGAIN && errno != EINTR) return reply.finish(errno);
        if (got == 0 || static_cast<std::size_t>(got) == want || (waits == Waits::kNever && got > 0)) {
            return reply.succeed_in_place(static_cast<std::size_t>(got));
        }
        if (got > 0) {
            // The end of the file, or of what is in memory.
            done = static_cast<std::size_t>(got);
            std::byte probe;
            const iovec one{.iov_base = &probe, .iov_len = 1};
            if (::preadv2(file->fd.get(), &one, 1, offset + got, RWF_NOWAIT) == 0)
                return reply.succeed_in_place(done);
        }
    }
    pending().begin(PendingData::Direction::kRead, std::move(file), reply, pieces, in->offset, want, done);
}

void FuseWorker::write(const InHeader&, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::WriteIn>();
    if (!in || in->offset > INT64_MAX) return reply.fail(Errno::kEINVAL);
    const Exchange& exchange = reply.exchange();
    if (in->size > exchange.request_bytes - RequestBuffer::kWriteBytes) return reply.fail(Errno::kEINVAL);
    auto file = server_.files_.find(in->fh);
    if (file == nullptr) return reply.fail(Errno::kEBADF);
    Pieces room;
    const std::size_t count = slice(exchange.request, RequestBuffer::kWriteBytes, in->size, room);
    const auto pieces = std::span<const iovec>(room).first(count);
    const bool kill = (in->write_flags & fuse::kWriteKillSuidGid) != 0;
    if ((file->direct || file->durable) && !kill) {
        return pending().begin(PendingData::Direction::kWrite, std::move(file), reply, pieces, in->offset,
                               in->size, 0);
    }
    if (file->direct || file->durable) reply.exchange().before_blocking();
    const WithoutSetIdCapability without(kill);
    const ssize_t written =
        ::pwritev(file->fd.get(), pieces.data(), static_cast<int>(count), static_cast<off_t>(in->offset));
    if (written < 0) return reply.finish(errno);
    reply.succeed(fuse::WriteOut{.size = static_cast<std::uint32_t>(written)});
}

}  // namespace host
