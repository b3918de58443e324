#include <windows.h>

#include <algorithm>

#include "threads/mutex.h"

namespace threads {
namespace {

static_assert(sizeof(SRWLOCK) == sizeof(void*) && sizeof(CONDITION_VARIABLE) == sizeof(void*));

// All zero is both structures' initial state.
SRWLOCK* system_lock(void*& lock) {
    return reinterpret_cast<SRWLOCK*>(&lock);
}
CONDITION_VARIABLE* system_condition(void*& condition) {
    return reinterpret_cast<CONDITION_VARIABLE*>(&condition);
}

}  // namespace

void Mutex::lock() noexcept {
    AcquireSRWLockExclusive(system_lock(lock_));
}
void Mutex::unlock() noexcept {
    ReleaseSRWLockExclusive(system_lock(lock_));
}
bool Mutex::try_lock() noexcept {
    return TryAcquireSRWLockExclusive(system_lock(lock_)) != 0;
}

void Condition::notify_one() noexcept {
    WakeConditionVariable(system_condition(condition_));
}
void Condition::notify_all() noexcept {
    WakeAllConditionVariable(system_condition(condition_));
}
void Condition::sleep(Mutex& mutex, std::chrono::milliseconds time) noexcept {
    constexpr std::chrono::milliseconds::rep kLongest = INFINITE - 1;
    const DWORD limit = time == std::chrono::milliseconds::max()
                            ? INFINITE
                            : static_cast<DWORD>(std::min(time.count(), kLongest));
    SleepConditionVariableSRW(system_condition(condition_), system_lock(mutex.lock_), limit, 0);
}

}  // namespace threads
