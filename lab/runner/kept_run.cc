#include "lab/runner/kept_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "lab/runner/standard_streams.h"

namespace lab {

namespace {

namespace fs = std::filesystem;

constexpr int kFailed = 125;

int complain(const std::string& what) {
    fmt::print(stderr, "lab/run: {}: {}\n", what, strerror(errno));
    return kFailed;
}

int exit_code_of(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return complain("lost a child process");
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string note(const KeptRuns& runs, pid_t id) {
    return fmt::format("{}/{}", runs.directory, id);
}

// A file of the scratch directory as the run's own mounts show it.
std::string file_inside(const KeptRuns& runs, pid_t id, const std::string& name) {
    return fmt::format("/proc/{}/root{}/{}", id, runs.scratch, name);
}

constexpr const char* kKept = "kept";
constexpr const char* kEnd = "end";

// The id is read, too: every process of the run sees the file.
bool is_kept(const KeptRuns& runs, pid_t id) {
    std::ifstream in(file_inside(runs, id, kKept));
    pid_t noted = 0;
    return in >> noted && noted == id;
}

}  // namespace

void KeptRuns::add(pid_t id, const std::string& what) const {
    std::ofstream(scratch + "/" + kKept) << id << '\n';
    std::ofstream(note(*this, id)) << what << '\n';
}

void KeptRuns::remove(pid_t id) const {
    std::error_code ignored;
    fs::remove(note(*this, id), ignored);
}

std::vector<std::string> KeptRuns::list() const {
    std::vector<std::string> lines;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        const pid_t id = atoi(name.c_str());
        if (!is_kept(*this, id)) {
            remove(id);
            continue;
        }
        std::string what;
        std::ifstream in(entry.path());
        std::getline(in, what);
        lines.push_back(fmt::format("{}: {}", name, what));
    }
    return lines;
}

std::expected<void, std::string> KeptRuns::check(pid_t id) const {
    if (is_kept(*this, id)) return {};
    const auto lines = list();
    if (lines.empty()) return std::unexpected(fmt::format("no run {} is kept, nor any other", id));
    return std::unexpected(fmt::format("no run {} is kept; there are\n  {}", id, fmt::join(lines, "\n  ")));
}

std::expected<void, std::string> KeptRuns::end(pid_t id) const {
    if (auto known = check(id); !known) return known;
    const int process = static_cast<int>(syscall(SYS_pidfd_open, id, 0));
    if (process < 0) return std::unexpected(fmt::format("run {}: {}", id, strerror(errno)));
    std::ofstream(file_inside(*this, id, kEnd)) << '\n';
    constexpr int kTimeout = 30'000;  // ms; the service gets 10 s to close its files in order
    pollfd gone{.fd = process, .events = POLLIN, .revents = 0};
    if (poll(&gone, 1, kTimeout) != 1) kill(id, SIGTERM);
    poll(&gone, 1, kTimeout);
    close(process);
    return {};
}

bool KeptRuns::told_to_end() const {
    std::error_code error;
    return fs::exists(scratch + "/" + kEnd, error);
}

int run_in_background(const std::function<int(const std::function<void(int)>& hand_over)>& body) {
    int code_pipe[2];
    if (pipe2(code_pipe, O_CLOEXEC) < 0) return complain("cannot make a pipe");
    const pid_t background = fork();
    if (background < 0) return complain("cannot fork");
    if (background == 0) {
        close(code_pipe[0]);
        std::exit(body([&](int code) {
            [[maybe_unused]] const ssize_t written = write(code_pipe[1], &code, sizeof code);
            close(code_pipe[1]);
            release_standard_streams();
        }));
    }
    close(code_pipe[1]);
    sigset_t ends;
    sigemptyset(&ends);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&ends, number);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    const int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    if (signals < 0) return complain("cannot take signals");
    for (;;) {
        pollfd events[] = {{.fd = code_pipe[0], .events = POLLIN, .revents = 0},
                           {.fd = signals, .events = POLLIN, .revents = 0}};
        if (poll(events, 2, -1) < 0 && errno != EINTR) return complain("cannot wait");
        signalfd_siginfo signal{};
        if (events[1].revents != 0 && read(signals, &signal, sizeof signal) == sizeof signal)
            kill(background, static_cast<int>(signal.ssi_signo));
        if (events[0].revents == 0) continue;
        int code = 0;
        return read(code_pipe[0], &code, sizeof code) == sizeof code ? code : exit_code_of(background);
    }
}

int run_inside(pid_t id, const std::function<int()>& body) {
    // Both are opened first: inside, /proc shows other ids.
    std::vector<int> namespaces;
    for (const char* name : {"mnt", "pid_for_children"})
        namespaces.push_back(open(fmt::format("/proc/{}/ns/{}", id, name).c_str(), O_RDONLY | O_CLOEXEC));
    for (const int descriptor : namespaces) {
        if (setns(descriptor, 0) < 0) return complain(fmt::format("cannot enter run {}", id));
        close(descriptor);
    }
    const pid_t inside = fork();
    if (inside < 0) return complain("cannot fork");
    if (inside == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        std::exit(body());
    }
    return exit_code_of(inside);
}

}  // namespace lab
