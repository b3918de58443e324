#include "tests/bench/daemons/fuse_driver.h"

#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "virtio/fs_device.h"

namespace bench {
namespace {

constexpr std::uint16_t kQueueSize = 128;
constexpr std::uint16_t kIndirectCapacity = 8;
constexpr std::size_t kMemoryBytes = std::size_t{32} << 20;
constexpr std::size_t kForgets = 64;  // messages at the daemon at once
constexpr std::size_t kForgetsInBatch = (4096 - sizeof(fuse::BatchForgetIn)) / sizeof(fuse::ForgetOne);
constexpr std::chrono::milliseconds kTimeout{10000};
constexpr int kWatchdogSeconds = 60;

// Where the parts of a call lie in its block.
constexpr std::size_t kArgumentsAt = 64;
constexpr std::size_t kReplyAt = kArgumentsAt + Call::kArgumentBytes;
constexpr std::size_t kBodyAt = kReplyAt + 64;
constexpr std::size_t kCallBytes = kBodyAt + Call::kBodyBytes;

template <typename T>
T checked(std::expected<T, std::string> result) {
    if (!result) throw Failure(result.error());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

struct FuseDriver::Queue {
    std::vector<virtio::DriverQueue::Slot> slots = std::vector<virtio::DriverQueue::Slot>(kQueueSize);
    std::optional<virtio::DriverQueue> driver;
    vhost_user::Fd kick{::eventfd(0, EFD_CLOEXEC)};
    vhost_user::Fd call{::eventfd(0, EFD_CLOEXEC)};

    void announce() {
        driver->publish();
        if (!driver->needs_kick()) return;
        const std::uint64_t one = 1;
        if (::write(kick.get(), &one, sizeof one) != sizeof one) throw Failure("cannot kick the daemon");
    }
    void wait_for_interrupt() const {
        std::uint64_t count = 0;
        if (::read(call.get(), &count, sizeof count) != sizeof count) {
            throw Failure("the daemon did not answer within a minute");
        }
    }
};

FuseDriver::FuseDriver(const std::string& socket_path) {
    auto socket = checked(vhost_user::connect_unix(socket_path, vhost_user::within(kTimeout)));
    front_ = checked(vhost_user::FrontEnd::negotiate(
        std::move(socket),
        {.wanted_features = virtio::feature::kRingIndirectDescriptors | virtio::feature::kRingEventIndex,
         .timeout = kTimeout}));
    memory_.emplace(checked(lab::GuestMemory::create(kMemoryBytes)));
    std::memset(memory_->at(0), 0, memory_->bytes());  // page faults come before what is measured
    const vhost_user::Region region{.place = {.guest_address = memory_->guest_address(0),
                                              .bytes = memory_->bytes(),
                                              .user_address = memory_->user_address(0),
                                              .file_offset = 0},
                                    .fd = memory_->fd()};
    checked(front_->set_memory(std::span(&region, 1)));

    const bool indirect = (front_->features() & virtio::feature::kRingIndirectDescriptors) != 0;
    const virtio::RingLayout layout = virtio::ring_layout(kQueueSize);
    for (std::uint32_t index = 0; index < 2; ++index) {
        auto queue = std::make_unique<Queue>();
        const Buffer ring = allocate(layout.bytes, 64);
        const Buffer tables = allocate(sizeof(virtio::Descriptor) * kIndirectCapacity * kQueueSize, 64);
        queue->driver.emplace(virtio::DriverQueue::Options{
            .ring = virtio::SplitRing(ring.data, kQueueSize),
            .slots = queue->slots,
            .indirect_tables = indirect ? reinterpret_cast<virtio::Descriptor*>(tables.data) : nullptr,
            .indirect_address = tables.piece.address,
            .indirect_capacity = indirect ? kIndirectCapacity : std::uint16_t{0},
            .event_index = (front_->features() & virtio::feature::kRingEventIndex) != 0});
        queue->driver->suppress_interrupts();
        const auto at = reinterpret_cast<std::uint64_t>(ring.data);
        checked(front_->start_ring({.index = index,
                                    .size = kQueueSize,
                                    .base = 0,
                                    .descriptors = at,
                                    .available = at + layout.available,
                                    .used = at + layout.used,
                                    .kick = queue->kick.get(),
                                    .call = queue->call.get()}));
        (index == virtio::kFsHighPriorityQueue ? urgent_ : requests_) = std::move(queue);
    }
    for (std::size_t i = 0; i < kForgets; ++i) {
        forgets_.push_back(make_call());
        forgets_.back()->slot = i;
        forget_batches_.push_back(make_buffer(4096));
        idle_forgets_.push_back(forgets_.back().get());
    }
}

FuseDriver::~FuseDriver() = default;

Buffer FuseDriver::allocate(std::size_t bytes, std::size_t alignment) {
    const auto offset = memory_->allocate(bytes + alignment);
    if (!offset) throw Failure("the guest's memory is too small");
    const std::size_t at = (*offset + alignment - 1) / alignment * alignment;
    return {.data = memory_->at(at),
            .piece = {.address = memory_->guest_address(at), .length = static_cast<std::uint32_t>(bytes)}};
}

Buffer FuseDriver::make_buffer(std::size_t bytes) {
    return allocate(bytes, 4096);
}

std::unique_ptr<Call> FuseDriver::make_call() {
    const Buffer block = allocate(kCallBytes, 64);
    auto call = std::make_unique<Call>();
    call->request = reinterpret_cast<fuse::InHeader*>(block.data);
    call->arguments = block.data + kArgumentsAt;
    call->reply = reinterpret_cast<fuse::OutHeader*>(block.data + kReplyAt);
    call->body = block.data + kBodyAt;
    call->address = block.piece.address;
    return call;
}

void FuseDriver::lay_out(Call& call, fuse::Opcode opcode, fuse::NodeId node, std::size_t argument_bytes,
                         std::string_view name, std::size_t body_bytes, std::optional<virtio::Piece> payload,
                         std::optional<virtio::Piece> reply_data) {
    if (name.size() > 255 || body_bytes > Call::kBodyBytes) throw Failure("a request does not fit its call");
    call.readable = {{.address = call.address, .length = sizeof(fuse::InHeader)}};
    call.writable.clear();
    std::size_t bytes = sizeof(fuse::InHeader) + argument_bytes;
    const auto add_readable = [&](std::uint64_t address, std::size_t length) {
        if (length != 0)
            call.readable.push_back({.address = address, .length = static_cast<std::uint32_t>(length)});
    };
    add_readable(call.address + kArgumentsAt, argument_bytes);
    if (!name.empty()) {
        std::memcpy(call.arguments + argument_bytes, name.data(), name.size());
        call.arguments[argument_bytes + name.size()] = std::byte{0};
        add_readable(call.address + kArgumentsAt + argument_bytes, name.size() + 1);
        bytes += name.size() + 1;
    }
    if (payload) {
        call.readable.push_back(*payload);
        bytes += payload->length;
    }
    if (fuse::has_reply(opcode)) {
        call.writable.push_back({.address = call.address + kReplyAt, .length = sizeof(fuse::OutHeader)});
        if (body_bytes != 0) {
            call.writable.push_back(
                {.address = call.address + kBodyAt, .length = static_cast<std::uint32_t>(body_bytes)});
        }
        if (reply_data) call.writable.push_back(*reply_data);
    }
    *call.request = {};
    call.request->len = static_cast<std::uint32_t>(bytes);
    call.request->opcode = opcode;
    call.request->node = node;
    call.request->pid = static_cast<std::uint32_t>(::getpid());
}

void FuseDriver::add_to(Queue& queue, Call& call) {
    call.request->unique = unique_;
    unique_ += 2;
    call.reply->len = 0;
    if (!queue.driver->add(call.readable, call.writable, &call)) throw Failure("a queue is full or broken");
}

Call* FuseDriver::try_next_of(Queue& queue) {
    const auto used = queue.driver->pop_used();
    if (!used) throw Failure("the daemon broke virtio's protocol");
    return *used ? static_cast<Call*>((*used)->token) : nullptr;
}

Call& FuseDriver::next_of(Queue& queue) {
    while (true) {
        if (Call* const call = try_next_of(queue)) return *call;
        if (queue.driver->outstanding() == 0) throw Failure("nothing to wait for");
        queue.announce();
        if (!queue.driver->enable_interrupts()) queue.wait_for_interrupt();
    }
}

void FuseDriver::add(Call& call) {
    add_to(*requests_, call);
}

Call& FuseDriver::next() {
    Call& call = next_of(*requests_);
    if (call.reply->error != 0 || call.reply->len < sizeof(fuse::OutHeader) ||
        call.reply->unique != call.request->unique) {
        throw Failure(std::string(fuse::name_of(call.request->opcode)) +
                      " failed: " + std::strerror(-call.reply->error));
    }
    return call;
}

void FuseDriver::transact(Call& call) {
    add(call);
    if (&next() != &call) throw Failure("the daemon answered another request");
}

Call& FuseDriver::idle_forget() {
    while (Call* const call = try_next_of(*urgent_))
        idle_forgets_.push_back(call);
    if (idle_forgets_.empty()) idle_forgets_.push_back(&next_of(*urgent_));
    Call& call = *idle_forgets_.back();
    idle_forgets_.pop_back();
    return call;
}

void FuseDriver::forget(fuse::NodeId node, fuse::LookupCount count) {
    Call& call = idle_forget();
    prepare(call, fuse::Opcode::kForget, node, fuse::ForgetIn{.nlookup = count}, {}, 0);
    add_to(*urgent_, call);
    urgent_->announce();
}

void FuseDriver::forget(const std::vector<fuse::ForgetOne>& nodes) {
    for (std::size_t at = 0; at < nodes.size();) {
        const std::size_t count = std::min(nodes.size() - at, kForgetsInBatch);
        Call& call = idle_forget();
        Buffer batch = forget_batches_[call.slot];
        std::memcpy(batch.data, nodes.data() + at, count * sizeof(fuse::ForgetOne));
        batch.piece.length = static_cast<std::uint32_t>(count * sizeof(fuse::ForgetOne));
        prepare(call, fuse::Opcode::kBatchForget, fuse::kNoNode,
                fuse::BatchForgetIn{.count = static_cast<std::uint32_t>(count)}, {}, 0, batch.piece);
        add_to(*urgent_, call);
        at += count;
    }
    urgent_->announce();
}

void FuseDriver::wait_for_forgets() {
    while (urgent_->driver->outstanding() != 0)
        idle_forgets_.push_back(&next_of(*urgent_));
}

Watchdog::Watchdog() {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART: what matters is that the wait ends
    ::sigaction(SIGALRM, &action, nullptr);
    // Again and again, since the first may come just before the wait.
    const itimerval time{.it_interval = {.tv_sec = 1, .tv_usec = 0},
                         .it_value = {.tv_sec = kWatchdogSeconds, .tv_usec = 0}};
    ::setitimer(ITIMER_REAL, &time, nullptr);
}

Watchdog::~Watchdog() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
}

}  // namespace bench
