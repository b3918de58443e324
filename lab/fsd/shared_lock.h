// A lock that many hold shared or one holds alone, for objects that come and go. A std::shared_mutex would
// do, but libstdc++ never frees what winpthreads allocates for one.
#pragma once

#include <cstddef>

#include "threads/mutex.h"

namespace lab::fsd {

// Meets the standard's SharedLockable; waiting for it alone keeps newcomers out.
class SharedLock {
  public:
    SharedLock() = default;
    SharedLock(const SharedLock&) = delete;
    SharedLock& operator=(const SharedLock&) = delete;

    void lock_shared() {
        std::unique_lock guard(mutex_);
        changed_.wait(guard, [this] { return !alone_; });
        ++shared_;
    }
    void unlock_shared() {
        const std::lock_guard guard(mutex_);
        if (--shared_ == 0 && alone_) changed_.notify_all();
    }
    void lock() {
        std::unique_lock guard(mutex_);
        changed_.wait(guard, [this] { return !alone_; });
        alone_ = true;
        changed_.wait(guard, [this] { return shared_ == 0; });
    }
    void unlock() {
        const std::lock_guard guard(mutex_);
        alone_ = false;
        changed_.notify_all();
    }

  private:
    threads::Mutex mutex_;
    threads::Condition changed_;
    std::size_t shared_ = 0;
    bool alone_ = false;  // held, or waited for
};

}  // namespace lab::fsd
