// One request on its way to the host and the reply's way back, for a sender that waits (Session::transact).
// Must never know: what a request means.
#pragma once

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>

#include "fuse/reply.h"
#include "fuse/request.h"
#include "guest/volume/channel.h"
#include "guest/volume/status_table.h"

namespace guest {

// Counts down the completions of a batch. Any thread may count, one waits.
class Countdown {
  public:
    explicit Countdown(std::size_t count) : left_(count) {}

    void count() noexcept {
        // Notified with the lock held: the waiter, which owns this object, cannot leave before the lock is
        // free.
        const std::lock_guard lock(mutex_);
        if (--left_ == 0) done_.notify_all();
    }

    void wait() {
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return left_ == 0; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable done_;
    std::size_t left_;
};

// What Session::transact needs of a request of any kind. Stays in place while it is in flight.
class PendingCall : public Message {
  public:
    void completed(Outcome outcome) noexcept final {
        outcome_ = outcome;
        countdown_->count();
    }

    virtual void prepare(std::uint64_t unique) noexcept = 0;  // sets `unique` and the message's pieces
    virtual fuse::Opcode opcode() const noexcept = 0;

    void start(Countdown& countdown, Epoch epoch_of_session) noexcept {
        countdown_ = &countdown;
        epoch = epoch_of_session;
        submitted = false;
    }
    void refuse(ChannelError error) noexcept { outcome_ = std::unexpected(error); }

    // Kept by Session, under its lock: whether the channel has seen the message.
    bool submitted = false;

  protected:
    PendingCall() = default;
    ~PendingCall() = default;
    PendingCall(const PendingCall&) = delete;
    PendingCall& operator=(const PendingCall&) = delete;

    Outcome outcome_ = std::unexpected(ChannelError::kRefused);

  private:
    Countdown* countdown_ = nullptr;
};

template <typename Arguments = fuse::NoArguments>
class Call final : public PendingCall {
  public:
    explicit Call(const fuse::RequestInfo& info, const Arguments& arguments = {})
        : request_(info, arguments) {}

    fuse::Request<Arguments>& request() { return request_; }

    // Where the reply's body goes; without it only success or an errno is expected. Must outlive the call.
    void set_reply_room(std::span<std::byte> body) { body_room_ = body; }

    void prepare(std::uint64_t unique) noexcept override {
        request_.set_unique(unique);
        out = request_.pieces();
        in_pieces_ = {std::as_writable_bytes(std::span(&reply_header_, 1)), body_room_};
        in = std::span(in_pieces_).first(body_room_.empty() ? 1 : 2);
        if (!fuse::has_reply(opcode())) in = {};
        reply_header_ = {};
    }

    fuse::Opcode opcode() const noexcept override { return request_.header().opcode; }

    // After transact(): the body, at most the room that was given for it.
    HostResult<std::span<const std::byte>> body() const {
        if (!outcome_) return std::unexpected(Failure(outcome_.error()));
        if (in.empty()) return std::span<const std::byte>{};
        const auto header = fuse::check_reply_header(reply_header_, request_.header().unique, *outcome_);
        if (!header) return std::unexpected(Failure(header.error()));
        if (header->error != fuse::Errno::kNone) return std::unexpected(Failure(header->error));
        if (header->body_bytes > body_room_.size()) {
            return std::unexpected(Failure(fuse::ParseError::kBadLength));
        }
        return std::span<const std::byte>(body_room_).first(header->body_bytes);
    }

  private:
    fuse::Request<Arguments> request_;
    fuse::OutHeader reply_header_;
    std::span<std::byte> body_room_;
    std::array<std::span<std::byte>, 2> in_pieces_;
};

}  // namespace guest
