// Whether to look for more work for a few microseconds before sleeping: only where a processor is spare, and
// as long as that has been worth it. Must never know: what the work is.
#pragma once

#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace host {

// How many threads may spin at once: one processor is always left for whoever makes the work. Thread-safe.
class SpinRoom {
  public:
    SpinRoom() {
        cpu_set_t allowed;
        CPU_ZERO(&allowed);
        if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) left_ = CPU_COUNT(&allowed) - 1;
    }
    bool enter() {
        if (left_.fetch_sub(1, std::memory_order_relaxed) > 0) return true;
        leave();
        return false;
    }
    void leave() { left_.fetch_add(1, std::memory_order_relaxed); }

  private:
    std::atomic<int> left_ = 0;
};

// One thread's.
class Spin {
  public:
    // Room null: never spins.
    explicit Spin(SpinRoom* room) : room_(room) {}

    // Looks until `found()`, or until it is time to sleep. Whether it was found.
    template <typename Found>
    bool look(Found&& found) {
        if (room_ == nullptr || !worth_it() || !room_->enter()) return false;
        const auto end = std::chrono::steady_clock::now() + kTime;
        bool done = false;
        do {
            for (int i = 0; i < 16 && !done; ++i) {
                done = found();
                if (!done) pause();
            }
        } while (!done && std::chrono::steady_clock::now() < end);
        room_->leave();
        credit_ = done ? (credit_ < kMostCredit ? credit_ + 1 : credit_) : (credit_ > 0 ? credit_ - 1 : 0);
        return done;
    }

  private:
    static constexpr std::chrono::microseconds kTime{30};
    static constexpr std::uint32_t kMostCredit = 8;
    static constexpr std::uint32_t kRetry = 64;  // sleeps until it is tried again after it was not worth it

    bool worth_it() {
        if (credit_ > 0) return true;
        if (++skipped_ < kRetry) return false;
        skipped_ = 0;
        return true;
    }
    static void pause() {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }

    SpinRoom* room_;
    std::uint32_t credit_ = kMostCredit;
    std::uint32_t skipped_ = 0;
};

}  // namespace host
