// The channel's waiting half: interrupts, what the device has given back, and who waits for it. That is the
// channel's own thread, or a submitter that would have to wait anyhow (Channel::serve): then a message costs
// no wake-up of a thread in between.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "lab/channel/vhost_user_channel.h"

namespace lab {
namespace {

using guest::ChannelError;

// How long what the device has given back may stay unnoticed while more is expected of it.
constexpr timespec kLongestDelay{.tv_sec = 0, .tv_nsec = 50'000};
// Messages at once from which on it pays to save notifications.
constexpr std::size_t kMany = 4;

}  // namespace

// Asks for an interrupt; one that attends the ring, with many messages at the device, not for the first of
// them, so that they cost a wake-up together. True if messages came meanwhile. Called with the lock held.
bool VhostUserChannel::arm(Queue& queue, bool attend) {
    const std::uint16_t outstanding = queue.driver->outstanding();
    const auto most = static_cast<std::uint16_t>(outstanding - outstanding / 4);
    queue.attended = attend;
    return queue.driver->enable_interrupts(attend ? most : std::uint16_t{1});
}

// Completes what the device has given back.
VhostUserChannel::Drained VhostUserChannel::drain(Queue& queue, Server self, bool attend) {
    struct Returned {
        Flight* flight;
        guest::Message* message;
        std::uint32_t bytes;
    };
    std::vector<Returned> returned;
    Drained result = Drained::kNothing;
    bool more = true;
    while (more) {
        returned.clear();
        {
            const std::lock_guard lock(mutex_);
            if (ended_) return result;
            queue.driver->suppress_interrupts();
            for (;;) {
                const auto used = queue.driver->pop_used();
                violated_ = violated_ || !used;
                if (!used || !*used) break;
                auto* const flight = static_cast<Flight*>((*used)->token);
                --in_ring_;
                // From here on it cannot be cancelled: its outcome has come.
                if (flight->message != nullptr) active_.erase(flight->message);
                returned.push_back({flight, flight->message, (*used)->bytes_written});
            }
            // Few messages do not pay for a clock, unless there were many before.
            const bool many = returned.size() + queue.driver->outstanding() >= kMany;
            // Whoever serves by now may have looked already whether it needs a clock.
            more = !violated_ && arm(queue, attend && many && server_ == self);
            if (violated_) result = Drained::kViolation;
        }
        for (const Returned& one : returned) {
            if (one.message == nullptr || one.bytes == 0) continue;
            const MessageLayout& layout = one.flight->layout;
            const std::span<const std::byte> block(memory_.at(one.flight->block), layout.block_bytes());
            copied_bytes_.fetch_add(layout.take_reply(*one.message, block, one.bytes),
                                    std::memory_order_relaxed);
        }
        {
            const std::lock_guard lock(mutex_);
            for (const Returned& one : returned)
                retire(*one.flight);
        }
        for (const Returned& one : returned) {
            if (one.message != nullptr) one.message->completed(one.bytes);
        }
        if (returned.empty()) continue;
        if (result == Drained::kNothing) result = Drained::kSome;
        for (Queue& each : queues_)
            pump(each);
    }
    const std::lock_guard lock(mutex_);
    kick(queue);
    // A submitter that serves by now may wait for what was completed here.
    if (server_ != self && server_ == Server::kSubmitter) wake_submitter_.signal();
    return result;
}

// For poll(): the descriptors given, then every queue's.
std::vector<pollfd> VhostUserChannel::entries_with_rings(std::initializer_list<int> others) const {
    std::vector<pollfd> entries;
    entries.reserve(others.size() + queues_.size());
    for (const int fd : others)
        entries.push_back({.fd = fd, .events = POLLIN | POLLRDHUP, .revents = 0});
    for (const Queue& queue : queues_)
        entries.push_back({.fd = queue.call.get(), .events = POLLIN, .revents = 0});
    return entries;
}

// Waits for any of the entries; looks at the rings only while it is up to `self`.
VhostUserChannel::Drained VhostUserChannel::wait_and_drain(std::vector<pollfd>& entries, Server self) {
    const std::size_t others = entries.size() - queues_.size();
    bool serving = false;
    bool attended = false;
    const auto look = [&] {
        const std::lock_guard lock(mutex_);
        serving = server_ == self;
        attended = std::ranges::any_of(queues_, &Queue::attended);
    };
    look();
    const bool by_clock = serving && attended;
    const int ready = ::ppoll(entries.data(), serving ? entries.size() : others,
                              by_clock ? &kLongestDelay : nullptr, nullptr);
    if (ready < 0) {
        for (pollfd& entry : entries)
            entry.revents = 0;
        return Drained::kNothing;  // a signal: the caller comes again
    }
    if (!serving) return Drained::kNothing;
    look();
    if (!serving) return Drained::kNothing;
    if (ready == 0) clock_wakes_.fetch_add(1, std::memory_order_relaxed);
    Drained result = Drained::kNothing;
    for (std::size_t i = 0; i < queues_.size() && result != Drained::kViolation; ++i) {
        if (entries[others + i].revents == 0 && ready != 0) continue;
        interrupts_.fetch_add(queues_[i].call.take(), std::memory_order_relaxed);
        Drained here = drain(queues_[i], self, true);
        // The clock found nothing: it is one of those that take long, and its end is worth an interrupt.
        if (ready == 0 && here == Drained::kNothing) here = drain(queues_[i], self, false);
        result = std::max(result, here);
    }
    return result;
}

void VhostUserChannel::serve(const std::function<bool()>& done) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (server_ != Server::kNobody || ending_) return;
        server_ = Server::kSubmitter;
    }
    std::vector<pollfd> entries = entries_with_rings({wake_submitter_.get()});
    bool leave = false;
    while (!leave && !done()) {
        leave = wait_and_drain(entries, Server::kSubmitter) == Drained::kViolation;
        if (entries[0].revents != 0) wake_submitter_.take();
        const std::lock_guard lock(mutex_);
        leave = leave || ending_;
    }
    const std::lock_guard lock(mutex_);
    server_ = Server::kNobody;
    submitter_left_.notify_all();
    if (!flights_.empty() || violated_) wake_own_.signal();
}

