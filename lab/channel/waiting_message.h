// A message that a thread can wait for, with room for its reply: for tests that talk FUSE by hand.
// Must never know: what the request says.
#pragma once

#include <chrono>
#include <condition_variable>
#include <expected>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "fuse/reply.h"
#include "fuse/request.h"
#include "guest/volume/channel.h"

namespace lab {

class WaitingMessage final : public guest::Message {
  public:
    // `request` outlives this. `reply_bytes` is room for a body; nullopt for a message without reply.
    template <typename Arguments>
    WaitingMessage(const guest::Channel& channel, const fuse::Request<Arguments>& request,
                   std::optional<std::size_t> reply_bytes)
        : unique_(request.header().unique), reply_(reply_bytes ? sizeof(fuse::OutHeader) + *reply_bytes : 0) {
        epoch = channel.epoch();
        out = request.pieces();
        piece_ = reply_;
        if (reply_bytes) in = std::span(&piece_, 1);
    }

    void submit(guest::Channel& channel) {
        guest::Message* const self = this;
        channel.submit(std::span(&self, 1));
    }

    void completed(guest::Outcome outcome) noexcept override {
        const std::lock_guard lock(mutex_);
        outcome_ = outcome;
        ++completions_;
        done_.notify_all();
    }

    // The outcome; nullopt if there is none in time.
    std::optional<guest::Outcome> wait(std::chrono::milliseconds time = std::chrono::seconds(20)) {
        std::unique_lock lock(mutex_);
        done_.wait_for(lock, time, [&] { return outcome_.has_value(); });
        return outcome_;
    }
    // How often completed() was called: once, if the channel is right.
    int completions() {
        const std::lock_guard lock(mutex_);
        return completions_;
    }

    // After a successful outcome.
    std::expected<fuse::Reply, fuse::ParseError> reply() {
        const std::lock_guard lock(mutex_);
        const std::size_t written = outcome_ && *outcome_ ? **outcome_ : 0;
        return fuse::parse_reply(std::span(reply_).first(written), unique_);
    }

  private:
    std::uint64_t unique_;
    std::vector<std::byte> reply_;
    std::span<std::byte> piece_;
    std::mutex mutex_;
    std::condition_variable done_;
    std::optional<guest::Outcome> outcome_;
    int completions_ = 0;
};

}  // namespace lab
