#include "lab/transport/host_os.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace lab::transport::os {
namespace {

// Linux's x86-64 ABI, which Windows' headers do not know.
namespace linux_abi {
constexpr int kReadWrite = 2;
constexpr int kCreate = 0100;
constexpr int kExclusive = 0200;
constexpr int kNoFollow = 0400000;
constexpr int kCloseOnExec = 02000000;
constexpr int kOfdGetLock = 36;
constexpr int kOfdSetLock = 37;
constexpr std::int16_t kWriteLock = 1;
constexpr std::int16_t kNoLock = 2;
constexpr int kFutexWait = 0;
constexpr int kFutexWake = 1;
constexpr std::int64_t kTimedOut = 110;

struct FileLock {
    std::int16_t type;
    std::int16_t whence;
    std::int64_t start;
    std::int64_t length;
    std::int32_t process;
};
struct Time {
    std::int64_t seconds;
    std::int64_t nanoseconds;
};
}  // namespace linux_abi

#ifdef _WIN32

enum class Call : std::uint64_t {
    kClose = 3,
    kFstat = 5,
    kMmap = 9,
    kMunmap = 11,
    kGetpid = 39,
    kFcntl = 72,
    kFtruncate = 77,
    kLink = 86,
    kUnlink = 87,
    kFutex = 202,
    kClockGettime = 228,
    kOpen = 2,
};

std::int64_t system_call(Call number, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0,
                         std::uint64_t d = 0, std::uint64_t e = 0, std::uint64_t f = 0) noexcept {
    std::int64_t result;
    register std::uint64_t r10 __asm__("r10") = d;
    register std::uint64_t r8 __asm__("r8") = e;
    register std::uint64_t r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
template <typename T>
std::uint64_t word(T* pointer) {
    return reinterpret_cast<std::uintptr_t>(pointer);
}

std::int64_t sys_open(const char* path, int flags, int mode) {
    return system_call(Call::kOpen, word(path), static_cast<std::uint64_t>(flags),
                       static_cast<std::uint64_t>(mode));
}
std::int64_t sys_fcntl(int fd, int command, linux_abi::FileLock* lock) {
    return system_call(Call::kFcntl, static_cast<std::uint64_t>(fd), static_cast<std::uint64_t>(command),
                       word(lock));
}
std::int64_t sys_futex(const std::atomic<std::uint32_t>& futex, int operation, std::uint32_t value,
                       const linux_abi::Time* timeout) {
    return system_call(Call::kFutex, word(&futex), static_cast<std::uint64_t>(operation), value,
                       word(timeout));
}

struct FileStatus {
    std::uint64_t device;
    std::uint64_t inode;
    std::uint64_t links;
    std::uint32_t mode_and_ids[4];
    std::uint64_t special_device;
    std::int64_t size;
    std::uint64_t rest[11];
};
static_assert(sizeof(FileStatus) == 144 && offsetof(FileStatus, size) == 48);

std::int64_t status_of(int fd, FileStatus& status) {
    return system_call(Call::kFstat, static_cast<std::uint64_t>(fd), word(&status));
}

#else

std::int64_t result_of(std::int64_t returned) {
    return returned < 0 ? -errno : returned;
}

std::int64_t sys_open(const char* path, int flags, int mode) {
    return result_of(::open(path, flags, mode));
}
std::int64_t sys_fcntl(int fd, int command, linux_abi::FileLock* lock) {
    return result_of(::fcntl(fd, command, lock));
}
std::int64_t sys_futex(const std::atomic<std::uint32_t>& futex, int operation, std::uint32_t value,
                       const linux_abi::Time* timeout) {
    return result_of(::syscall(SYS_futex, &futex, operation, value, timeout, nullptr, 0));
}

static_assert(sizeof(linux_abi::FileLock) == sizeof(struct flock) && linux_abi::kOfdSetLock == F_OFD_SETLK &&
              linux_abi::kOfdGetLock == F_OFD_GETLK && linux_abi::kWriteLock == F_WRLCK &&
              linux_abi::kNoLock == F_UNLCK && linux_abi::kNoFollow == O_NOFOLLOW &&
              linux_abi::kCloseOnExec == O_CLOEXEC && linux_abi::kFutexWait == FUTEX_WAIT &&
              linux_abi::kFutexWake == FUTEX_WAKE && linux_abi::kTimedOut == ETIMEDOUT);

#endif

linux_abi::FileLock one_byte(std::int16_t type, std::uint64_t offset) {
    return {.type = type, .whence = 0, .start = static_cast<std::int64_t>(offset), .length = 1, .process = 0};
}

}  // namespace

std::int64_t open_file(const char* path, bool create) noexcept {
    namespace abi = linux_abi;
    const int flags =
        abi::kReadWrite | abi::kCloseOnExec | abi::kNoFollow | (create ? abi::kCreate | abi::kExclusive : 0);
    return sys_open(path, flags, 0600);
}

bool try_lock_byte(int fd, std::uint64_t offset) noexcept {
    linux_abi::FileLock lock = one_byte(linux_abi::kWriteLock, offset);
    return sys_fcntl(fd, linux_abi::kOfdSetLock, &lock) == 0;
}

void unlock_byte(int fd, std::uint64_t offset) noexcept {
    linux_abi::FileLock lock = one_byte(linux_abi::kNoLock, offset);
    sys_fcntl(fd, linux_abi::kOfdSetLock, &lock);
}

bool is_byte_locked(int fd, std::uint64_t offset) noexcept {
    linux_abi::FileLock lock = one_byte(linux_abi::kWriteLock, offset);
    return sys_fcntl(fd, linux_abi::kOfdGetLock, &lock) == 0 && lock.type != linux_abi::kNoLock;
}

bool wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
          std::uint32_t milliseconds) noexcept {
    const linux_abi::Time timeout = {.seconds = milliseconds / 1000,
                                     .nanoseconds = milliseconds % 1000 * std::int64_t{1'000'000}};
    return sys_futex(word, linux_abi::kFutexWait, expected, &timeout) != -linux_abi::kTimedOut;
}