// After a completion that did not come from drain(): a submitter that serves would not notice.
void VhostUserChannel::wake_submitter() {
    bool serves = false;
    {
        const std::lock_guard lock(mutex_);
        serves = server_ == Server::kSubmitter;
    }
    if (serves) wake_submitter_.signal();
}

// Makes the own thread the one that serves, for the last time.
void VhostUserChannel::take_over() {
    std::unique_lock lock(mutex_);
    ending_ = true;
    if (server_ == Server::kSubmitter) wake_submitter_.signal();
    submitter_left_.wait(lock, [this] { return server_ != Server::kSubmitter; });
    server_ = Server::kOwnThread;
}

void VhostUserChannel::run() {
    std::vector<pollfd> entries = entries_with_rings({stop_.get(), front_.socket(), wake_own_.get()});
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (server_ == Server::kNobody && !flights_.empty()) server_ = Server::kOwnThread;
        }
        wait_and_drain(entries, Server::kOwnThread);
        if (entries[0].revents != 0) return;
        if (entries[2].revents != 0) wake_own_.take();
        // The daemon has nothing to say on the socket unasked: whatever happens there is the end. What it
        // answered before is in the rings.
        const bool hung_up = entries[1].revents != 0;
        bool violated = false;
        {
            const std::lock_guard lock(mutex_);
            violated = violated_;
        }
        if (!hung_up && !violated) continue;
        take_over();
        for (std::size_t i = 0; i < queues_.size() && !violated; ++i)
            violated = drain(queues_[i], Server::kOwnThread, false) == Drained::kViolation;
        end(ChannelError::kLost, violated ? "the device broke the virtqueue protocol"
                                          : "the daemon has closed the vhost-user connection");
        break;
    }
    sink_.tell_lost(options_.epoch);
}

}  // namespace lab
