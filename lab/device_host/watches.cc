#include "lab/device_host/watches.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lab/device_host/exchange.h"

namespace lab::device_host {
namespace {

constexpr std::size_t kMaxWatches = 64;

void answer_event(transport::Call call, WatchEvent event) noexcept {
    answer(std::move(call), nt::Status::kSuccess, static_cast<std::uint64_t>(event));
}

}  // namespace

Watches::~Watches() {
    shut();
}

std::uint32_t Watches::add(std::uint32_t client) {
    const std::scoped_lock guard(lock_);
    if (shut_ || watches_.size() >= kMaxWatches) return 0;
    do {
        ++last_;
    } while (last_ == 0 || watches_.contains(last_));
    watches_[last_].client = client;
    return last_;
}

// With the lock held; answering a call does not wait for anything.
void Watches::deliver(Watch& watch) {
    if (!watch.waiting || watch.events.empty()) return;
    const WatchEvent event = watch.events.front();
    watch.events.pop_front();
    watch.busy = true;
    answer_event(std::exchange(watch.waiting, transport::Call()), event);
}

void Watches::next(transport::Call call, const RequestHead& request) {
    const std::scoped_lock guard(lock_);
    const auto at = watches_.find(request.open);
    if (at == watches_.end() || at->second.client != call.client() || at->second.waiting) {
        return answer(std::move(call), shut_ ? nt::Status::kSuccess : nt::Status::kInvalidHandle);
    }
    Watch& watch = at->second;
    watch.objected = request.code != 0;
    watch.busy = false;
    watch.waiting = std::move(call);
    // A cancellation that came before found nothing to cancel.
    if (watch.waiting.cancelled()) {
        answer_event(std::move(watch.waiting), WatchEvent::kEnded);
        watches_.erase(at);
    } else {
        deliver(watch);
    }
    noted_.notify_all();
}

void Watches::end(transport::Call call, const RequestHead& request) {
    {
        const std::scoped_lock guard(lock_);
        const auto at = watches_.find(request.open);
        if (at == watches_.end() || at->second.client != call.client()) {
            return answer(std::move(call), shut_ ? nt::Status::kSuccess : nt::Status::kInvalidHandle);
        }
        if (at->second.waiting) answer_event(std::move(at->second.waiting), WatchEvent::kEnded);
        watches_.erase(at);
        noted_.notify_all();
    }
    answer(std::move(call), nt::Status::kSuccess);
}

void Watches::cancel(transport::CallId call) noexcept {
    const std::scoped_lock guard(lock_);
    const auto at = std::ranges::find_if(watches_, [call](const auto& entry) {
        return entry.second.waiting && entry.second.waiting.id() == call;
    });
    if (at == watches_.end()) return;
    answer_event(std::move(at->second.waiting), WatchEvent::kEnded);
    watches_.erase(at);
    noted_.notify_all();
}

void Watches::client_gone(std::uint32_t client) noexcept {
    const std::scoped_lock guard(lock_);
    std::erase_if(watches_, [client](const auto& entry) { return entry.second.client == client; });
    noted_.notify_all();
}

void Watches::shut() noexcept {
    const std::scoped_lock guard(lock_);
    shut_ = true;
    for (auto& [number, watch] : watches_) {
        if (watch.waiting) answer_event(std::move(watch.waiting), WatchEvent::kEnded);
    }
    watches_.clear();
    noted_.notify_all();
}

bool Watches::tell(WatchEvent event, std::chrono::milliseconds patience) {
    std::unique_lock guard(lock_);
    std::set<std::uint32_t> told;
    for (auto& [number, watch] : watches_) {
        watch.events.push_back(event);
        deliver(watch);
        told.insert(number);
    }
    bool agreed = true;
    const auto all_noted = [&] {
        std::erase_if(told, [&](std::uint32_t number) {
            const auto at = watches_.find(number);
            if (at == watches_.end()) return true;
            if (at->second.busy || !at->second.events.empty()) return false;
            agreed = agreed && !at->second.objected;
            return true;
        });
        return told.empty();
    };
    return noted_.wait_for(guard, patience, all_noted) && agreed;
}

std::size_t Watches::count() const {
    const std::scoped_lock guard(lock_);
    return watches_.size();
}

}  // namespace lab::device_host
