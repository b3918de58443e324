// A volume on a virtiofsd of its own, on a directory of the caller's. Must never know: what is measured.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "guest/volume/volume.h"
#include "lab/channel/counting_channel.h"
#include "lab/channel/daemon.h"
#include "lab/channel/vhost_user_channel.h"

namespace bench {

class Share {
  public:
    // `cache` as the daemon takes it: auto (names and attributes live a second) or none. The error is a
    // sentence for the user.
    static std::expected<std::unique_ptr<Share>, std::string> start(
        const std::string& directory, const std::string& cache,
        const lab::VhostUserChannelOptions& options = {});

    guest::Volume& volume() { return *volume_; }
    lab::VhostUserChannel& channel() { return *channel_; }
    const lab::VhostUserChannel& channel() const { return *channel_; }
    const lab::CountingChannel& counting() const { return *counting_; }

  private:
    Share() = default;

    // In the order of their making.
    std::unique_ptr<lab::Daemon> daemon_;
    std::unique_ptr<lab::VhostUserChannel> channel_;
    std::unique_ptr<lab::CountingChannel> counting_;
    std::unique_ptr<guest::Volume> volume_;
};

}  // namespace bench
