// The few Linux calls the transport rests on, alike in native code and in Windows code under Wine (there as
// bare system calls: no Windows function is involved, so hooks on those never see the transport). Errors are
// negative errno values. Must never know: calls, slots, messages. `long` is 32 bits wide in Windows code:
// only fixed-width types here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lab::transport::os {

// open(2) of a regular file for reading and writing, close-on-exec. `create` makes a new one, mode 0600, and
// fails with -EEXIST if the name is taken.
std::int64_t open_file(const char* path, bool create) noexcept;
void close_file(int fd) noexcept;
std::int64_t resize_file(int fd, std::uint64_t bytes) noexcept;
std::int64_t file_size(int fd) noexcept;
// A number that tells two files of one file system apart.
std::int64_t file_inode(int fd) noexcept;
// Gives `from` a second name; -EEXIST if `to` is taken.
std::int64_t link_file(const char* from, const char* to) noexcept;
std::int64_t unlink_file(const char* path) noexcept;

// Shared mapping, readable and writable, of the file's first `bytes`. Null on failure. Not inherited by a
// Windows child process; a native child of fork() has it until it execs.
void* map_shared(int fd, std::size_t bytes) noexcept;
void unmap(void* address, std::size_t bytes) noexcept;

// Locks on single bytes of a file that end with the open file that holds them: when its process dies, however
// it does.
bool try_lock_byte(int fd, std::uint64_t offset) noexcept;
void unlock_byte(int fd, std::uint64_t offset) noexcept;
// Whether another open file holds the byte.
bool is_byte_locked(int fd, std::uint64_t offset) noexcept;

// Sleeps while `word` has the value `expected`; may wake for no reason. False when `milliseconds` went by.
bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
          std::uint32_t milliseconds) noexcept;
void wake(const std::atomic<std::uint32_t>& word, std::uint32_t waiters) noexcept;
inline constexpr std::uint32_t kAllWaiters = 0x7FFFFFFF;

std::uint32_t process_id() noexcept;
std::uint64_t monotonic_ns() noexcept;

// A thread that is joined by hand. `entry` runs on it with `context`.
class Thread {
  public:
    using Entry = void (*)(void* context);
    Thread() = default;
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    bool start(Entry entry, void* context) noexcept;
    void join() noexcept;
    bool started() const noexcept { return handle_ != 0; }

  private:
    std::uintptr_t handle_ = 0;
};

// A lock made of one futex word: usable where no C++ run-time library is. Not recursive.
class Mutex {
  public:
    void lock() noexcept;
    void unlock() noexcept;

  private:
    std::atomic<std::uint32_t> state_{0};  // 0 free, 1 held, 2 held and waited for
};

class Guard {
  public:
    explicit Guard(Mutex& mutex) noexcept : mutex_(mutex) { mutex_.lock(); }
    ~Guard() { mutex_.unlock(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

  private:
    Mutex& mutex_;
};

}  // namespace lab::transport::os
