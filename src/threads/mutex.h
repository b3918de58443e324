// Locks and condition variables. The standard library's; on Windows the system's own, since those of mingw's
// library are made of kernel objects: slower, and a short-lived one costs several system calls.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace threads {

#ifndef _WIN32
using Mutex = std::mutex;
using Condition = std::condition_variable;
#else

// A slim reader/writer lock, held alone. For std::lock_guard and std::unique_lock; not recursive.
class Mutex {
  public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() noexcept;
    void unlock() noexcept;
    bool try_lock() noexcept;

  private:
    friend class Condition;
    void* lock_ = nullptr;  // SRWLOCK
};

// As std::condition_variable, as far as it is used.
class Condition {
  public:
    Condition() = default;
    Condition(const Condition&) = delete;
    Condition& operator=(const Condition&) = delete;

    void notify_one() noexcept;
    void notify_all() noexcept;

    template <typename Predicate>
    void wait(std::unique_lock<Mutex>& lock, Predicate is_over) {
        while (!is_over())
            sleep(*lock.mutex(), std::chrono::milliseconds::max());
    }
    template <typename Predicate>
    bool wait_until(std::unique_lock<Mutex>& lock, std::chrono::steady_clock::time_point end,
                    Predicate is_over) {
        while (!is_over()) {
            const auto left = end - std::chrono::steady_clock::now();
            if (left <= left.zero()) return is_over();
            sleep(*lock.mutex(), std::chrono::ceil<std::chrono::milliseconds>(left));
        }
        return true;
    }
    template <typename Rep, typename Period, typename Predicate>
    bool wait_for(std::unique_lock<Mutex>& lock, std::chrono::duration<Rep, Period> time, Predicate is_over) {
        return wait_until(lock,
                          std::chrono::steady_clock::now() +
                              std::chrono::duration_cast<std::chrono::steady_clock::duration>(time),
                          is_over);
    }

  private:
    // Until notified, or the time is over, or for no reason; max() is for ever.
    void sleep(Mutex& mutex, std::chrono::milliseconds time) noexcept;

    void* condition_ = nullptr;  // CONDITION_VARIABLE
};
#endif

}  // namespace threads
