// The front-end's half of vhost-user: what a virtual machine monitor does to put a daemon behind a device.
// Must never know: what kind of device it is. The back-end may be hostile: answers are checked, waits are
// bounded.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vhost_user/socket.h"

namespace vhost_user {

struct Region {
    MemoryRegion place;
    int fd = -1;  // a memfd
};

struct Ring {
    std::uint32_t index = 0;
    std::uint16_t size = 0;  // a power of two
    std::uint16_t base = 0;  // available index to start from
    // User addresses inside a region.
    std::uint64_t descriptors = 0;
    std::uint64_t available = 0;
    std::uint64_t used = 0;
    int kick = -1;  // eventfds; the caller's, the back-end gets duplicates
    int call = -1;
};

// A negotiated connection. Not thread-safe. After any error it is of no further use.
class FrontEnd {
  public:
    struct Options {
        std::uint64_t wanted_features = 0;        // virtio feature bits; VERSION_1 is demanded in any case
        std::chrono::milliseconds timeout{5000};  // for each exchange
    };

    // Takes a connected socket through SET_OWNER and the negotiation of both kinds of features.
    static Result<FrontEnd> negotiate(Fd socket, const Options& options);

    std::uint64_t features() const { return features_; }  // agreed on
    std::uint64_t protocol_features() const { return protocol_features_; }
    // How many rings the back-end can serve; nullopt if it did not say (no MQ).
    std::optional<std::uint32_t> max_rings() const { return max_rings_; }

    // Tells where guest memory is; 1 to kMaxRegions. With REPLY_ACK returns once the back-end has mapped it.
    Result<void> set_memory(std::span<const Region> regions);
    // Hands a ring over and starts it.
    Result<void> start_ring(const Ring& ring);
    // Stops a ring; the back-end is done with it. Returns the available index it would go on from.
    Result<std::uint16_t> stop_ring(std::uint32_t index);
    // Reads configuration space. An error if the back-end does not offer CONFIG.
    Result<std::vector<std::byte>> get_config(std::uint32_t offset, std::uint32_t bytes);

    // For poll(): readable or hung up means that the back-end is gone, since it has nothing to say unasked.
    int socket() const { return socket_.get(); }

  private:
    FrontEnd(Fd socket, const Options& options) : socket_(std::move(socket)), options_(options) {}

    Result<void> tell(Request request, std::span<const std::byte> payload, std::span<const int> fds = {});
    Result<std::vector<std::byte>> ask(Request request, std::span<const std::byte> payload,
                                       std::size_t reply_bytes);
    Result<std::uint64_t> ask_number(Request request);
    Result<ReceivedMessage> receive_reply(Request request, std::size_t reply_bytes, Deadline deadline);

    Fd socket_;
    Options options_;
    std::uint64_t features_ = 0;
    std::uint64_t protocol_features_ = 0;
    std::optional<std::uint32_t> max_rings_;
};

}  // namespace vhost_user
