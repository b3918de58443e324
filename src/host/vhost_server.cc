#include "host/vhost_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "vhost_user/backend.h"
#include "virtio/fs_device.h"

namespace host {
namespace {

using Ended = VhostServer::Ended;

// How long a message that has begun may take to come whole, and an answer to be taken.
constexpr std::chrono::seconds kPatience{2};

// The rings that run, a thread each.
class Rings final : public vhost_user::Device {
  public:
    Rings(RequestHandler& handler, const VhostServerOptions& options)
        : handler_(handler), options_(options), workers_(options.max_request_queues + 1) {}

    vhost_user::Result<void> start_ring(std::uint32_t index, const vhost_user::StartedRing& ring) override {
        const bool forgets = index == virtio::kFsHighPriorityQueue;  // nothing on it ever waits for a disk
        auto worker = QueueWorker::start(
            handler_, ring,
            {.name = forgets ? "virtiofs-hiprio" : "virtiofs-q" + std::to_string(index),
             .async_capacity =
                 forgets ? 0 : std::min<std::uint32_t>(options_.async_capacity, ring.parts.size()),
             .async_workers = options_.async_workers,
             .spin_room = options_.spin && !forgets ? &spin_room_ : nullptr,
             .log = options_.log});
        if (!worker) return std::unexpected(worker.error());
        workers_[index] = std::move(*worker);
        return {};
    }
    std::uint16_t stop_ring(std::uint32_t index) override {
        return std::exchange(workers_[index], nullptr)->stop();
    }
    void move_ring(std::uint32_t index, const virtio::SplitRing& parts,
                   vhost_user::GuestMemory::Pointer memory) override {
        workers_[index]->move_to(parts, std::move(memory));
    }
    void set_call(std::uint32_t index, std::shared_ptr<const vhost_user::Fd> call) override {
        workers_[index]->set_call(std::move(call));
    }
    void reset() override { handler_.reset(); }

  private:
    RequestHandler& handler_;
    const VhostServerOptions& options_;
    SpinRoom spin_room_;
    std::vector<std::unique_ptr<QueueWorker>> workers_;
};

std::vector<std::byte> config_of(const VhostServerOptions& options) {
    if (options.tag.empty()) return {};
    virtio::FsConfig config{.num_request_queues = options.max_request_queues};
    std::memcpy(config.tag, options.tag.data(), std::min(options.tag.size(), sizeof config.tag));
    const auto bytes = std::as_bytes(std::span(&config, 1));
    return {bytes.begin(), bytes.end()};
}

std::unexpected<std::string> fail(const std::string& what, int error) {
    return std::unexpected(what + ": " + std::strerror(error));
}

// Waits for the socket. kStopped if `stop` came first or at once, nullopt if there is something to read.
std::expected<std::optional<Ended>, std::string> wait_for(int socket, int stop) {
    for (;;) {
        std::array<pollfd, 2> entries{
            {{.fd = socket, .events = POLLIN, .revents = 0}, {.fd = stop, .events = POLLIN, .revents = 0}}};
        if (::poll(entries.data(), entries.size(), -1) < 0) {
            if (errno == EINTR) continue;
            return fail("cannot wait for the vhost-user socket", errno);
        }
        if (entries[1].revents != 0) return Ended::kStopped;
        if (entries[0].revents != 0) return std::nullopt;
    }
}

// Whether the front-end has closed its end, or is not there at all any more.
bool has_hung_up(int socket) {
    char first = 0;
    const ssize_t got = ::recv(socket, &first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

std::expected<Ended, std::string> converse(vhost_user::Backend& backend, int socket, int stop) {
    for (;;) {
        const auto ended = wait_for(socket, stop);
        if (!ended) return std::unexpected(ended.error());
        if (*ended) return **ended;
        if (has_hung_up(socket)) return Ended::kHungUp;
        auto message =
            vhost_user::receive_message(socket, vhost_user::kMaxPayloadBytes, vhost_user::within(kPatience));
        if (!message) return std::unexpected(message.error());
        const auto request = message->header.request;
        const vhost_user::Handled handled = backend.handle(std::move(*message));
        if (handled.reply) {
            const auto sent = vhost_user::send_message(socket, request, vhost_user::kReplyFlag,
                                                       *handled.reply, {}, vhost_user::within(kPatience));
            if (!sent && handled.error.empty()) {
                // It may have gone while it was waited for.
                if (has_hung_up(socket)) return Ended::kHungUp;
                return std::unexpected(sent.error());
            }
        }
        if (!handled.error.empty()) return std::unexpected(handled.error);
    }
}

}  // namespace

std::expected<Ended, std::string> VhostServer::accept_and_serve(vhost_user::Fd listener, int stop) {
    vhost_user::Fd connection;
    while (!connection) {
        const auto ended = wait_for(listener.get(), stop);
        if (!ended) return std::unexpected(ended.error());
        if (*ended) return **ended;
        connection = vhost_user::Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection && errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) {
            return fail("cannot accept the front-end on the vhost-user socket", errno);
        }
    }
    listener.reset();
    return serve(std::move(connection), stop);
}

std::expected<Ended, std::string> VhostServer::serve(vhost_user::Fd connection, int stop) {
    Rings rings(handler_, options_);
    vhost_user::Backend backend(rings, {.max_rings = options_.max_request_queues + 1,
                                        .max_ring_size = options_.max_queue_size,
                                        .config = config_of(options_)});
    auto ended = converse(backend, connection.get(), stop);
    // The front-end learns that nobody serves it any more once nothing does.
    backend.reset();
    return ended;
}

}  // namespace host
