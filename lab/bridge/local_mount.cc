#include "lab/bridge/local_mount.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <thread>

namespace lab {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kAgreement{15};
constexpr std::chrono::seconds kEnding{60};  // of a program without its mount, and of unmounting
constexpr int kNotStarted = 127;

std::unexpected<std::string> fail(const std::string& what) {
    return std::unexpected(what + ": " + std::strerror(errno));
}

sigset_t awaited_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGINT);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGCHLD);
    return set;
}

// In the child after fork(): becomes the program, which dies with its parent.
[[noreturn]] void become(char* const* argv, pid_t parent) {
    const sigset_t set = awaited_signals();
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kNotStarted);
    ::execvp(argv[0], argv);
    constexpr char kMessage[] = "virtiofs-mount: cannot start the program\n";
    (void)!::write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
    ::_exit(kNotStarted);
}

// The program's exit code if it has ended.
std::optional<int> exit_code_of(pid_t program) {
    int status = 0;
    if (::waitpid(program, &status, WNOHANG) != program) return std::nullopt;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::expected<void, std::string> leave_mount_namespace() {
    if (::unshare(CLONE_NEWNS) != 0) return fail("cannot make a mount name space (it needs root)");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        return fail("cannot make the mount name space private");
    }
    return {};
}

vhost_user::Fd block_signals() {
    const sigset_t set = awaited_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    return vhost_user::Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::expected<std::unique_ptr<LocalMount>, std::string> LocalMount::make(std::unique_ptr<Carrier> carrier,
                                                                         const std::string& mountpoint,
                                                                         vhost_user::Fd signals) {
    auto device = FuseDevice::mount(mountpoint, Slot::kDataBytes);
    if (!device) return std::unexpected(device.error());
    std::unique_ptr<LocalMount> made(
        new LocalMount(std::move(carrier), std::move(*device), std::move(signals)));
    if (auto served = made->carrier_->serve(made->device_); !served) return std::unexpected(served.error());
    if (!made->carrier_->wait_until_agreed(kAgreement)) {
        const std::string why = made->carrier_->problem();
        return std::unexpected(why.empty() ? "the daemon did not answer INIT in time" : why);
    }
    return made;
}

LocalMount::~LocalMount() {
    if (!unmounted_) abort("");
}

void LocalMount::abort(const std::string& why) {
    if (loss_.empty()) loss_ = why;
    carrier_->stop();
    device_.close();
}

LocalMount::Event LocalMount::next_event(int other, Clock::time_point deadline) {
    std::array<pollfd, 4> entries{
        {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
         {.fd = other, .events = POLLIN, .revents = 0},
         {.fd = loss_.empty() ? carrier_->socket() : -1, .events = POLLIN, .revents = 0},
         {.fd = loss_.empty() ? carrier_->failure() : -1, .events = POLLIN, .revents = 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const int wait = deadline == Clock::time_point::max() ? -1 : std::max(0, static_cast<int>(left.count()));
    const int ready = ::poll(entries.data(), entries.size(), wait);
    if (ready == 0) return Event::kTimeout;
    if (entries[1].revents != 0) return Event::kOther;
    if (entries[0].revents != 0) return Event::kSignal;
    if (entries[2].revents != 0) {
        abort("the daemon has gone; the mount is dead (ENOTCONN)");
        return Event::kLost;
    }
    if (entries[3].revents != 0) {
        const std::string why = carrier_->problem();
        if (why.empty()) return Event::kUnmounted;
        abort(why);
        return Event::kLost;
    }
    return Event::kSignal;
}

std::expected<int, std::string> LocalMount::run(const std::vector<std::string>& command) {
    std::vector<std::string> words = command;
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t program = ::fork();
    if (program < 0) return fail("cannot start " + command.front());
    if (program == 0) become(argv.data(), parent);

    auto deadline = Clock::time_point::max();
    while (true) {
        if (const auto code = exit_code_of(program)) return *code;
        switch (next_event(-1, deadline)) {
            case Event::kSignal: {
                signalfd_siginfo info{};
                while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
                    if (info.ssi_signo != SIGCHLD) ::kill(program, static_cast<int>(info.ssi_signo));
                }
                break;
            }
            case Event::kTimeout:
                ::kill(program, SIGKILL);
                deadline = Clock::time_point::max();
                break;
            case Event::kLost:
                deadline = Clock::now() + kEnding;
                break;
            case Event::kUnmounted:
                abort("the mount was taken away from the program");
                deadline = Clock::now() + kEnding;
                break;
            case Event::kOther:
                break;
        }
    }
}

void LocalMount::wait() {
    while (true) {
        switch (next_event(-1, Clock::time_point::max())) {
            case Event::kSignal: {
                signalfd_siginfo info{};
                while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
                    if (info.ssi_signo != SIGCHLD) return;
                }
                break;
            }
            case Event::kUnmounted:
                device_.forget_mountpoint();
                return;
            case Event::kLost:
                return;
            case Event::kOther:
            case Event::kTimeout:
                break;
        }
    }
}

std::expected<void, std::string> LocalMount::unmount() {
    const vhost_user::Fd done(::eventfd(0, EFD_CLOEXEC));
    std::expected<void, std::string> result;
    std::thread unmounter([&] {
        if (loss_.empty()) result = device_.unmount();
        const std::uint64_t one = 1;
        (void)!::write(done.get(), &one, sizeof one);
    });
    const auto deadline = Clock::now() + kEnding;
    for (bool over = !loss_.empty(); !over;) {
        switch (next_event(done.get(), deadline)) {
            case Event::kOther:
                over = true;
                break;
            case Event::kTimeout:
                abort("the daemon did not answer while unmounting");
                over = true;
                break;
            case Event::kLost:
                over = true;
                break;
            case Event::kSignal: {
                signalfd_siginfo info{};
                while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
                }
                break;
            }
            case Event::kUnmounted:
                // As it should: the thread is about to say so.
                pollfd entry{.fd = done.get(), .events = POLLIN, .revents = 0};
                ::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(kEnding).count()));
                over = true;
                break;
        }
    }
    unmounter.join();
    device_.detach();
    carrier_->stop();
    device_.close();
    unmounted_ = true;
    if (!loss_.empty()) return std::unexpected(loss_);
    return result;
}

}  // namespace lab
