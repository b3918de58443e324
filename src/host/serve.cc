#include "host/serve.h"

#include <spdlog/spdlog.h>

#include "host/fs/fuse_server.h"
#include "host/vhost_server.h"

namespace host {

int serve(const ProcessOptions& options, vhost_user::Fd listener, ServerRoots roots, int stop_fd) {
    const auto server = FuseServer::create(options.server, std::move(roots));
    if (!server) {
        spdlog::error("{}", server.error());
        return 1;
    }
    VhostServer transport(**server, {.tag = options.tag,
                                     .async_workers = options.thread_pool_size,
                                     .log = [](const std::string& text) { spdlog::warn("{}", text); }});
    spdlog::info("waiting for a front-end");
    const auto ended = transport.accept_and_serve(std::move(listener), stop_fd);
    if (!ended) {
        spdlog::error("{}", ended.error());
        return 1;
    }
    spdlog::info(*ended == VhostServer::Ended::kStopped ? "told to stop" : "the front-end has hung up");
    return 0;
}

}  // namespace host
