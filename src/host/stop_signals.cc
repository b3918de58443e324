#include "host/stop_signals.h"

#include <sys/signalfd.h>

#include <csignal>

#include "host/system_error.h"

namespace host {

std::expected<vhost_user::Fd, std::string> catch_stop_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    ::sigaddset(&signals, SIGHUP);
    ::signal(SIGPIPE, SIG_IGN);
    if (::pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return system_error("cannot block signals");
    vhost_user::Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return system_error("cannot make a descriptor of signals");
    return fd;
}

}  // namespace host
