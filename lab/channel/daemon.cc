#include "lab/channel/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "lab/channel/descriptor_limit.h"
#include "vhost_user/fd.h"

namespace lab {
namespace {

constexpr int kListenerInDaemon = 3;

std::unexpected<std::string> fail(const std::string& what, int error) {
    return std::unexpected(what + ": " + std::strerror(error));
}

// A comma would end an option's value; the daemon takes two for one.
std::string doubled_commas(const std::string& text) {
    std::string result;
    for (const char c : text)
        result.append(c == ',' ? 2 : 1, c);
    return result;
}

// Whether every thread of a process is stopped by a signal ("T" in /proc's stat).
bool all_threads_stopped(pid_t pid) {
    std::error_code error;
    const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
    for (std::filesystem::directory_iterator it(tasks, error), end; !error && it != end;
         it.increment(error)) {
        std::ifstream file(it->path() / "stat");
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        // The state follows the name in parentheses, which may itself hold parentheses.
        const std::size_t name_end = text.rfind(')');
        if (name_end != std::string::npos && text.substr(name_end, 3) != ") T") return false;
    }
    return true;
}

class SpawnActions {
  public:
    SpawnActions() {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
    }
    ~SpawnActions() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;

    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
};

}  // namespace

std::string default_daemon() {
    const char* const named = std::getenv("VIRTIOFSD");
    return named != nullptr && *named != '\0' ? named : LAB_BUILT_DAEMON;
}

std::vector<std::string> descriptor_for_each_node() {
    if (default_daemon() == kDebiansDaemon) return {};
    return {"--inode-file-handles=never"};
}

std::expected<std::unique_ptr<Daemon>, std::string> Daemon::start(DaemonOptions options) {
    std::unique_ptr<Daemon> daemon(new Daemon);
    std::error_code error;
    std::string directory = std::filesystem::temp_directory_path(error) / "virtiofs-daemon-XXXXXX";
    if (error || ::mkdtemp(directory.data()) == nullptr)
        return fail("cannot make the directory " + directory, errno);
    daemon->directory_ = directory;
    daemon->socket_path_ = directory + "/socket";

    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (daemon->socket_path_.size() >= sizeof address.sun_path) {
        return fail("cannot listen on " + daemon->socket_path_, ENAMETOOLONG);
    }
    std::memcpy(address.sun_path, daemon->socket_path_.c_str(), daemon->socket_path_.size() + 1);
    const vhost_user::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener || ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 1) != 0) {
        return fail("cannot listen on " + daemon->socket_path_, errno);
    }
    const std::string log_path = directory + "/log";
    const vhost_user::Fd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!log) return fail("cannot write " + log_path, errno);

    std::vector<std::string> arguments{options.binary,
                                       "-f",
                                       "--fd=" + std::to_string(kListenerInDaemon),
                                       "-o",
                                       "source=" + doubled_commas(options.directory),
                                       "-o",
                                       "cache=" + options.cache};
    arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);

    // A group of its own, so that signals reach the sandbox's child too; no descriptors but the ones named
    // here.
    SpawnActions spawn;
    ::posix_spawn_file_actions_addopen(&spawn.actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&spawn.actions, log.get(), 1);
    ::posix_spawn_file_actions_adddup2(&spawn.actions, log.get(), 2);
    ::posix_spawn_file_actions_adddup2(&spawn.actions, listener.get(), kListenerInDaemon);
    ::posix_spawn_file_actions_addclosefrom_np(&spawn.actions, kListenerInDaemon + 1);
    ::posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETPGROUP);
    ::posix_spawnattr_setpgroup(&spawn.attributes, 0);
    raise_descriptor_limit();
    const int spawned = ::posix_spawn(&daemon->pid_, options.binary.c_str(), &spawn.actions,
                                      &spawn.attributes, argv.data(), environ);
    if (spawned != 0) {
        daemon->pid_ = -1;
        return fail("cannot start " + options.binary, spawned);
    }
    return daemon;
}

Daemon::~Daemon() {
    kill();
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

pid_t Daemon::serving_pid() const {
    if (pid_ <= 0) return -1;
    const std::string process = std::to_string(pid_);
    std::ifstream children("/proc/" + process + "/task/" + process + "/children");
    pid_t child = -1;
    return children >> child ? child : pid_;
}

std::expected<std::size_t, std::string> Daemon::descriptor_count() const {
    const std::string path = "/proc/" + std::to_string(serving_pid()) + "/fd";
    std::error_code error;
    std::size_t count = 0;
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
        ++count;
    if (error)
        return std::unexpected("cannot list the daemon's descriptors in " + path + ": " + error.message());
    return count;
}

std::string Daemon::log() const {
    std::ifstream file(directory_ + "/log");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool Daemon::running() const {
    if (pid_ <= 0) return false;
    if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
    pid_ = -1;
    return false;
}

void Daemon::kill() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

void Daemon::pause() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGSTOP);
    // kill() does not wait, and the stop of a process that is no child of ours tells nobody: look until it
    // is.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!all_threads_stopped(serving_pid()) && std::chrono::steady_clock::now() < deadline) {
        ::poll(nullptr, 0, 1);
    }
}

void Daemon::resume() {
    if (pid_ > 0) ::kill(-pid_, SIGCONT);
}

bool Daemon::wait_for_exit(std::chrono::milliseconds time) {
    if (!running()) return true;
    const vhost_user::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd entry{.fd = process.get(), .events = POLLIN, .revents = 0};
    if (process) ::poll(&entry, 1, static_cast<int>(time.count()));
    return !running();
}

}  // namespace lab
