// Whether to look for more work for a few microseconds before sleeping: only where a processor is spare, and
// as long as that has been worth it. Must never know: what the work is.
#pragma once

#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <utility>

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
        auto now = std::chrono::steady_clock::now();
        const auto end = now + kTime;
        bool done = false;
        bool preempted = false;
        do {
            for (int i = 0; i < 16 && !done; ++i) {
                done = found();
                if (!done) pause();
            }
            const auto before = std::exchange(now, std::chrono::steady_clock::now());
            preempted = preempted || now - before > kTime;
        } while (!done && now < end);
        room_->leave();
        // Somebody else needed this processor: none is spare.
        if (preempted || (!done && credit_ > 0)) credit_ = preempted ? 0 : credit_ - 1;
        if (!preempted && done && credit_ < kMostCredit) ++credit_;
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
