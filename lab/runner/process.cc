#include "lab/runner/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <ranges>
#include <string_view>
#include <utility>

namespace lab {

namespace {

int exit_code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// The argument and environment vectors of a program, made before the fork: afterwards nothing may allocate.
class ProgramVectors {
  public:
    explicit ProgramVectors(const ProcessSpec& spec) {
        for (const auto& argument : spec.arguments)
            arguments_.push_back(const_cast<char*>(argument.c_str()));
        arguments_.push_back(nullptr);
        for (char** entry = environ; *entry != nullptr; ++entry) {
            const std::string_view text(*entry);
            if (!spec.environment.contains(std::string(text.substr(0, text.find('=')))))
                settings_.emplace_back(text);
        }
        for (const auto& [name, value] : spec.environment)
            settings_.emplace_back(name).append("=").append(value);
        for (auto& setting : settings_)
            environment_.push_back(setting.data());
        environment_.push_back(nullptr);
    }
    char* const* arguments() const { return arguments_.data(); }
    char* const* environment() const { return environment_.data(); }

  private:
    std::vector<char*> arguments_;
    std::vector<std::string> settings_;
    std::vector<char*> environment_;
};

[[noreturn]] void exec_child(const ProcessSpec& spec, const ProgramVectors& program, int error_pipe) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto give_up = [&] {
        const int error = errno;
        [[maybe_unused]] const ssize_t written = write(error_pipe, &error, sizeof error);
        _exit(127);
    };
    if (!spec.inherit_stdin) {
        const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0) give_up();
    }
    if (!spec.log_file.empty()) {
        const int log = open(spec.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) give_up();
    }
    execve(program.arguments()[0], program.arguments(), program.environment());
    give_up();
    _exit(127);
}

}  // namespace

std::expected<Process, std::string> Process::start(const ProcessSpec& spec) {
    int error_pipe[2];
    if (pipe2(error_pipe, O_CLOEXEC) < 0)
        return std::unexpected(fmt::format("cannot make a pipe: {}", strerror(errno)));
    const ProgramVectors program(spec);
    const pid_t pid = fork();
    if (pid == 0) exec_child(spec, program, error_pipe[1]);
    const int fork_error = errno;
    close(error_pipe[1]);
    int exec_error = 0;
    ssize_t got = 0;
    if (pid > 0) {
        do
            got = read(error_pipe[0], &exec_error, sizeof exec_error);
        while (got < 0 && errno == EINTR);
    }
    close(error_pipe[0]);
    if (pid < 0) {
        return std::unexpected(fmt::format("cannot start {}: {}", spec.arguments[0], strerror(fork_error)));
    }
    if (got == sizeof exec_error) {
        waitpid(pid, nullptr, 0);
        return std::unexpected(fmt::format("cannot run {}: {}", spec.arguments[0], strerror(exec_error)));
    }
    return Process(pid);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(std::exchange(other.exit_code_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(exit_code_, other.exit_code_);
    return *this;
}

Process::~Process() {
    if (pid_ < 0 || poll()) return;
    kill(pid_, SIGKILL);
    wait();
}

std::optional<int> Process::poll() {
    if (exit_code_) return exit_code_;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) exit_code_ = exit_code_of(status);
    return exit_code_;
}

std::optional<int> Process::wait_for(std::chrono::milliseconds timeout) {
    if (poll()) return exit_code_;
    const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    if (descriptor < 0) return poll();
    pollfd event{.fd = descriptor, .events = POLLIN, .revents = 0};
    ::poll(&event, 1, static_cast<int>(timeout.count()));
    close(descriptor);
    return poll();
}

int Process::wait() {
    while (!exit_code_) {
        int status = 0;
        if (waitpid(pid_, &status, 0) == pid_) {
            exit_code_ = exit_code_of(status);
        } else if (errno != EINTR) {
            exit_code_ = 127;  // reaped elsewhere
        }
    }
    return *exit_code_;
}

void Process::signal_family(int number) const {
    if (pid_ <= 0 || exit_code_) return;
    // The parent of each process there is.
    std::multimap<pid_t, pid_t> children;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const pid_t pid = atoi(entry.path().filename().c_str());
        std::ifstream in(entry.path() / "status");
        for (std::string line; pid > 0 && std::getline(in, line);) {
            if (line.starts_with("PPid:")) children.emplace(atoi(line.c_str() + 5), pid);
        }
    }
    std::vector<pid_t> family{pid_};
    for (std::size_t i = 0; i < family.size(); ++i) {
        const auto [first, last] = children.equal_range(family[i]);
        for (auto child = first; child != last; ++child)
            family.push_back(child->second);
    }
    // From the youngest on, so that no parent can act on the end of its child first.
    for (const pid_t member : std::views::reverse(family))
        kill(member, number);
}

void Process::signal(int number) const {
    if (pid_ > 0 && !exit_code_) kill(pid_, number);
}

std::string tail_of(const std::string& file, std::size_t lines) {
    std::ifstream in(file);
    std::vector<std::string> kept;
    for (std::string line; std::getline(in, line);) {
        if (kept.size() == lines) kept.erase(kept.begin());
        kept.push_back(line);
    }
    std::string text;
    for (const auto& line : kept)
        text += "    " + line + "\n";
    return text;
}

}  // namespace lab
