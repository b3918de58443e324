#include "lab/channel/vhost_user_channel.h"

#include <algorithm>
#include <utility>

#include "fuse/protocol.h"
#include "lab/channel/message_bytes.h"
#include "virtio/fs_device.h"

namespace lab {
namespace {

using guest::ChannelError;

constexpr std::uint16_t kIndirectCapacity = 2 * MessageLayout::kMaxPieces;
// A bounced request that long is shown to the device at once, so that it works while the next one is copied.
constexpr std::size_t kLongRequest = 65536;

vhost_user::Region region_of(const GuestMemory& memory) {
    return {.place = {.guest_address = memory.guest_address(0),
                      .bytes = memory.bytes(),
                      .user_address = memory.user_address(0),
                      .file_offset = 0},
            .fd = memory.fd()};
}

}  // namespace

ChannelCounts ChannelCounts::operator-(const ChannelCounts& before) const {
    return {.messages = messages - before.messages,
            .kicks = kicks - before.kicks,
            .interrupts = interrupts - before.interrupts,
            .clock_wakes = clock_wakes - before.clock_wakes,
            .copied_bytes = copied_bytes - before.copied_bytes,
            .most_at_device = most_at_device};
}

ChannelCounts& ChannelCounts::operator+=(const ChannelCounts& more) {
    messages += more.messages;
    kicks += more.kicks;
    interrupts += more.interrupts;
    clock_wakes += more.clock_wakes;
    copied_bytes += more.copied_bytes;
    most_at_device = std::max(most_at_device, more.most_at_device);
    return *this;
}

VhostUserChannel::VhostUserChannel(vhost_user::FrontEnd front, GuestMemory memory,
                                   std::optional<DeviceBuffers> buffers,
                                   const VhostUserChannelOptions& options)
    : options_(options), front_(std::move(front)), buffers_(std::move(buffers)), memory_(std::move(memory)) {}

std::expected<std::unique_ptr<VhostUserChannel>, std::string> VhostUserChannel::connect(
    const std::string& socket_path, const VhostUserChannelOptions& options) {
    auto socket = vhost_user::connect_unix(socket_path, vhost_user::within(options.timeout));
    if (!socket) return std::unexpected(socket.error());
    return over(std::move(*socket), options);
}

std::expected<std::unique_ptr<VhostUserChannel>, std::string> VhostUserChannel::over(
    vhost_user::Fd socket, const VhostUserChannelOptions& options) {
    if (!virtio::is_queue_size(options.queue_size) || options.request_queues == 0 ||
        options.bounce_bytes < 2 * options.max_message_bytes + 4096) {
        return std::unexpected(
            "the channel's options make no sense: queue size a power of two, one request queue or more, room "
            "for a "
            "request and its reply");
    }
    auto front = vhost_user::FrontEnd::negotiate(
        std::move(socket), {.wanted_features = virtio::feature::kRingIndirectDescriptors |
                                               (options.event_index ? virtio::feature::kRingEventIndex : 0),
                            .timeout = options.timeout});
    if (!front) return std::unexpected(front.error());
    // A daemon that does not say how many rings it has is not trusted with more than two.
    const std::uint32_t offered = front->max_rings().value_or(2);
    if (offered < 2) return std::unexpected("the daemon offers no request queue");
    const std::uint32_t queues = std::min(offered, options.request_queues + 1);

    const std::size_t ring_bytes = virtio::ring_layout(options.queue_size).bytes;
    const std::size_t table_bytes = sizeof(virtio::Descriptor) * kIndirectCapacity * options.queue_size;
    auto memory = GuestMemory::create(options.bounce_bytes + queues * (ring_bytes + table_bytes));
    if (!memory) return std::unexpected(memory.error());
    std::optional<DeviceBuffers> buffers;
    if (options.buffer_bytes != 0) {
        auto made = DeviceBuffers::create(options.buffer_bytes);
        if (!made) return std::unexpected(made.error());
        buffers = std::move(*made);
    }

    std::unique_ptr<VhostUserChannel> channel(
        new VhostUserChannel(std::move(*front), std::move(*memory), std::move(buffers), options));
    if (auto started = channel->start(queues); !started) return std::unexpected(started.error());
    return channel;
}

std::expected<void, std::string> VhostUserChannel::start(std::uint32_t queues) {
    std::vector regions{region_of(memory_)};
    if (buffers_) regions.push_back(region_of(buffers_->memory()));
    if (auto told = front_.set_memory(regions); !told) return told;

    const bool indirect = (front_.features() & virtio::feature::kRingIndirectDescriptors) != 0;
    queues_.resize(queues);
    for (std::uint32_t i = 0; i < queues; ++i) {
        Queue& queue = queues_[i];
        const std::uint16_t size = options_.queue_size;
        const virtio::RingLayout layout = virtio::ring_layout(size);
        const auto ring = memory_.allocate(layout.bytes);
        const auto tables = memory_.allocate(sizeof(virtio::Descriptor) * kIndirectCapacity * size);
        if (!ring || !tables || !queue.kick || !queue.call || !stop_ || !wake_own_ || !wake_submitter_) {
            return std::unexpected(std::string("cannot make the queues: out of memory or of descriptors"));
        }
        queue.slots.resize(size);
        queue.driver = std::make_unique<virtio::DriverQueue>(virtio::DriverQueue::Options{
            .ring = virtio::SplitRing(memory_.at(*ring), size),
            .slots = queue.slots,
            .indirect_tables =
                indirect ? reinterpret_cast<virtio::Descriptor*>(memory_.at(*tables)) : nullptr,
            .indirect_address = memory_.guest_address(*tables),
            .indirect_capacity = indirect ? kIndirectCapacity : std::uint16_t{0},
            .event_index = (front_.features() & virtio::feature::kRingEventIndex) != 0});
        const auto started = front_.start_ring({.index = i,
                                                .size = size,
                                                .base = 0,
                                                .descriptors = memory_.user_address(*ring),
                                                .available = memory_.user_address(*ring + layout.available),
                                                .used = memory_.user_address(*ring + layout.used),
                                                .kick = queue.kick.get(),
                                                .call = queue.call.get()});
        if (!started) return started;
    }
    thread_ = std::thread([this] { run(); });
    return {};
}

VhostUserChannel::~VhostUserChannel() {
    if (!thread_.joinable()) return;  // never started
    stop_.signal();
    thread_.join();
    end(ChannelError::kCancelled, "the channel was closed");
}

std::string VhostUserChannel::loss_reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
}