void wake(const std::atomic<std::uint32_t>& word, std::uint32_t waiters) noexcept {
    sys_futex(word, linux_abi::kFutexWake, waiters, nullptr);
}

#ifdef _WIN32

void close_file(int fd) noexcept {
    system_call(Call::kClose, static_cast<std::uint64_t>(fd));
}

std::int64_t resize_file(int fd, std::uint64_t bytes) noexcept {
    return system_call(Call::kFtruncate, static_cast<std::uint64_t>(fd), bytes);
}

std::int64_t file_size(int fd) noexcept {
    FileStatus status;
    const std::int64_t result = status_of(fd, status);
    return result < 0 ? result : status.size;
}

std::int64_t file_inode(int fd) noexcept {
    FileStatus status;
    const std::int64_t result = status_of(fd, status);
    return result < 0 ? result : static_cast<std::int64_t>(status.inode);
}

std::int64_t link_file(const char* from, const char* to) noexcept {
    return system_call(Call::kLink, word(from), word(to));
}

std::int64_t unlink_file(const char* path) noexcept {
    return system_call(Call::kUnlink, word(path));
}

void* map_shared(int fd, std::size_t bytes) noexcept {
    constexpr std::uint64_t kReadAndWrite = 3;
    constexpr std::uint64_t kShared = 1;
    const std::int64_t result =
        system_call(Call::kMmap, 0, bytes, kReadAndWrite, kShared, static_cast<std::uint64_t>(fd), 0);
    return result < 0 && result > -4096 ? nullptr : reinterpret_cast<void*>(result);
}

void unmap(void* address, std::size_t bytes) noexcept {
    system_call(Call::kMunmap, word(address), bytes);
}

std::uint32_t process_id() noexcept {
    return static_cast<std::uint32_t>(system_call(Call::kGetpid));
}

