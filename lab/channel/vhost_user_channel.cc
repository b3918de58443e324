#include "lab/channel/vhost_user_channel.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fuse/protocol.h"
#include "lab/channel/message_bytes.h"
#include "virtio/fs_device.h"

namespace lab {
namespace {

using guest::ChannelError;

// Descriptors for either direction of a message; further pieces are joined to the last one.
constexpr std::size_t kMaxPieces = 8;
constexpr std::uint16_t kIndirectCapacity = 2 * kMaxPieces;

void signal(const vhost_user::Fd& eventfd) {
    const std::uint64_t one = 1;
    // Fails only if the counter is full, and then the other side has been told already.
    (void)!::write(eventfd.get(), &one, sizeof one);
}

// The descriptors' lengths follow the message's pieces, so that a daemon sees header, arguments and data
// apart.
template <typename Pieces>
std::size_t describe(const Pieces& pieces, std::uint64_t address, std::span<virtio::Piece> into) {
    std::size_t count = 0;
    for (const auto piece : pieces) {
        if (piece.empty()) continue;
        const auto length = static_cast<std::uint32_t>(piece.size());
        if (count == into.size()) {
            into[count - 1].length += length;
        } else {
            into[count++] = {.address = address, .length = length};
        }
        address += length;
    }
    return count;
}

}  // namespace

VhostUserChannel::VhostUserChannel(vhost_user::FrontEnd front, GuestMemory memory,
                                   const VhostUserChannelOptions& options)
    : options_(options), front_(std::move(front)), memory_(std::move(memory)) {}

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
        std::move(socket),
        {.wanted_features = virtio::feature::kRingIndirectDescriptors | virtio::feature::kRingEventIndex,
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

    std::unique_ptr<VhostUserChannel> channel(
        new VhostUserChannel(std::move(*front), std::move(*memory), options));
    if (auto started = channel->start(queues); !started) return std::unexpected(started.error());
    return channel;
}

std::expected<void, std::string> VhostUserChannel::start(std::uint32_t queues) {
    const vhost_user::Region region{.place = {.guest_address = memory_.guest_address(0),
                                              .bytes = memory_.bytes(),
                                              .user_address = memory_.user_address(0),
                                              .file_offset = 0},
                                    .fd = memory_.fd()};
    if (auto told = front_.set_memory(std::span(&region, 1)); !told) return told;

    const bool indirect = (front_.features() & virtio::feature::kRingIndirectDescriptors) != 0;
    stop_ = vhost_user::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    queues_.resize(queues);
    for (std::uint32_t i = 0; i < queues; ++i) {
        Queue& queue = queues_[i];
        const std::uint16_t size = options_.queue_size;
        const virtio::RingLayout layout = virtio::ring_layout(size);
        const auto ring = memory_.allocate(layout.bytes);
        const auto tables = memory_.allocate(sizeof(virtio::Descriptor) * kIndirectCapacity * size);
        queue.kick = vhost_user::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        queue.call = vhost_user::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!ring || !tables || !queue.kick || !queue.call || !stop_) {
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
    signal(stop_);
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
    {
        const std::lock_guard lock(mutex_);
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
            auto flight = std::make_unique<Flight>();
            flight->message = message;
            flight->out_bytes = static_cast<std::uint32_t>(out);
            flight->in_bytes = static_cast<std::uint32_t>(in);
            const std::size_t index = queue_for(*message);
            touched[index] = true;
            active_.emplace(message, flight.get());
            queues_[index].pending.push_back(flight.get());
            flights_.emplace(flight.get(), std::move(flight));
        }
    }
    for (std::size_t i = 0; i < touched.size(); ++i) {
        if (touched[i]) pump(queues_[i]);
    }
    for (const Completion& completion : refused)
        completion.message->completed(completion.outcome);
}

// Forgets a flight and gives its block back. Called with the lock held.
void VhostUserChannel::retire(Flight& flight) {
    if (flight.prepared || flight.state == Flight::State::kCopying) memory_.free(flight.block);
    flights_.erase(&flight);
}

// False if the ring is full. Called with the lock held.
bool VhostUserChannel::add_to_ring(Queue& queue, Flight& flight) {
    std::array<virtio::Piece, kMaxPieces> readable, writable;
    const std::uint64_t address = memory_.guest_address(flight.block);
    const std::size_t out = describe(flight.message->out, address, readable);
    const std::size_t in = describe(flight.message->in, address + flight.out_bytes, writable);
    const auto added =
        queue.driver->add(std::span(readable).first(out), std::span(writable).first(in), &flight);
    return added.has_value();
}

// Moves pending messages into the ring as long as there is room. Whoever finds another thread at it leaves
// his messages to that thread.
void VhostUserChannel::pump(Queue& queue) {
    std::unique_lock lock(mutex_);
    if (queue.pumping) return;
    queue.pumping = true;
    bool kick = false;
    while (!ended_ && !queue.pending.empty()) {
        Flight& flight = *queue.pending.front();
        if (!flight.prepared) {
            const auto block = memory_.allocate(std::size_t{flight.out_bytes} + flight.in_bytes);
            if (!block) break;  // goes on when a message comes back
            flight.block = *block;
            flight.state = Flight::State::kCopying;
            lock.unlock();
            const std::span room(memory_.at(flight.block), std::size_t{flight.out_bytes} + flight.in_bytes);
            gather(*flight.message, room.first(flight.out_bytes));
            // What earlier replies left there is nobody's business.
            std::memset(room.data() + flight.out_bytes, 0, std::min<std::size_t>(flight.in_bytes, 4096));
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
                lock.lock();
                continue;
            }
            flight.state = Flight::State::kQueued;
        }
        if (!add_to_ring(queue, flight)) break;
        queue.pending.pop_front();
        flight.state = Flight::State::kInRing;
        ++in_ring_;
        queue.driver->publish();
        // At once for a long message, so that the device works while the next one is copied.
        kick = queue.driver->needs_kick() || kick;
        if (kick && flight.out_bytes >= 65536) {
            signal(queue.kick);
            kick = false;
        }
    }
    queue.pumping = false;
    if (kick) signal(queue.kick);
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
    // A message that waited for this one's room may go on.
    for (Queue& queue : queues_)
        pump(queue);
}

