// virtiofs-mount: mounts what a virtiofs daemon shares on this machine, over /dev/fuse. Test instrument.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "lab/bridge/local_mount.h"
#include "lab/channel/daemon.h"

namespace {

constexpr int kFailed = 125;  // apart from most programs' exit codes
constexpr char kUsage[] =
    "usage: virtiofs-mount --socket PATH MOUNTPOINT [-- PROGRAM ARGUMENTS...]\n"
    "       virtiofs-mount --daemon BINARY --share DIRECTORY [OPTIONS] MOUNTPOINT [-- PROGRAM ARGUMENTS...]\n"
    "Mounts what a virtiofs daemon shares. With a program the mount is seen by that program alone and ends "
    "with it;\n"
    "exit code: the program's, or 125 if the mount failed or was lost. Without one it lasts until Ctrl-C, "
    "SIGTERM or\n"
    "umount. Needs root.\n"
    "  --socket PATH       of a daemon that is running\n"
    "  --daemon BINARY     starts one\n"
    "  --share DIRECTORY   for it to share\n"
    "  --cache MODE        for it: auto (default), always or none\n"
    "  --daemon-arg ARG    for it, as it is; may be repeated\n"
    "  --interrupts        passes INTERRUPT to the daemon; Debian's crashes at some\n"
    "  --readers N         threads that read requests (default 2)\n";

struct Options {
    std::string socket;
    lab::DaemonOptions daemon{.directory = {}, .binary = {}};
    lab::Carrier::Options carrier;
    std::string mountpoint;
    std::vector<std::string> program;
};

bool parse(const std::vector<std::string>& words, Options& options) {
    std::size_t i = 0;
    for (; i < words.size() && words[i] != "--"; ++i) {
        const std::string& word = words[i];
        if (!word.starts_with("--")) {
            if (!options.mountpoint.empty()) return false;
            options.mountpoint = word;
            continue;
        }
        if (word == "--interrupts") {
            options.carrier.interrupts = true;
            continue;
        }
        if (++i == words.size()) return false;
        const std::string& value = words[i];
        if (word == "--socket") {
            options.socket = value;
        } else if (word == "--daemon") {
            options.daemon.binary = value;
        } else if (word == "--share") {
            options.daemon.directory = value;
        } else if (word == "--cache") {
            options.daemon.cache = value;
        } else if (word == "--daemon-arg") {
            options.daemon.arguments.push_back(value);
        } else if (word == "--readers") {
            if (value.size() != 1 || value[0] < '1' || value[0] > '9') return false;
            options.carrier.readers = static_cast<std::size_t>(value[0] - '0');
        } else {
            return false;
        }
    }
    if (i < words.size())
        options.program.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
    const bool starts = !options.daemon.binary.empty();
    return !options.mountpoint.empty() && starts == options.socket.empty() &&
           starts == !options.daemon.directory.empty();
}

int fail(const std::string& why) {
    std::fprintf(stderr, "virtiofs-mount: %s\n", why.c_str());
    return kFailed;
}

// Mounts, runs or waits, and unmounts.
int serve(const Options& options, const std::string& socket_path) {
    vhost_user::Fd signals = lab::block_signals();
    auto socket = vhost_user::connect_unix(socket_path, vhost_user::within(options.carrier.timeout));
    if (!socket) return fail(socket.error());
    auto carrier = lab::Carrier::connect(std::move(*socket), options.carrier);
    if (!carrier) return fail(carrier.error());
    if (!options.program.empty()) {
        if (auto left = lab::leave_mount_namespace(); !left) return fail(left.error());
    }
    auto mount = lab::LocalMount::make(std::move(*carrier), options.mountpoint, std::move(signals));
    if (!mount) return fail(mount.error());
    int code = 0;
    if (options.program.empty()) {
        std::printf("mounted on %s\n", options.mountpoint.c_str());
        std::fflush(stdout);
        (*mount)->wait();
    } else {
        const auto ended = (*mount)->run(options.program);
        if (!ended) return fail(ended.error());
        code = *ended;
    }
    if (auto unmounted = (*mount)->unmount(); !unmounted) return fail(unmounted.error());
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse({argv + 1, argv + argc}, options)) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    if (options.daemon.binary.empty()) return serve(options, options.socket);

    // Before signals are blocked and name spaces changed: the daemon is not to inherit that.
    auto daemon = lab::Daemon::start(options.daemon);
    if (!daemon) return fail(daemon.error());
    const int code = serve(options, (*daemon)->socket_path());
    constexpr std::chrono::seconds kEnding{10};
    const bool ended = (*daemon)->wait_for_exit(kEnding);
    const std::string log = (*daemon)->log();
    const bool found = log.find("Sanitizer") != std::string::npos;
    if (code == kFailed || found || !ended) std::fprintf(stderr, "The daemon's log:\n%s", log.c_str());
    if (found) return fail("a sanitizer found something in the daemon");
    if (!ended) return fail("the daemon did not end with its connection");
    return code;
}
