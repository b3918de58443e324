// A virtio-fs device behind one vhost-user connection, from its socket to the RequestHandler.
// Must never know: what the requests say, command lines, sandboxes.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "host/exchange.h"
#include "host/queue_worker.h"
#include "vhost_user/fd.h"

namespace host {

struct VhostServerOptions {
    std::string tag = {};  // at most 36 bytes; empty: the front-end has a configuration space of its own
    std::uint32_t max_request_queues = 32;  // at most 255; a thread each, once they run
    std::uint16_t max_queue_size = 1024;
    std::uint32_t async_capacity = 256;  // per queue; 0: no io_uring
    std::uint32_t async_workers = 0;     // per queue: AsyncIo::create
    bool spin = true;                    // where a processor is spare
    Log log = {};
};

// Serves front-ends, one after another. The handler outlives it.
class VhostServer {
  public:
    enum class Ended : std::uint8_t {
        kHungUp,   // the front-end went away
        kStopped,  // `stop` became readable
    };

    VhostServer(RequestHandler& handler, VhostServerOptions options)
        : handler_(handler), options_(std::move(options)) {}

    // Accepts one front-end, closes the listener, and serves. `stop` is polled, never read.
    std::expected<Ended, std::string> accept_and_serve(vhost_user::Fd listener, int stop);

    // Serves a connected front-end until it goes, or breaks the protocol (the error says how), or `stop` is
    // readable. In each case nothing runs and the handler was reset when this returns.
    std::expected<Ended, std::string> serve(vhost_user::Fd connection, int stop);

  private:
    RequestHandler& handler_;
    const VhostServerOptions options_;
};

}  // namespace host
