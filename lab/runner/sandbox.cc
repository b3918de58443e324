#include "lab/runner/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "lab/runner/standard_streams.h"

namespace lab {

namespace {

constexpr int kSetupFailed = 125;

int complain(const std::string& what) {
    fmt::print(stderr, "lab/run: {}: {}\n", what, strerror(errno));
    return kSetupFailed;
}

bool mount_tmpfs(const std::string& where, const char* options) {
    return mount("tmpfs", where.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

// Mounts as seen by everything in the sandbox. 0, or an exit code after a message.
int set_up_mounts(const SandboxMounts& mounts) {
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        return complain("cannot make mounts private");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0)
        return complain("cannot mount /proc");
    if (!mount_tmpfs("/dev/shm", "mode=1777")) return complain("cannot mount a private /dev/shm");
    if (!mount_tmpfs(mounts.scratch, "mode=0700"))
        return complain("cannot mount a tmpfs on " + mounts.scratch);
    // wineserver's socket directory, and where Debian's virtiofsd locks a file named after its socket.
    for (const std::string& directory :
         {fmt::format("/tmp/.wine-{}", getuid()), std::string("/run/virtiofsd")}) {
        if (mkdir(directory.c_str(), 0700) < 0 && errno != EEXIST)
            return complain("cannot make " + directory);
        if (!mount_tmpfs(directory, "mode=0700")) return complain("cannot mount a tmpfs on " + directory);
    }
    const std::string upper = mounts.scratch + "/prefix-upper";
    const std::string work = mounts.scratch + "/prefix-work";
    if (mkdir(upper.c_str(), 0700) < 0 || mkdir(work.c_str(), 0700) < 0)
        return complain("cannot make " + upper);
    const std::string options =
        fmt::format("lowerdir={},upperdir={},workdir={}", mounts.prefix_lower, upper, work);
    if (mount("overlay", mounts.prefix.c_str(), "overlay", 0, options.c_str()) == 0) return 0;
    // No overlay file system here: a copy on the tmpfs does the same, slower.
    std::error_code error;
    if (!mount_tmpfs(mounts.prefix, "mode=0700")) return complain("cannot mount a tmpfs on " + mounts.prefix);
    std::filesystem::copy(
        mounts.prefix_lower, mounts.prefix,
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks, error);
    if (!error) return 0;
    fmt::print(stderr, "lab/run: cannot copy the Wine prefix {}: {}\n", mounts.prefix_lower, error.message());
    return kSetupFailed;
}

// First process of the pid namespace: runs the body in a child and reaps orphans until that child ends. When
// it returns, the kernel ends every process left.
int reap_until_done(const SandboxMounts& mounts, const std::function<int()>& body) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (const int failed = set_up_mounts(mounts); failed != 0) return failed;
    const pid_t worker = fork();
    if (worker < 0) return complain("cannot fork");
    if (worker == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        std::exit(body());
    }
    release_standard_streams();
    for (;;) {
        int status = 0;
        const pid_t ended = wait(&status);
        if (ended == worker) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (ended < 0 && errno != EINTR) return complain("lost the lab's processes");
    }
}

}  // namespace

int run_in_sandbox(const SandboxMounts& mounts, const std::function<int()>& body) {
    // Signals are taken by sigwait below, in order with the child's end.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD})
        sigaddset(&signals, number);
    sigprocmask(SIG_BLOCK, &signals, nullptr);

    if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) {
        return complain("cannot make namespaces (root is needed, as Debian's virtiofsd needs it)");
    }
    const pid_t first = fork();
    if (first < 0) return complain("cannot fork");
    if (first == 0) _exit(reap_until_done(mounts, body));
    release_standard_streams();  // for whoever waits for the end of the output of a run that is kept
    for (;;) {
        int number = 0;
        sigwait(&signals, &number);
        if (number != SIGCHLD) {
            kill(first, SIGKILL);
            waitpid(first, nullptr, 0);
            return 128 + number;
        }
        int status = 0;
        if (waitpid(first, &status, WNOHANG) == first) {
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
    }
}

}  // namespace lab