// Completes what the device has given back. False after a violation of the protocol, which ends the channel.
bool VhostUserChannel::drain(Queue& queue) {
    struct Returned {
        Flight* flight;
        guest::Message* message;
        std::uint32_t bytes;
    };
    std::vector<Returned> returned;
    bool violated = false;
    bool more = true;
    while (more && !violated) {
        returned.clear();
        {
            const std::lock_guard lock(mutex_);
            if (ended_) return true;
            queue.driver->suppress_interrupts();
            for (;;) {
                const auto used = queue.driver->pop_used();
                violated = !used;
                if (!used || !*used) break;
                auto* const flight = static_cast<Flight*>((*used)->token);
                --in_ring_;
                // From here on it cannot be cancelled: its outcome has come.
                if (flight->message != nullptr) active_.erase(flight->message);
                returned.push_back({flight, flight->message, (*used)->bytes_written});
            }
            more = !violated && queue.driver->enable_interrupts();
        }
        for (const Returned& one : returned) {
            if (one.message == nullptr || one.bytes == 0) continue;
            scatter({memory_.at(one.flight->block + one.flight->out_bytes), one.bytes}, *one.message);
        }
        {
            const std::lock_guard lock(mutex_);
            for (const Returned& one : returned)
                retire(*one.flight);
        }
        for (const Returned& one : returned) {
            if (one.message != nullptr) one.message->completed(one.bytes);
        }
        if (!returned.empty()) {
            for (Queue& each : queues_)
                pump(each);
        }
    }
    return !violated;
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
            // runs on the thread that calls this.
            if (flight.state == Flight::State::kCopying) {
                ++it;
                continue;
            }
            if (flight.message != nullptr) {
                active_.erase(flight.message);
                messages.push_back(flight.message);
            }
            it = flights_.erase(it);
        }
        in_ring_ = 0;
    }
    for (guest::Message* const message : messages)
        message->completed(std::unexpected(how));
}

void VhostUserChannel::run() {
    std::vector<pollfd> entries;
    entries.push_back({.fd = stop_.get(), .events = POLLIN, .revents = 0});
    entries.push_back({.fd = front_.socket(), .events = POLLIN | POLLRDHUP, .revents = 0});
    for (const Queue& queue : queues_) {
        entries.push_back({.fd = queue.call.get(), .events = POLLIN, .revents = 0});
    }
    for (;;) {
        if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) {
            end(ChannelError::kLost, std::string("cannot wait for the daemon: ") + std::strerror(errno));
            break;
        }
        if (entries[0].revents != 0) return;
        // The daemon has nothing to say on the socket unasked: whatever happens there is the end. What it
        // answered before is in the rings.
        const bool hung_up = entries[1].revents != 0;
        bool violated = false;
        for (std::size_t i = 0; i < queues_.size() && !violated; ++i) {
            if (entries[2 + i].revents == 0 && !hung_up) continue;
            std::uint64_t count = 0;
            (void)!::read(queues_[i].call.get(), &count, sizeof count);
            violated = !drain(queues_[i]);
        }
        if (violated) {
            end(ChannelError::kLost, "the device broke the virtqueue protocol");
            break;
        }
        if (hung_up) {
            end(ChannelError::kLost, "the daemon has closed the vhost-user connection");
            break;
        }
    }
    sink_.tell_lost(options_.epoch);
}

}  // namespace lab
