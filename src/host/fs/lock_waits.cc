#include "host/fs/lock_waits.h"

#include <algorithm>

#include "host/fs/fuse_worker.h"

namespace host {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxWaits = 256;
constexpr std::chrono::milliseconds kShortestPause = 1ms;
constexpr std::chrono::milliseconds kLongestPause = 64ms;

}  // namespace

void LockWaitList::add(const std::shared_ptr<LockWait>& wait) {
    const std::lock_guard guard(mutex_);
    waits_.push_back(wait);
    count_.store(waits_.size(), std::memory_order_release);
}

void LockWaitList::remove(const LockWait& wait) {
    const std::lock_guard guard(mutex_);
    std::erase_if(waits_, [&](const auto& other) { return other.get() == &wait; });
    count_.store(waits_.size(), std::memory_order_release);
}

template <typename Condition>
void LockWaitList::cancel(Condition&& concerns) {
    if (count_.load(std::memory_order_acquire) == 0) return;
    const std::lock_guard guard(mutex_);
    for (const auto& wait : waits_) {
        if (concerns(*wait)) wait->cancelled.store(true, std::memory_order_release);
    }
}

void LockWaitList::interrupt(std::uint64_t unique) {
    cancel([unique](const LockWait& wait) { return wait.reply.unique() == unique; });
}

void LockWaitList::cancel_node(fuse::NodeId node) {
    cancel([node](const LockWait& wait) { return wait.request.node == node; });
}

void LockWaitList::cancel_all() {
    cancel([](const LockWait&) { return true; });
}

bool LockWaits::start_timer() noexcept {
    if (!timer_runs_) timer_runs_ = io_ != nullptr && io_->timeout(pause_, *this);
    return timer_runs_;
}

bool LockWaits::add(const LockRequest& request, const Reply& reply) {
    if (waits_.size() >= kMaxWaits) return false;
    auto wait = std::make_shared<LockWait>(request, reply);
    waits_.reserve(waits_.size() + 1);
    pause_ = kShortestPause;
    if (!start_timer()) return false;
    list_.add(wait);
    waits_.push_back(std::move(wait));
    return true;
}

void LockWaits::look() {
    std::erase_if(waits_, [this](const std::shared_ptr<LockWait>& wait) {
        const bool interrupted = wait->cancelled.load(std::memory_order_acquire);
        auto error = interrupted ? fuse::Errno::kEINTR : worker_.try_lock_again(wait->request);
        if (error == fuse::Errno::kEAGAIN) return false;
        if (error == fuse::Errno::kNone && wait->cancelled.load(std::memory_order_acquire)) {
            worker_.unlock(wait->request);  // called off meanwhile
            error = fuse::Errno::kEINTR;
        }
        list_.remove(*wait);
        wait->reply.finish(static_cast<int>(error));
        return true;
    });
}

void LockWaits::cancel() noexcept {
    for (const auto& wait : waits_)
        wait->cancelled.store(true, std::memory_order_release);
    look();
}

void LockWaits::completed(std::int32_t) noexcept {
    timer_runs_ = false;
    look();
    if (waits_.empty()) return;
    pause_ = std::min(2 * pause_, kLongestPause);
    if (!start_timer()) cancel();
}

}  // namespace host
