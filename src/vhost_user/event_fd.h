// An eventfd that counts signals until somebody takes them; never blocks. Must never know: who waits for it.
#pragma once

#include <sys/eventfd.h>

#include <cstdint>

#include "vhost_user/fd.h"

namespace vhost_user {

class EventFd {
  public:
    EventFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

    explicit operator bool() const { return static_cast<bool>(fd_); }
    int get() const { return fd_.get(); }  // for poll(); readable while there are signals

    void signal() const { signal(fd_.get()); }
    // How many signals came since the last time.
    std::uint64_t take() const {
        std::uint64_t count = 0;
        return ::read(fd_.get(), &count, sizeof count) == sizeof count ? count : 0;
    }

    // The same for a descriptor of somebody else's.
    static void signal(int fd) {
        const std::uint64_t one = 1;
        // Fails only if the counter is full, and then the other side has been told already.
        (void)!::write(fd, &one, sizeof one);
    }

  private:
    Fd fd_;
};

}  // namespace vhost_user
