#include "lab/bridge/carrier.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "lab/bridge/init_filter.h"
#include "lab/bridge/reply_room.h"
#include "virtio/fs_device.h"

namespace lab {
namespace {

constexpr std::uint16_t kQueueSize = 512;
constexpr std::uint16_t kIndirectCapacity = 8;
constexpr std::uint16_t kBackground = 128;  // requests that the kernel has at work without anybody waiting
constexpr int kWakeSignal = SIGUSR1;        // ends a reader's read

void signal_event(const vhost_user::Fd& event) {
    const std::uint64_t one = 1;
    (void)!::write(event.get(), &one, sizeof one);
}

}  // namespace

// One virtqueue. The lock guards the driver's side of it.
struct Carrier::Queue {
    std::vector<virtio::DriverQueue::Slot> slots = std::vector<virtio::DriverQueue::Slot>(kQueueSize);
    std::mutex mutex;
    std::condition_variable room;
    std::unique_ptr<virtio::DriverQueue> driver;
    vhost_user::Fd kick{::eventfd(0, EFD_CLOEXEC)};
    vhost_user::Fd call{::eventfd(0, EFD_CLOEXEC)};
};

Carrier::Carrier(vhost_user::FrontEnd front, GuestMemory memory, const Options& options)
    : options_(options),
      front_(std::move(front)),
      memory_(std::move(memory)),
      failure_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

std::expected<std::unique_ptr<Carrier>, std::string> Carrier::connect(vhost_user::Fd socket,
                                                                      const Options& options) {
    auto front = vhost_user::FrontEnd::negotiate(
        std::move(socket),
        {.wanted_features = virtio::feature::kRingIndirectDescriptors | virtio::feature::kRingEventIndex,
         .timeout = options.timeout});
    if (!front) return std::unexpected(front.error());
    const std::uint32_t offered = front->max_rings().value_or(2);
    if (offered < 2) return std::unexpected("the daemon offers no request queue");
    const std::uint32_t queues = std::min(offered, options.request_queues + 1);

    const std::size_t ring_bytes = virtio::ring_layout(kQueueSize).bytes;
    const std::size_t table_bytes = sizeof(virtio::Descriptor) * kIndirectCapacity * kQueueSize;
    auto memory =
        GuestMemory::create(queues * (ring_bytes + table_bytes) + Slots::bytes_for(options.messages));
    if (!memory) return std::unexpected(memory.error());
    std::unique_ptr<Carrier> carrier(new Carrier(std::move(*front), std::move(*memory), options));
    if (auto started = carrier->start_queues(queues); !started) return std::unexpected(started.error());
    auto slots = Slots::make(carrier->memory_, options.messages);
    if (!slots) return std::unexpected(slots.error());
    carrier->slots_ = std::move(*slots);
    return carrier;
}

std::expected<void, std::string> Carrier::start_queues(std::uint32_t count) {
    const vhost_user::Region region{.place = {.guest_address = memory_.guest_address(0),
                                              .bytes = memory_.bytes(),
                                              .user_address = memory_.user_address(0),
                                              .file_offset = 0},
                                    .fd = memory_.fd()};
    if (auto told = front_.set_memory(std::span(&region, 1)); !told) return told;
    const bool indirect = (front_.features() & virtio::feature::kRingIndirectDescriptors) != 0;
    const virtio::RingLayout layout = virtio::ring_layout(kQueueSize);
    for (std::uint32_t index = 0; index < count; ++index) {
        auto queue = std::make_unique<Queue>();
        const auto ring = memory_.allocate(layout.bytes);
        const auto tables = memory_.allocate(sizeof(virtio::Descriptor) * kIndirectCapacity * kQueueSize);
        if (!ring || !tables || !queue->kick || !queue->call || !failure_) {
            return std::unexpected(std::string("cannot make the queues: out of memory or of descriptors"));
        }
        queue->driver = std::make_unique<virtio::DriverQueue>(virtio::DriverQueue::Options{
            .ring = virtio::SplitRing(memory_.at(*ring), kQueueSize),
            .slots = queue->slots,
            .indirect_tables =
                indirect ? reinterpret_cast<virtio::Descriptor*>(memory_.at(*tables)) : nullptr,
            .indirect_address = memory_.guest_address(*tables),
            .indirect_capacity = indirect ? kIndirectCapacity : std::uint16_t{0},
            .event_index = (front_.features() & virtio::feature::kRingEventIndex) != 0});
        const auto started = front_.start_ring({.index = index,
                                                .size = kQueueSize,
                                                .base = 0,
                                                .descriptors = memory_.user_address(*ring),
                                                .available = memory_.user_address(*ring + layout.available),
                                                .used = memory_.user_address(*ring + layout.used),
                                                .kick = queue->kick.get(),
                                                .call = queue->call.get()});
        if (!started) return started;
        queues_.push_back(std::move(queue));
    }
    return {};
}

std::expected<void, std::string> Carrier::serve(const FuseDevice& device) {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART: the read ends
    ::sigaction(kWakeSignal, &action, nullptr);
    for (std::size_t i = 0; i < options_.readers; ++i) {
        auto channel = device.open_channel();
        if (!channel) return std::unexpected(channel.error());
        channels_.push_back(std::move(*channel));
    }
    for (const auto& queue : queues_)
        takers_.emplace_back([this, &queue = *queue] { take_replies(queue); });
    readers_running_ = channels_.size();
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        Queue& requests = *queues_[virtio::kFsFirstRequestQueue + i % (queues_.size() - 1)];
        readers_.emplace_back([this, channel = channels_[i].get(), &requests] {
            read_requests(channel, requests);
            --readers_running_;
        });
    }
    return {};
}

