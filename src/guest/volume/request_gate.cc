#include "guest/volume/request_gate.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace guest {
namespace {

// Bit 0 of `unique` marks INTERRUPTs by convention.
constexpr std::uint64_t kUniqueStep = 2;

// Far from what an earlier session on the same channel used, which may still be in flight.
std::uint64_t first_unique() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    return (static_cast<std::uint64_t>(now) << 1 | kUniqueStep) & ~std::uint64_t{1};
}

}  // namespace

RequestGate::RequestGate(Channel& channel)
    : channel_(channel), epoch_(channel.epoch()), next_unique_(first_unique()) {}

RequestGate::~RequestGate() {
    wait_for_background();
}

void RequestGate::transact(std::span<PendingCall* const> calls, std::size_t most_in_flight) {
    if (calls.empty()) return;
    Countdown countdown(calls.size());
    std::list<PendingCall*> mine;
    for (PendingCall* call : calls) {
        call->start(countdown, epoch_);
        call->prepare(next_unique_.fetch_add(kUniqueStep));
        mine.push_back(call);
    }
    const auto first = mine.begin();
    const auto last = std::prev(mine.end());
    {
        const std::lock_guard lock(mutex_);
        in_flight_.splice(in_flight_.end(), mine);
    }
    std::size_t next = 0;
    while (next < calls.size() && !is_shut()) {
        const std::size_t room = next == 0 ? most_in_flight : most_in_flight / 2;
        const std::size_t count = std::min(calls.size() - next, room);
        next += count;
        const std::size_t unsent = calls.size() - next;
        const std::size_t missing = unsent == 0 ? 0 : unsent + most_in_flight / 2;
        submit(calls.subspan(next - count, count));
        channel_.serve([&] { return countdown.reached(missing); });
        countdown.wait(missing);
    }
    if (next < calls.size()) {
        for (PendingCall* call : calls.subspan(next))
            call->refuse(ChannelError::kCancelled);
        countdown.wait(calls.size() - next);
    }
    const std::lock_guard lock(mutex_);
    mine.splice(mine.end(), in_flight_, first, std::next(last));
}

void RequestGate::submit(std::span<PendingCall* const> calls) {
    const std::vector<Message*> messages(calls.begin(), calls.end());
    channel_.submit(messages);
    // shut_down() passes over calls that the channel has not seen; those are ours to cancel.
    const std::lock_guard lock(mutex_);
    for (PendingCall* call : calls)
        call->submitted = true;
    if (is_shut()) {
        for (PendingCall* call : calls)
            channel_.cancel(*call);
    }
}

void RequestGate::send_in_background(std::unique_ptr<BackgroundCall> call) noexcept {
    reap();
    BackgroundCall* const sent = call.get();
    sent->gate_ = this;
    sent->epoch = epoch_;
    sent->prepare(next_unique_.fetch_add(kUniqueStep));
    {
        const std::lock_guard lock(background_mutex_);
        sent->place_ = background_.insert(background_.end(), std::move(call));
        ++unfinished_;
    }
    if (is_shut()) {
        sent->submitted_ = true;
        sent->completed(std::unexpected(ChannelError::kCancelled));
        return;
    }
    Message* const message = sent;
    channel_.submit(std::span(&message, 1));
    bool cancel = false;
    {
        const std::lock_guard lock(background_mutex_);
        if (is_shut() && !sent->done_) {
            cancel = true;  // not yet `submitted_`, so nobody destroys it
        } else {
            sent->submitted_ = true;
            if (sent->done_) finished_.splice(finished_.end(), background_, sent->place_);
        }
    }
    if (!cancel) return;
    channel_.cancel(*sent);
    const std::lock_guard lock(background_mutex_);
    sent->submitted_ = true;
    if (sent->done_) finished_.splice(finished_.end(), background_, sent->place_);
}

void BackgroundCall::completed(Outcome outcome) noexcept {
    on_done(outcome);
    gate_->finished(*this);
}

void RequestGate::finished(BackgroundCall& call) noexcept {
    const std::lock_guard lock(background_mutex_);
    call.done_ = true;
    if (call.submitted_) finished_.splice(finished_.end(), background_, call.place_);
    if (--unfinished_ == 0) background_done_.notify_all();
}

void RequestGate::reap() {
    std::list<std::unique_ptr<BackgroundCall>> dead;
    const std::lock_guard lock(background_mutex_);
    if (!cancelling_) dead.swap(finished_);
}

void RequestGate::wait_for_background() {
    std::unique_lock lock(background_mutex_);
    background_done_.wait(lock, [this] { return unfinished_ == 0; });
}

void RequestGate::shut_down() noexcept {
    shut_ = true;
    {
        const std::lock_guard lock(mutex_);
        for (PendingCall* call : in_flight_) {
            if (call->submitted) channel_.cancel(*call);
        }
    }
    std::vector<BackgroundCall*> submitted;
    {
        const std::lock_guard lock(background_mutex_);
        cancelling_ = true;
        for (const auto& call : background_) {
            if (call->submitted_) submitted.push_back(call.get());
        }
    }
    for (BackgroundCall* call : submitted)
        channel_.cancel(*call);
    const std::lock_guard lock(background_mutex_);
    cancelling_ = false;
}

}  // namespace guest
