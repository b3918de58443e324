// System calls that may wait for a disk, without their thread waiting: io_uring.
// Must never know: requests, queues.
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>

#include "fuse/errno.h"

namespace host {

// Told of its end once, on the thread of its AsyncIo, from reap().
class AsyncOperation {
  public:
    // The system call's result: a count, or a negated errno.
    virtual void completed(std::int32_t result) noexcept = 0;

  protected:
    ~AsyncOperation() = default;
};

// One thread's ring. Buffers, iovecs and operations live until completed(). Starting returns false when there
// is no room; the caller then makes the system call itself.
class AsyncIo {
  public:
    // At most `capacity` in flight, at most `workers` kernel threads for calls that cannot be started without
    // waiting (0: the kernel's choice). The error is why the kernel gives no ring.
    static std::expected<std::unique_ptr<AsyncIo>, fuse::Errno> create(std::uint32_t capacity,
                                                                       std::uint32_t workers);
    ~AsyncIo();
    AsyncIo(const AsyncIo&) = delete;
    AsyncIo& operator=(const AsyncIo&) = delete;

    // `rw_flags` are preadv2's (RWF_...).
    bool readv(int fd, std::span<const iovec> room, std::uint64_t offset, std::int32_t rw_flags,
               AsyncOperation& operation) noexcept;
    bool writev(int fd, std::span<const iovec> data, std::uint64_t offset, std::int32_t rw_flags,
                AsyncOperation& operation) noexcept;
    bool fsync(int fd, bool data_only, AsyncOperation& operation) noexcept;
    bool fallocate(int fd, std::int32_t mode, std::uint64_t offset, std::uint64_t length,
                   AsyncOperation& operation) noexcept;

    // Completes when that time has passed, with any result.
    bool timeout(std::chrono::nanoseconds time, AsyncOperation& operation) noexcept;

    // Hands what was started to the kernel.
    void submit() noexcept;
    // Calls completed() for what has ended; how many. Operations may start others from there.
    std::size_t reap() noexcept;

    std::size_t in_flight() const noexcept;  // started, not yet completed
    // The kernel has not taken everything: submit() again soon.
    bool has_unsubmitted() const noexcept;
    int fd() const noexcept;  // readable when there is something to reap

  private:
    AsyncIo() = default;
    struct Ring;
    std::unique_ptr<Ring> ring_;
};

}  // namespace host
