// device-host: stands in for the virtio-fs device and its driver. Connects to a virtiofsd and offers the
// device's control codes to the lab's processes under Wine, until SIGTERM or SIGINT.
#include <fcntl.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "lab/channel/vhost_user_channel.h"
#include "lab/device_host/device.h"

namespace {

struct Options {
    std::string socket;
    std::string tag;
    std::string session;
    unsigned index = 0;
    std::uint32_t request_queues = 1;
    std::string ready_file;
};

// Sessions are named as the processes under Wine read VFSLAB_SESSION.
bool is_session_name(const std::string& session) {
    constexpr std::size_t kMaxSessionChars = 32;
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !session.empty() && session.size() <= kMaxSessionChars && std::ranges::all_of(session, plain);
}

sigset_t ending_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGINT);
    return set;
}

bool make_ready_file(const std::string& path) {
    if (path.empty()) return true;
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        spdlog::error("cannot create {}: {}", path, std::strerror(errno));
        return false;
    }
    ::close(file);
    return true;
}

int run(const Options& options) {
    namespace host = lab::device_host;
    const std::u16string tag = host::tag_from_utf8(options.tag);
    if (tag.empty()) {
        spdlog::error("--tag '{}': a tag is 1 to 36 bytes of UTF-8", options.tag);
        return 2;
    }
    if (!is_session_name(options.session)) {
        spdlog::error("--session '{}': use 1 to 32 letters, digits and '-'", options.session);
        return 2;
    }
    // Before any thread exists, so that all of them leave the signals to the wait below.
    const sigset_t ending = ending_signals();
    ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);

    auto channel = lab::VhostUserChannel::connect(
        options.socket,
        {.max_message_bytes = lab::transport::kPayloadBytes, .request_queues = options.request_queues});
    if (!channel) {
        spdlog::error("{}", channel.error());
        return 1;
    }
    host::Device device(**channel, tag);
    device.on_lost([] { spdlog::warn("the daemon is gone: requests fail from now on"); });
    const std::string name =
        host::kChannelPrefix + options.session + host::kChannelMiddle + std::to_string(options.index);
    auto server = lab::transport::Server::start({.name = name, .slots = host::kSlots}, device);
    if (!server) {
        spdlog::error("{}", server.error());
        return 1;
    }
    if (!make_ready_file(options.ready_file)) return 1;
    spdlog::info("device {} with tag '{}' of session {} serves {}", options.index, options.tag,
                 options.session, options.socket);
    int signal = 0;
    ::sigwait(&ending, &signal);
    spdlog::info("ending: {}; {} opens, {} messages in flight", ::strsignal(signal), device.open_count(),
                 device.in_flight());
    server->reset();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    spdlog::set_default_logger(spdlog::stderr_logger_mt("device-host"));
    spdlog::set_pattern("%n: %v");
    CLI::App app("Stands in for a virtio-fs device and its driver, for Windows programs under Wine.");
    Options options;
    app.add_option("--socket", options.socket, "The daemon's vhost-user socket")->required();
    app.add_option("--tag", options.tag, "The device's tag, up to 36 bytes")->required();
    app.add_option("--session", options.session, "The lab run, as in VFSLAB_SESSION")->required();
    app.add_option("--index", options.index, "Which of the session's devices")
        ->check(CLI::Range(0U, lab::device_host::kMaxDevices - 1))
        ->capture_default_str();
    app.add_option("--request-queues", options.request_queues, "At most; the daemon may offer less")
        ->check(CLI::Range(1U, 64U))
        ->capture_default_str();
    app.add_option("--ready-file", options.ready_file, "Is created once programs can open the device");
    CLI11_PARSE(app, argc, argv);
    return run(options);
}
