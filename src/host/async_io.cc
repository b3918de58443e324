#include "host/async_io.h"

#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace host {
namespace {

// What newer kernels need less interrupting for, best first; older ones refuse flags that they do not know.
// Not DEFER_TASKRUN: whoever waits with epoll would not be woken by it.
constexpr std::array<unsigned, 3> kSetups{
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0};

}  // namespace

struct AsyncIo::Ring {
    Ring() = default;
    ~Ring() {
        if (made) ::io_uring_queue_exit(&ring);
    }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // A prepared entry becomes an operation in flight; nullptr if there is no room.
    io_uring_sqe* next() {
        if (in_flight == capacity) return nullptr;
        return ::io_uring_get_sqe(&ring);
    }
    bool begin(io_uring_sqe* entry, AsyncOperation& operation) {
        ::io_uring_sqe_set_data(entry, &operation);
        ++in_flight;
        return true;
    }

    io_uring ring{};
    bool made = false;
    std::uint32_t capacity = 0;
    std::size_t in_flight = 0;
    // Read by the kernel when it takes an entry; one for each that may not be taken yet.
    std::vector<__kernel_timespec> times;
    std::size_t next_time = 0;
};

std::expected<std::unique_ptr<AsyncIo>, fuse::Errno> AsyncIo::create(std::uint32_t capacity,
                                                                     std::uint32_t workers) {
    std::unique_ptr<AsyncIo> io(new AsyncIo);
    io->ring_ = std::make_unique<Ring>();
    Ring& ring = *io->ring_;
    ring.capacity = std::max<std::uint32_t>(capacity, 1);
    ring.times.resize(ring.capacity);
    int result = -EINVAL;
    for (const unsigned setup : kSetups) {
        result = ::io_uring_queue_init(ring.capacity, &ring.ring, setup);
        if (result != -EINVAL) break;
    }
    if (result < 0) return std::unexpected(fuse::Errno{-result});
    ring.made = true;
    if (workers != 0) {
        // Of regular files, and of everything else. Kernels before 5.15 have no such limit to set.
        std::array<unsigned, 2> limits{workers, workers};
        (void)::io_uring_register_iowq_max_workers(&ring.ring, limits.data());
    }
    return io;
}

AsyncIo::~AsyncIo() = default;

bool AsyncIo::readv(int fd, std::span<const iovec> room, std::uint64_t offset, std::int32_t rw_flags,
                    AsyncOperation& operation) noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) return false;
    ::io_uring_prep_readv2(entry, fd, room.data(), static_cast<unsigned>(room.size()), offset, rw_flags);
    return ring_->begin(entry, operation);
}

bool AsyncIo::writev(int fd, std::span<const iovec> data, std::uint64_t offset, std::int32_t rw_flags,
                     AsyncOperation& operation) noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) return false;
    ::io_uring_prep_writev2(entry, fd, data.data(), static_cast<unsigned>(data.size()), offset, rw_flags);
    return ring_->begin(entry, operation);
}

bool AsyncIo::fsync(int fd, bool data_only, AsyncOperation& operation) noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) return false;
    ::io_uring_prep_fsync(entry, fd, data_only ? IORING_FSYNC_DATASYNC : 0);
    return ring_->begin(entry, operation);
}

bool AsyncIo::fallocate(int fd, std::int32_t mode, std::uint64_t offset, std::uint64_t length,
                        AsyncOperation& operation) noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) return false;
    ::io_uring_prep_fallocate(entry, fd, mode, static_cast<off_t>(offset), static_cast<off_t>(length));
    return ring_->begin(entry, operation);
}

bool AsyncIo::timeout(std::chrono::nanoseconds time, AsyncOperation& operation) noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) return false;
    __kernel_timespec& kept = ring_->times[ring_->next_time++ % ring_->times.size()];
    kept.tv_sec = time / std::chrono::seconds{1};
    kept.tv_nsec = (time % std::chrono::seconds{1}).count();
    ::io_uring_prep_timeout(entry, &kept, 0, 0);
    return ring_->begin(entry, operation);
}

// What the kernel does not take now, for want of memory, it is given again with the next call.
void AsyncIo::submit() noexcept {
    if (::io_uring_sq_ready(&ring_->ring) != 0) (void)::io_uring_submit(&ring_->ring);
}

std::size_t AsyncIo::reap() noexcept {
    std::size_t count = 0;
    io_uring_cqe* entry = nullptr;
    while (ring_->in_flight != 0 && count < ring_->capacity &&
           ::io_uring_peek_cqe(&ring_->ring, &entry) == 0) {
        auto* const operation = static_cast<AsyncOperation*>(::io_uring_cqe_get_data(entry));
        const std::int32_t result = entry->res;
        ::io_uring_cqe_seen(&ring_->ring, entry);
        --ring_->in_flight;
        ++count;
        operation->completed(result);
    }
    return count;
}

std::size_t AsyncIo::in_flight() const noexcept {
    return ring_->in_flight;
}

bool AsyncIo::has_unsubmitted() const noexcept {
    return ::io_uring_sq_ready(&ring_->ring) != 0;
}

int AsyncIo::fd() const noexcept {
    return ring_->ring.ring_fd;
}

}  // namespace host
