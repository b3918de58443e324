// A virtiofsd of its own for a test: started on a directory, observed, stopped and reaped.
// Must never know: what is said to it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace lab {

// The daemon that tests are about: what VIRTIOFSD names in the environment, else the one of this build.
std::string default_daemon();
inline constexpr char kDebiansDaemon[] = "/usr/lib/qemu/virtiofsd";
// Arguments with which it keeps a descriptor for each node that the guest knows, as Debian's always does.
std::vector<std::string> descriptor_for_each_node();

struct DaemonOptions {
    std::string directory;  // to be shared
    std::string binary = default_daemon();
    std::string cache = "auto";               // auto, always or none
    std::vector<std::string> arguments = {};  // further ones, e.g. {"-o", "xattr"}
};

// The daemon serves exactly one connection and exits when that ends. Needs root for the daemon's sandbox.
class Daemon {
  public:
    // The socket is listening when this returns, so that a connection is never refused. A daemon that
    // dislikes its arguments shows as a hang-up on that connection; log() says why.
    static std::expected<std::unique_ptr<Daemon>, std::string> start(DaemonOptions options);
    // Kills and reaps it and removes socket and log.
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    const std::string& socket_path() const { return socket_path_; }
    // The process that serves: with the daemon's sandbox a child of the one that was started, from the first
    // connection on.
    pid_t serving_pid() const;
    // Open descriptors of the serving process; an error once it is gone.
    std::expected<std::size_t, std::string> descriptor_count() const;
    // What it has written so far.
    std::string log() const;

    bool running() const;
    void kill();    // SIGKILL, and reaps; its connection hangs up
    void pause();   // SIGSTOP; no thread of it runs any more when this returns
    void resume();  // SIGCONT
    // Waits for it to exit by itself. False if it does not in time.
    bool wait_for_exit(std::chrono::milliseconds time);

  private:
    Daemon() = default;

    std::string directory_;  // private, for socket and log
    std::string socket_path_;
    mutable pid_t pid_ = -1;  // -1 once reaped; also its process group
};

}  // namespace lab