std::uint64_t monotonic_ns() noexcept {
    constexpr std::uint64_t kMonotonic = 1;
    linux_abi::Time now{};
    system_call(Call::kClockGettime, kMonotonic, word(&now));
    return static_cast<std::uint64_t>(now.seconds) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.nanoseconds);
}

namespace {

struct Start {
    Thread::Entry entry;
    void* context;
};

DWORD WINAPI thread_main(void* parameter) {
    auto* start = static_cast<Start*>(parameter);
    const Thread::Entry entry = start->entry;
    void* context = start->context;
    ::HeapFree(::GetProcessHeap(), 0, start);
    entry(context);
    return 0;
}

}  // namespace

bool Thread::start(Entry entry, void* context) noexcept {
    auto* start = static_cast<Start*>(::HeapAlloc(::GetProcessHeap(), 0, sizeof(Start)));
    if (start == nullptr) return false;
    start->entry = entry;
    start->context = context;
    HANDLE thread = ::CreateThread(nullptr, 0, thread_main, start, 0, nullptr);
    if (thread == nullptr) {
        ::HeapFree(::GetProcessHeap(), 0, start);
        return false;
    }
    handle_ = reinterpret_cast<std::uintptr_t>(thread);
    return true;
}

void Thread::join() noexcept {
    if (handle_ == 0) return;
    HANDLE thread = reinterpret_cast<HANDLE>(handle_);
    ::WaitForSingleObject(thread, INFINITE);
    ::CloseHandle(thread);
    handle_ = 0;
}

#else

void close_file(int fd) noexcept {
    ::close(fd);
}

std::int64_t resize_file(int fd, std::uint64_t bytes) noexcept {
    return result_of(::ftruncate(fd, static_cast<off_t>(bytes)));
}

std::int64_t file_size(int fd) noexcept {
    struct stat status;
    const std::int64_t result = result_of(::fstat(fd, &status));
    return result < 0 ? result : status.st_size;
}

std::int64_t file_inode(int fd) noexcept {
    struct stat status;
    const std::int64_t result = result_of(::fstat(fd, &status));
    return result < 0 ? result : static_cast<std::int64_t>(status.st_ino);
}

std::int64_t link_file(const char* from, const char* to) noexcept {
    return result_of(::link(from, to));
}

std::int64_t unlink_file(const char* path) noexcept {
    return result_of(::unlink(path));
}

void* map_shared(int fd, std::size_t bytes) noexcept {
    void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return address == MAP_FAILED ? nullptr : address;
}

void unmap(void* address, std::size_t bytes) noexcept {
    ::munmap(address, bytes);
}

std::uint32_t process_id() noexcept {
    return static_cast<std::uint32_t>(::getpid());
}

std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

namespace {

struct Start {
    Thread::Entry entry;
    void* context;
};

void* thread_main(void* parameter) {
    const Start start = *static_cast<Start*>(parameter);
    delete static_cast<Start*>(parameter);
    start.entry(start.context);
    return nullptr;
}

}  // namespace

bool Thread::start(Entry entry, void* context) noexcept {
    static_assert(sizeof(pthread_t) == sizeof(handle_));
    auto* start = new Start{entry, context};
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, thread_main, start) != 0) {
        delete start;
        return false;
    }
    handle_ = static_cast<std::uintptr_t>(thread);
    return true;
}

void Thread::join() noexcept {
    if (handle_ == 0) return;
    ::pthread_join(static_cast<pthread_t>(handle_), nullptr);
    handle_ = 0;
}

#endif

void Mutex::lock() noexcept {
    std::uint32_t free = 0;
    if (state_.compare_exchange_strong(free, 1, std::memory_order_acquire)) return;
    while (state_.exchange(2, std::memory_order_acquire) != 0)
        wait(state_, 2, 1000);
}

void Mutex::unlock() noexcept {
    if (state_.exchange(0, std::memory_order_release) == 2) wake(state_, 1);
}

}  // namespace lab::transport::os
