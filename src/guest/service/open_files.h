// The files WinFsp holds contexts of. A drive that goes away while programs have files open gets no Close for
// them; the volume wants them closed all the same. Must never know: what a file is.
#pragma once

#include <mutex>
#include <unordered_set>

#include "guest/volume/volume.h"

namespace guest::service {

class OpenFiles {
  public:
    // Throws std::bad_alloc.
    void add(File* file) {
        const std::lock_guard lock(mutex_);
        files_.insert(file);
    }
    void remove(File* file) noexcept {
        const std::lock_guard lock(mutex_);
        files_.erase(file);
    }
    // Closes what is left. No callback may be running.
    void close_all(Volume& volume) noexcept {
        for (File* file : files_)
            volume.close(file);
        files_.clear();
    }

  private:
    std::mutex mutex_;
    std::unordered_set<File*> files_;
};

}  // namespace guest::service