std::size_t VhostUserChannel::held_by_device() const {
    const std::lock_guard lock(mutex_);
    return in_ring_;
}

ChannelCounts VhostUserChannel::counts() const {
    const std::lock_guard lock(mutex_);
    return {.messages = messages_,
            .kicks = kicks_,
            .interrupts = interrupts_,
            .clock_wakes = clock_wakes_,
            .copied_bytes = copied_bytes_,
            .most_at_device = most_in_ring_};
}

std::optional<DeviceBuffer> VhostUserChannel::allocate_buffer(std::size_t bytes) {
    return buffers_ ? buffers_->allocate(bytes) : std::nullopt;
}

// Called with the lock held.
std::size_t VhostUserChannel::queue_for(const guest::Message& message) {
    fuse::InHeader header;
    gather(message, std::as_writable_bytes(std::span(&header, 1)));
    if (fuse::is_high_priority(header.opcode)) return virtio::kFsHighPriorityQueue;
    return virtio::kFsFirstRequestQueue + next_request_queue_++ % request_queues();
}

void VhostUserChannel::submit(std::span<guest::Message* const> messages) noexcept {
    std::vector<Completion> refused;
    std::vector<bool> touched(queues_.size());
    bool nobody_serves = false;
    {
        const std::lock_guard lock(mutex_);
        const bool nobody_waits = submitters_ == 0;
        bool submitter_serves = true;
        for (guest::Message* const message : messages) {
            const std::size_t out = out_bytes_of(*message);
            const std::size_t in = in_bytes_of(*message);
            if (ended_ || message->epoch != options_.epoch) {
                refused.push_back({message, std::unexpected(ended_ ? end_kind_ : ChannelError::kLost)});
                continue;
            }
            if (out < sizeof(fuse::InHeader) || out > options_.max_message_bytes ||
                in > options_.max_message_bytes || (in != 0 && in < sizeof(fuse::OutHeader)) ||
                active_.contains(message)) {
                refused.push_back({message, std::unexpected(ChannelError::kRefused)});
                continue;
            }
            auto flight = std::make_unique<Flight>(*message, buffers_ ? &*buffers_ : nullptr);
            submitter_serves = submitter_serves && message->submitter_serves;
            const std::size_t index = queue_for(*message);
            touched[index] = true;
            active_.emplace(message, flight.get());
            queues_[index].pending.push_back(flight.get());
            if (flight->submitter_serves) ++submitters_;
            flights_.emplace(flight.get(), std::move(flight));
        }
        // With nobody else waiting the own thread need not wake up for what this submitter waits for.
        if (nobody_waits && submitter_serves && server_ == Server::kOwnThread && !ending_) {
            server_ = Server::kNobody;
        }
        nobody_serves = server_ == Server::kNobody && !submitter_serves;
    }
    if (nobody_serves) wake_own_.signal();
    for (std::size_t i = 0; i < touched.size(); ++i) {
        if (touched[i]) pump(queues_[i]);
    }
    for (const Completion& completion : refused)
        completion.message->completed(completion.outcome);
}

// Forgets a flight and gives its block back. Called with the lock held.
void VhostUserChannel::retire(Flight& flight) {
    if (flight.prepared || flight.state == Flight::State::kCopying) memory_.free(flight.block);
    if (flight.submitter_serves) --submitters_;
    flights_.erase(&flight);
}

