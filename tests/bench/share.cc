#include "tests/bench/share.h"

#include <fmt/format.h>

namespace bench {

std::expected<std::unique_ptr<Share>, std::string> Share::start(const std::string& directory,
                                                                const std::string& cache,
                                                                const lab::VhostUserChannelOptions& options) {
    std::unique_ptr<Share> share(new Share);
    auto daemon = lab::Daemon::start({.directory = directory, .cache = cache, .arguments = {}});
    if (!daemon) return std::unexpected(daemon.error());
    share->daemon_ = std::move(*daemon);
    auto channel = lab::VhostUserChannel::connect(share->daemon_->socket_path(), options);
    if (!channel) return std::unexpected(channel.error() + "\n" + share->daemon_->log());
    share->channel_ = std::move(*channel);
    share->counting_ = std::make_unique<lab::CountingChannel>(*share->channel_);
    auto volume = guest::Volume::mount(*share->counting_, {.owner = {}, .log = {}});
    if (!volume) {
        return std::unexpected(fmt::format("cannot mount the volume on {}: status {:#x}", directory,
                                           static_cast<std::uint32_t>(volume.error())));
    }
    share->volume_ = std::move(*volume);
    return share;
}

}  // namespace bench