Carrier::~Carrier() {
    stop();
}

void Carrier::stop() {
    stopping_ = true;
    if (slots_ != nullptr) slots_->close();
    for (const auto& queue : queues_) {
        signal_event(queue->call);
        const std::lock_guard lock(queue->mutex);
        queue->room.notify_all();
    }
    // A signal that comes just before the read ends nothing: again until all have seen it.
    while (readers_running_ != 0) {
        for (std::thread& reader : readers_)
            ::pthread_kill(reader.native_handle(), kWakeSignal);
        ::poll(nullptr, 0, 1);
    }
    for (std::thread& reader : readers_)
        reader.join();
    for (std::thread& taker : takers_)
        taker.join();
    readers_.clear();
    takers_.clear();
    channels_.clear();
}

bool Carrier::wait_until_agreed(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    agreed_changed_.wait_for(lock, time, [this] { return agreed_ || !problem_.empty(); });
    return agreed_;
}

std::string Carrier::problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
}

void Carrier::give_up(const std::string& why) {
    if (stopping_) return;
    {
        const std::lock_guard lock(mutex_);
        if (problem_.empty()) problem_ = why;
    }
    agreed_changed_.notify_all();
    signal_event(failure_);
}

void Carrier::read_requests(int channel, Queue& requests) {
    Slot* slot = slots_->take();
    while (slot != nullptr && !stopping_) {
        const std::span<std::byte> room = slot->request_bytes();
        const ssize_t bytes = ::read(channel, room.data(), room.size());
        if (bytes < 0) {
            // ENOENT: the request was taken back while it was read.
            if (errno == EINTR || errno == ENOENT || errno == EAGAIN) continue;
            const bool unmounted = errno == ENODEV || errno == ECONNABORTED;
            give_up(unmounted ? ""
                              : std::string("cannot read the kernel's requests: ") + std::strerror(errno));
            return;
        }
        std::memcpy(&slot->request, room.data(), sizeof slot->request);
        slot->channel = channel;
        if (slot->request.opcode == fuse::Opcode::kInterrupt && !options_.interrupts) {
            answer_error(*slot, ENOSYS);
            continue;
        }
        const auto length = static_cast<std::size_t>(bytes);
        if (slot->request.opcode == fuse::Opcode::kInit) {
            fuse::InitIn init;
            const std::size_t known = std::min(sizeof init, length - sizeof slot->request);
            std::memcpy(&init, room.data() + sizeof slot->request, known);
            offered_ = filter_init_request(init);
            std::memcpy(room.data() + sizeof slot->request, &init, known);
        }
        slot->reply_room = reply_room(slot->request.opcode, room.first(length).subspan(sizeof slot->request));
        send(fuse::is_high_priority(slot->request.opcode) ? *queues_[virtio::kFsHighPriorityQueue] : requests,
             *slot, length);
        slot = slots_->take();
    }
}