// False if the ring is full. Called with the lock held.
bool VhostUserChannel::add_to_ring(Queue& queue, Flight& flight) {
    const std::uint64_t block = memory_.guest_address(flight.block);
    const auto readable = flight.layout.readable(*flight.message, block);
    const auto writable = flight.layout.writable(*flight.message, block);
    return queue.driver->add(readable.all(), writable.all(), &flight).has_value();
}

// Shows what was added to the device, and tells it unless a quarter of what it has are older messages and
// somebody looks at the ring soon, who tells it then: a busy device finds them without being told. Called
// with the lock held.
void VhostUserChannel::publish(Queue& queue) {
    queue.driver->publish();
    const std::size_t fresh = queue.driver->unannounced();
    if (queue.attended && 4 * fresh <= 3 * std::size_t{queue.driver->outstanding()}) return;
    kick(queue);
}

// Tells the device of what was published, if it wants to be told. Called with the lock held.
void VhostUserChannel::kick(Queue& queue) {
    if (!queue.driver->needs_kick()) return;
    kicks_.fetch_add(1, std::memory_order_relaxed);
    queue.kick.signal();
}

// Moves pending messages into the ring as long as there is room. Whoever finds another thread at it leaves
// his messages to that thread.
void VhostUserChannel::pump(Queue& queue) {
    std::unique_lock lock(mutex_);
    if (queue.pumping) return;
    queue.pumping = true;
    while (!ended_ && !queue.pending.empty()) {
        Flight& flight = *queue.pending.front();
        if (!flight.prepared) {
            const std::size_t bytes = flight.layout.block_bytes();
            const auto block = memory_.allocate(bytes);
            if (!block) break;  // goes on when a message comes back
            flight.block = *block;
            flight.state = Flight::State::kCopying;
            lock.unlock();
            flight.layout.fill(*flight.message, std::span(memory_.at(flight.block), bytes));
            copied_bytes_.fetch_add(flight.layout.out_bounced(), std::memory_order_relaxed);
            lock.lock();
            flight.prepared = true;
            if (flight.cancelled || ended_) {
                guest::Message* const message = flight.message;
                const ChannelError how = flight.cancelled ? ChannelError::kCancelled : end_kind_;
                queue.pending.pop_front();
                active_.erase(message);
                retire(flight);
                lock.unlock();
                message->completed(std::unexpected(how));
                wake_submitter();
                lock.lock();
                continue;
            }
            flight.state = Flight::State::kQueued;
        }
        if (!add_to_ring(queue, flight)) break;
        queue.pending.pop_front();
        flight.state = Flight::State::kInRing;
        most_in_ring_ = std::max(most_in_ring_, ++in_ring_);
        messages_.fetch_add(1, std::memory_order_relaxed);
        if (flight.layout.out_bounced() >= kLongRequest) publish(queue);
    }
    queue.pumping = false;
    publish(queue);
}

void VhostUserChannel::cancel(guest::Message& message) noexcept {
    {
        const std::lock_guard lock(mutex_);
        const auto found = active_.find(&message);
        if (found == active_.end()) return;
        Flight& flight = *found->second;
        switch (flight.state) {
            case Flight::State::kCopying:
                flight.cancelled =
                    true;  // the pump is reading the message's buffers and completes it right after
                return;
            case Flight::State::kQueued:
                active_.erase(found);
                for (Queue& queue : queues_)
                    std::erase(queue.pending, &flight);
                retire(flight);
                break;
            case Flight::State::kInRing:
                // The device may still write to the block: it stays until the device gives it back.
                active_.erase(found);
                flight.message = nullptr;
                break;
        }
    }
    message.completed(std::unexpected(ChannelError::kCancelled));
    wake_submitter();
    // A message that waited for this one's room may go on.
    for (Queue& queue : queues_)
        pump(queue);
}

// Ends the epoch once: completes everything that no other thread is about to complete.
void VhostUserChannel::end(ChannelError how, const std::string& reason) {
    std::vector<guest::Message*> messages;
    {
        const std::lock_guard lock(mutex_);
        if (ended_) return;
        ended_ = true;
        end_kind_ = how;
        reason_ = reason;
        for (Queue& queue : queues_) {
            std::erase_if(queue.pending,
                          [](const Flight* flight) { return flight->state != Flight::State::kCopying; });
        }
        for (auto it = flights_.begin(); it != flights_.end();) {
            Flight& flight = *it->second;
            // A flight being copied is the pump's to complete; one that has left the ring is drain()'s, which
            // runs on the thread that calls this or not at all.
            if (flight.state == Flight::State::kCopying) {
                ++it;
                continue;
            }
            if (flight.message != nullptr) {
                active_.erase(flight.message);
                messages.push_back(flight.message);
            }
            if (flight.submitter_serves) --submitters_;
            it = flights_.erase(it);
        }
        in_ring_ = 0;
    }
    for (guest::Message* const message : messages)
        message->completed(std::unexpected(how));
    wake_submitter();
}

}  // namespace lab
