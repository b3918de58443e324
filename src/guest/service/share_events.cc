#include "guest/service/share_events.h"

namespace guest::service {

void ShareEvents::tell(bool& what) noexcept {
    const std::lock_guard lock(mutex_);
    what = true;
    told_.notify_all();
}

void ShareEvents::stop() noexcept {
    tell(stopped_);
}
void ShareEvents::device_leaving() noexcept {
    tell(leaving_);
}
void ShareEvents::device_decided() noexcept {
    tell(decided_);
}
void ShareEvents::host_lost() noexcept {
    tell(lost_);
}
void ShareEvents::winfsp_stopped() noexcept {
    tell(winfsp_stopped_);
}

void ShareEvents::device_arrived() noexcept {
    const std::lock_guard lock(mutex_);
    ++arrivals_;
    told_.notify_all();
}

bool ShareEvents::stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
}

ShareEvents::Arrivals ShareEvents::arrivals() const {
    const std::lock_guard lock(mutex_);
    return Arrivals{arrivals_};
}

bool ShareEvents::wait_for_arrival(Arrivals seen, std::optional<std::chrono::milliseconds> time) {
    std::unique_lock lock(mutex_);
    const auto something = [&] { return stopped_ || Arrivals{arrivals_} != seen; };
    if (time) {
        told_.wait_for(lock, *time, something);
    } else {
        told_.wait(lock, something);
    }
    return !stopped_;
}

void ShareEvents::begin_connection() {
    const std::lock_guard lock(mutex_);
    leaving_ = decided_ = lost_ = winfsp_stopped_ = false;
}

std::optional<ShareEvents::End> ShareEvents::end_locked() const {
    if (stopped_) return End::kStop;
    // A device that leaves is let go of, which loses the host, too.
    if (leaving_) return End::kDeviceLeaving;
    if (lost_) return End::kHostLost;
    if (winfsp_stopped_) return End::kWinFspStopped;
    return std::nullopt;
}

std::optional<ShareEvents::End> ShareEvents::end() const {
    const std::lock_guard lock(mutex_);
    return end_locked();
}

std::optional<ShareEvents::End> ShareEvents::wait_for_end(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    std::optional<End> end;
    told_.wait_for(lock, time, [&] {
        end = end_locked();
        return end.has_value();
    });
    return end;
}

bool ShareEvents::wait_for_decision() {
    std::unique_lock lock(mutex_);
    told_.wait(lock, [this] { return stopped_ || decided_; });
    return !stopped_;
}

}  // namespace guest::service
