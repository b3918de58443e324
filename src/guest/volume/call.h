// One request on its way to the host and the reply's way back, for a sender that waits (Session::transact).
// Must never know: what a request means.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "fuse/reply.h"
#include "fuse/request.h"
#include "guest/volume/channel.h"
#include "guest/volume/status_table.h"
#include "threads/mutex.h"

namespace guest {

// Counts down the completions of a batch. Any thread may count; the one that made it waits, and may destroy
// it as soon as it has waited.
class Countdown {
  public:
    explicit Countdown(std::size_t count) : left_(count), sleep_(std::make_shared<Sleep>()) {}

    void count() noexcept {
        // Kept here, because this object may be gone once the lock is free.
        const std::shared_ptr<Sleep> sleep = sleep_;
        const std::lock_guard lock(sleep->mutex);
        if (--left_ <= awaited_) sleep->over.notify_one();
    }

    // Waits until at most so many are missing.
    void wait(std::size_t missing = 0) {
        std::unique_lock lock(sleep_->mutex);
        awaited_ = missing;
        sleep_->over.wait(lock, [&] { return left_ <= missing; });
    }
    bool reached(std::size_t missing) const {
        const std::lock_guard lock(sleep_->mutex);
        return left_ <= missing;
    }

  private:
    // Alive while another thread wakes this one. Not the thread's own: mingw's library destroys what is
    // thread_local with its lock of all threads held, and asks for the loader's lock then. A thread of the
    // system's that ends holds that one and asks for the first (tests/thread_ends).
    struct Sleep {
        threads::Mutex mutex;
        threads::Condition over;
    };

    std::size_t left_;  // guarded by the sleep's mutex
    std::size_t awaited_ = 0;
    std::shared_ptr<Sleep> sleep_;
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
        submitter_serves = true;
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
