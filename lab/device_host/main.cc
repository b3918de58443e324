// device-host: stands in for the virtio-fs device and its driver. Connects to a virtiofsd and offers the
// device's control codes to the lab's processes under Wine, until SIGTERM or SIGINT. When the daemon goes the
// device stays, and reaches the next one that listens at the same socket.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "lab/channel/vhost_user_channel.h"
#include "lab/control/control.h"
#include "lab/device_host/bus.h"
#include "lab/device_host/device.h"

namespace {

struct Options {
    std::string socket;
    std::string tag;
    std::string session;
    unsigned index = 0;
    std::uint32_t request_queues = 1;
    std::string ready_file;
    std::string control;
    bool absent = false;
};

// How often a lost daemon's socket is tried, in ms. It listens some time after the file appears, so that the
// file's making would not tell enough.
constexpr int kReconnectPause = 50;

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

// The device with its daemon, its users and who gives orders. Everything but the device's calls happens on
// one thread.
class Host {
  public:
    Host(const Options& options, std::u16string tag)
        : options_(options), device_(std::move(tag)), lost_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        device_.on_lost([this] {
            const std::uint64_t one = 1;
            static_cast<void>(!::write(lost_.get(), &one, sizeof one));
        });
    }

    std::expected<void, std::string> start() {
        if (auto connected = connect(); !connected) return connected;
        bus_ = lab::device_host::Bus::open(options_.session.c_str());
        if (bus_ == nullptr) return std::unexpected("cannot make the session's shared memory in /dev/shm");
        const std::string name = lab::device_host::kChannelPrefix + options_.session +
                                 lab::device_host::kChannelMiddle + std::to_string(options_.index);
        auto server =
            lab::transport::Server::start({.name = name, .slots = lab::device_host::kSlots}, device_);
        if (!server) return std::unexpected(server.error());
        server_ = std::move(*server);
        bus_->departed(options_.index);  // one that died did not say so
        if (!options_.control.empty()) {
            auto control = lab::ControlSocket::listen(options_.control);
            if (!control) return std::unexpected(control.error());
            control_.emplace(std::move(*control));
        }
        if (!options_.absent) arrive();
        return {};
    }

    // Until one of the signals comes.
    void serve_until(int signals) {
        std::array<pollfd, 3> entries{
            {{.fd = signals, .events = POLLIN, .revents = 0},
             {.fd = lost_.get(), .events = POLLIN, .revents = 0},
             {.fd = control_ ? control_->fd() : -1, .events = POLLIN, .revents = 0}}};
        for (;;) {
            const int ready = ::poll(entries.data(), entries.size(), channel_ ? -1 : kReconnectPause);
            if (ready < 0 && errno != EINTR) break;
            if (ready > 0 && entries[0].revents != 0) break;
            if (ready > 0 && entries[1].revents != 0) note_loss();
            if (ready > 0 && entries[2].revents != 0) {
                control_->serve_waiting([this](const std::string& order) { return carry_out(order); });
            }
            if (!channel_ && connect()) spdlog::info("a daemon is there again");
        }
        spdlog::info("ending: {} opens, {} messages in flight", device_.open_count(), device_.in_flight());
        bus_->departed(options_.index);
        device_.end_watches();
        server_.reset();
        device_.detach();
    }

  private:
    std::expected<void, std::string> connect() {
        auto channel = lab::VhostUserChannel::connect(
            options_.socket,
            {.max_message_bytes = lab::transport::kPayloadBytes, .request_queues = options_.request_queues});
        if (!channel) return std::unexpected(channel.error());
        channel_ = std::move(*channel);
        device_.attach(*channel_);
        if (!channel_->loss_reason().empty()) device_.channel_lost(channel_->epoch());
        return {};
    }

    void note_loss() {
        std::uint64_t count = 0;
        static_cast<void>(!::read(lost_.get(), &count, sizeof count));
        if (!channel_) return;
        spdlog::warn("the daemon is gone ({}): requests fail until one listens at {} again",
                     channel_->loss_reason(), options_.socket);
        device_.detach();
        channel_.reset();
    }

    void arrive() {
        device_.arrive();
        bus_->arrived(options_.index);
    }

    std::expected<void, std::string> carry_out(const std::string& order) {
        spdlog::info("order: {}", order);
        if (order == "add") {
            arrive();
        } else if (order == "remove") {
            if (auto removed = device_.remove(); !removed) return removed;
            bus_->departed(options_.index);
        } else if (order == "fail-removal") {
            device_.fail_removal();
        } else if (order == "pull-out") {
            device_.pull_out();
            bus_->departed(options_.index);
        } else if (order == "busy") {
            if (device_.in_flight() == 0) return std::unexpected("no request is in flight");
        } else {
            return std::unexpected("unknown order '" + order +
                                   "': add, remove, fail-removal, pull-out, busy");
        }
        return {};
    }

    const Options options_;
    std::unique_ptr<lab::VhostUserChannel> channel_;  // none while there is no daemon
    lab::device_host::Device device_;
    const vhost_user::Fd lost_;  // an eventfd
    lab::device_host::Bus* bus_ = nullptr;
    std::unique_ptr<lab::transport::Server> server_;
    std::optional<lab::ControlSocket> control_;
};

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

    Host device(options, tag);
    if (const auto started = device.start(); !started) {
        spdlog::error("{}", started.error());
        return 1;
    }
    if (!make_ready_file(options.ready_file)) return 1;
    spdlog::info("device {} with tag '{}' of session {} serves {}", options.index, options.tag,
                 options.session, options.socket);
    const vhost_user::Fd signals(::signalfd(-1, &ending, SFD_CLOEXEC));
    device.serve_until(signals.get());
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
    app.add_option("--control", options.control,
                   "A socket for lab/tell's orders: add, remove, fail-removal, pull-out, busy");
    app.add_flag("--absent", options.absent, "The device comes with the order add");
    CLI11_PARSE(app, argc, argv);
    return run(options);
}
