// A volume on a virtiofsd of its own that shares a fresh directory: what tests against the real daemon start
// from.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "guest/volume/session.h"
#include "guest/volume/volume.h"
#include "lab/channel/counting_channel.h"
#include "lab/channel/daemon.h"
#include "lab/channel/vhost_user_channel.h"

namespace tests {

class DaemonVolume {
  public:
    // What is set up before the daemon starts; `options.log` is set here.
    struct Setup {
        std::string cache = "auto";
        std::function<void(const std::filesystem::path& share)> prepare = {};
        guest::VolumeOptions options = {};
        lab::VhostUserChannelOptions channel = {};
        std::vector<std::string> arguments = {};  // of the daemon
    };

    explicit DaemonVolume(const std::string& cache = "auto") : DaemonVolume(Setup{.cache = cache}) {}
    explicit DaemonVolume(Setup setup) {
        std::string name = (std::filesystem::temp_directory_path() / "virtiofs-test-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) return;
        directory_ = name;
        if (setup.prepare) setup.prepare(directory_);
        auto daemon =
            lab::Daemon::start({.directory = name, .cache = setup.cache, .arguments = setup.arguments});
        if (!daemon) {
            ADD_FAILURE() << daemon.error();
            return;
        }
        daemon_ = std::move(*daemon);
        auto channel = lab::VhostUserChannel::connect(daemon_->socket_path(), setup.channel);
        if (!channel) {
            ADD_FAILURE() << channel.error() << "\n" << daemon_->log();
            return;
        }
        channel_ = std::move(*channel);
        counting_ = std::make_unique<lab::CountingChannel>(*channel_);
        setup.options.log = [this](std::string_view line) {
            std::cerr << "volume: " << line << "\n";
            const std::lock_guard lock(log_mutex_);
            (log_ += line) += "\n";
        };
        auto volume = guest::Volume::mount(*counting_, std::move(setup.options));
        if (!volume) {
            ADD_FAILURE() << "mount failed: " << std::hex << static_cast<std::uint32_t>(volume.error());
            return;
        }
        volume_ = std::move(*volume);
        counting_->reset();
    }
    ~DaemonVolume() {
        volume_.reset();
        channel_.reset();
        daemon_.reset();
        std::error_code ignored;
        if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
    }
    DaemonVolume(const DaemonVolume&) = delete;
    DaemonVolume& operator=(const DaemonVolume&) = delete;

    explicit operator bool() const { return volume_ != nullptr; }
    guest::Volume& volume() { return *volume_; }
    lab::CountingChannel& counting() { return *counting_; }
    lab::VhostUserChannel& channel() { return *channel_; }
    lab::Daemon& daemon() { return *daemon_; }
    const std::filesystem::path& directory() const { return directory_; }

    // The volume's lines so far.
    std::string log() {
        const std::lock_guard lock(log_mutex_);
        return log_;
    }

    void make_file(const std::filesystem::path& path, std::string_view content) {
        std::ofstream(directory_ / path, std::ios::binary) << content;
    }
    std::string content(const std::filesystem::path& path) {
        std::ifstream file(directory_ / path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

  private:
    std::filesystem::path directory_;
    std::mutex log_mutex_;
    std::string log_;
    std::unique_ptr<lab::Daemon> daemon_;
    std::unique_ptr<lab::VhostUserChannel> channel_;
    std::unique_ptr<lab::CountingChannel> counting_;
    std::unique_ptr<guest::Volume> volume_;
};

}  // namespace tests