void Carrier::send(Queue& queue, Slot& slot, std::size_t request_bytes) {
    std::array<virtio::Piece, 3> readable{
        {{.address = slot.address + Slot::kRequestAt, .length = sizeof(fuse::InHeader)}}};
    std::size_t count = 1;
    const auto add = [&](std::size_t end) {
        const std::size_t begin = readable[count - 1].address + readable[count - 1].length - slot.address;
        if (end <= begin) return;
        readable[count++] = {.address = slot.address + begin,
                             .length = static_cast<std::uint32_t>(end - begin)};
    };
    // A write's data begin a piece, as those of a Linux guest.
    if (slot.request.opcode == fuse::Opcode::kWrite) add(fuse::kPageBytes);
    add(Slot::kRequestAt + request_bytes);
    const std::array<virtio::Piece, 2> writable{
        {{.address = slot.address + Slot::kReplyAt, .length = sizeof(fuse::OutHeader)},
         {.address = slot.address + Slot::kReplyAt + sizeof(fuse::OutHeader),
          .length = slot.reply_room - static_cast<std::uint32_t>(sizeof(fuse::OutHeader))}}};
    const std::size_t writable_count = slot.reply_room == 0                         ? 0
                                       : slot.reply_room == sizeof(fuse::OutHeader) ? 1
                                                                                    : 2;

    bool kick = false;
    {
        std::unique_lock lock(queue.mutex);
        while (true) {
            const auto added = queue.driver->add(std::span(readable).first(count),
                                                 std::span(writable).first(writable_count), &slot);
            if (added) break;
            if (added.error() != virtio::AddError::kFull) {
                lock.unlock();
                give_up("a queue is broken: the daemon violated virtio's protocol");
                slots_->give_back(slot);
                return;
            }
            if (stopping_) return;
            queue.room.wait(lock);
        }
        queue.driver->publish();
        kick = queue.driver->needs_kick();
    }
    if (kick) signal_event(queue.kick);
}

void Carrier::take_replies(Queue& queue) {
    std::array<virtio::UsedChain, 32> used;
    while (!stopping_) {
        std::size_t count = 0;
        bool wait = false;
        {
            const std::lock_guard lock(queue.mutex);
            while (count < used.size()) {
                const auto chain = queue.driver->pop_used();
                if (!chain) {
                    give_up("the daemon violated virtio's protocol");
                    return;
                }
                if (!*chain) break;
                used[count++] = **chain;
            }
            if (count != 0) {
                queue.room.notify_all();
            } else {
                wait = !queue.driver->enable_interrupts();
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            Slot& slot = *static_cast<Slot*>(used[i].token);
            if (slot.reply_room != 0) deliver(slot, used[i].bytes_written);
            slots_->give_back(slot);
        }
        if (!wait) continue;
        std::uint64_t interrupts = 0;
        (void)!::read(queue.call.get(), &interrupts, sizeof interrupts);
    }
}

void Carrier::deliver(Slot& slot, std::uint32_t bytes_written) {
    const std::span<std::byte> bytes = slot.reply_bytes();
    fuse::OutHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (bytes_written < sizeof header || header.len < sizeof header || header.len > bytes_written ||
        header.unique != slot.request.unique) {
        answer_error(slot, EIO);
        return;
    }
    if (slot.request.opcode == fuse::Opcode::kInit) {
        if (header.error == 0 && header.len > sizeof header) {
            fuse::InitOut init;
            const std::size_t known = std::min(sizeof init, header.len - sizeof header);
            std::memcpy(&init, bytes.data() + sizeof header, known);
            filter_init_reply(init, offered_, Slot::kDataBytes, kBackground);
            std::memcpy(bytes.data() + sizeof header, &init, known);
        }
        const bool taken = answer(slot, bytes.first(header.len));
        if (header.error != 0) {
            give_up(std::string("the daemon refused INIT: ") + std::strerror(-header.error));
        } else if (taken) {
            const std::lock_guard lock(mutex_);
            agreed_ = true;
            agreed_changed_.notify_all();
        }
        return;
    }
    if (!answer(slot, bytes.first(header.len))) answer_error(slot, EIO);
}

// False if the kernel does not take it as an answer to that request.
bool Carrier::answer(const Slot& slot, std::span<const std::byte> reply) {
    while (true) {
        if (::write(slot.channel, reply.data(), reply.size()) >= 0) return true;
        if (errno == EINTR) continue;
        // ENOENT, ENODEV and the like: nobody waits for it any more.
        return errno != EINVAL;
    }
}

void Carrier::answer_error(const Slot& slot, std::int32_t error) {
    const fuse::OutHeader header{.len = sizeof header, .error = -error, .unique = slot.request.unique};
    answer(slot, std::as_bytes(std::span(&header, 1)));
}

}  // namespace lab
