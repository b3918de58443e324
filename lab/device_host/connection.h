// The device's connection to one daemon, and who is using it: it ends when the daemon is lost, and another
// one takes its place. Must never know: messages.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "guest/volume/channel.h"

namespace lab::device_host {

class Connection {
  public:
    // `number` tells a device's connections apart. The channel must live until wait_until_unused() returned.
    Connection(guest::Channel& channel, std::uint32_t number) : channel_(channel), number_(number) {}

    guest::Channel& channel() { return channel_; }
    std::uint32_t number() const { return number_; }

    // For as long as it lives the channel may be called.
    class Use {
      public:
        explicit Use(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {
            const std::scoped_lock guard(connection_->lock_);
            ++connection_->users_;
        }
        ~Use() {
            const std::scoped_lock guard(connection_->lock_);
            if (--connection_->users_ == 0) connection_->unused_.notify_all();
        }
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

        guest::Channel& channel() const { return connection_->channel_; }

      private:
        const std::shared_ptr<Connection> connection_;
    };

    void wait_until_unused() {
        std::unique_lock guard(lock_);
        unused_.wait(guard, [this] { return users_ == 0; });
    }

  private:
    guest::Channel& channel_;
    const std::uint32_t number_;
    std::mutex lock_;
    std::condition_variable unused_;
    std::size_t users_ = 0;
};

}  // namespace lab::device_host
