#include "host/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "host/system_error.h"

namespace host {
namespace {

using vhost_user::Fd;

sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : signals)
        ::sigaddset(&set, signal);
    return set;
}

}  // namespace

std::expected<Fork, std::string> fork_supervised() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("cannot make a pipe");
    Fd reading(ends[0]);
    Fd writing(ends[1]);
    // Blocked, the child's end is not missed by who waits for signals.
    const sigset_t child_signal = set_of({SIGCHLD});
    ::pthread_sigmask(SIG_BLOCK, &child_signal, nullptr);
    const pid_t child = ::fork();
    if (child < 0) return system_error("cannot fork");
    if (child == 0) {
        ::pthread_sigmask(SIG_UNBLOCK, &child_signal, nullptr);
        return Fork{.child = 0, .parent = std::move(reading)};
    }
    // The writing end stays open until this process ends: that is how the child learns of it.
    return Fork{.child = child, .parent = std::move(writing)};
}

std::expected<void, std::string> die_with_parent(const Fork& fork) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return system_error("cannot be tied to the parent process");
    pollfd end{.fd = fork.parent.get(), .events = POLLIN, .revents = 0};
    if (::poll(&end, 1, 0) != 0) return std::unexpected("the parent process is gone");
    return {};
}

int supervise(const Fork& fork) {
    const sigset_t signals = set_of({SIGTERM, SIGINT, SIGHUP, SIGCHLD});
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    while (true) {
        int status = 0;
        const pid_t ended = ::waitpid(fork.child, &status, WNOHANG);
        if (ended == fork.child) {
            if (WIFEXITED(status)) return WEXITSTATUS(status);
            spdlog::error("the serving process was killed by signal {} ({})", WTERMSIG(status),
                          ::strsignal(WTERMSIG(status)));
            return 128 + WTERMSIG(status);
        }
        if (ended < 0 && errno != EINTR) {
            spdlog::error("{}", system_error("cannot wait for the serving process").error());
            return 1;
        }
        const int signal = ::sigwaitinfo(&signals, nullptr);
        if (signal > 0 && signal != SIGCHLD) ::kill(fork.child, signal);
    }
}

}  // namespace host
