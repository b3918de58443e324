#include "lab/transport/server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "lab/transport/host_os.h"
#include "lab/transport/region_file.h"

namespace lab::transport {
namespace {

constexpr std::uint32_t kIdleMs = 1000;         // a worker looks around that often, whatever it was told
constexpr std::uint32_t kLivenessMs = 200;      // how often dead clients are looked for
constexpr std::uint32_t kStopPatienceMs = 100;  // between cancellations of calls that hold up the end

std::uint64_t bit_of(std::uint32_t index) {
    return std::uint64_t{1} << (index % 64);
}

// What the server itself knows about a slot, out of the clients' reach.
struct Taken {
    std::atomic<bool> taken{false};
    std::atomic<std::uint64_t> id{0};            // of the latest call
    std::atomic<std::uint64_t> cancelled_id{0};  // of the latest cancelled call
    std::atomic<std::uint32_t> client{0};
    std::uint64_t calls = 0;  // written by whoever has `taken`
    std::array<std::byte, kHeadBytes> head;
};

}  // namespace

class Server::Impl {
  public:
    Impl(RegionFile file, std::uint32_t slot_count, Handler& handler)
        : file_(std::move(file)),
          header_(file_.header()),
          slots_(file_.slots()),
          slot_count_(slot_count),
          handler_(handler),
          taken_(slot_count) {}

    void start(Server& server);
    void stop();

    region::Slot& slot(std::uint32_t index) { return slots_[index]; }
    const Taken& taken(std::uint32_t index) const { return taken_[index]; }
    void reply(std::uint32_t index, std::uint32_t head_bytes, std::uint32_t payload_bytes);
    std::uint32_t workers() const { return workers_.load(); }

  private:
    void add_worker();
    void work();
    bool take_one();
    bool deliver_cancellations();
    Call take(std::uint32_t index);
    void run(Call call);
    void cancel(std::uint32_t index);
    void mark_cancelled(std::uint32_t index, std::uint64_t id);
    void let_go(std::uint32_t index);
    void watch_clients();
    void reclaim(std::uint32_t client);
    bool free_slot(std::uint32_t index);

    RegionFile file_;
    region::Header* header_;
    region::Slot* slots_;
    std::uint32_t slot_count_;
    Handler& handler_;
    Server* server_ = nullptr;
    std::vector<Taken> taken_;
    std::atomic<std::uint32_t> stopping_{0};
    std::atomic<std::uint32_t> outstanding_{0};  // workers and unanswered calls
    std::atomic<std::uint32_t> idle_{0};
    std::atomic<std::uint32_t> workers_{0};
    std::mutex threads_lock_;
    std::vector<std::thread> threads_;
};

void Server::Impl::start(Server& server) {
    server_ = &server;
    {
        const std::scoped_lock guard(threads_lock_);
        threads_.emplace_back([this] { watch_clients(); });
    }
    add_worker();
}

void Server::Impl::stop() {
    file_.withdraw();
    stopping_.store(1);
    header_->stopping.store(1);
    os::wake(stopping_, os::kAllWaiters);
    header_->posted_sequence.fetch_add(1);
    os::wake(header_->posted_sequence, os::kAllWaiters);
    header_->freed_sequence.fetch_add(1);
    os::wake(header_->freed_sequence, os::kAllWaiters);
    for (std::uint32_t index = 0; index < slot_count_; ++index)
        os::wake(slot(index).state, os::kAllWaiters);
    for (region::Client& client : header_->clients) {
        if (client.connected.load() == 0) continue;
        client.sequence.fetch_add(1);
        os::wake(client.sequence, os::kAllWaiters);
    }
    while (const std::uint32_t count = outstanding_.load()) {
        for (std::uint32_t index = 0; index < slot_count_; ++index)
            cancel(index);
        os::wait(outstanding_, count, kStopPatienceMs);
    }
    // A worker adds no other once it sees stopping_, which it reads under the lock.
    std::vector<std::thread> ended;
    {
        const std::scoped_lock guard(threads_lock_);
        ended.swap(threads_);
    }
    for (std::thread& thread : ended)
        thread.join();
}

void Server::Impl::add_worker() {
    const std::scoped_lock guard(threads_lock_);
    if (stopping_.load() != 0 || workers_.load() > slot_count_) return;
    try {
        threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
        return;  // the present workers go on; calls wait until one is free
    }
    workers_.fetch_add(1);
    outstanding_.fetch_add(1);
}

void Server::Impl::work() {
    while (stopping_.load() == 0) {
        const std::uint32_t seen = header_->posted_sequence.load();
        if (deliver_cancellations() || take_one()) continue;
        // A poster counts up the sequence, then looks for idle workers: one of the two notices the other.
        idle_.fetch_add(1);
        header_->idle_workers.fetch_add(1);
        if (stopping_.load() == 0) os::wait(header_->posted_sequence, seen, kIdleMs);
        header_->idle_workers.fetch_sub(1);
        idle_.fetch_sub(1);
    }
    outstanding_.fetch_sub(1);
    os::wake(outstanding_, os::kAllWaiters);
}

bool Server::Impl::take_one() {
    for (std::uint32_t word = 0; word * 64 < slot_count_; ++word) {
        for (std::uint64_t bits = header_->posted.words[word].load(); bits != 0; bits &= bits - 1) {
            const std::uint32_t index = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
            const bool mine = (header_->posted.words[word].fetch_and(~bit_of(index)) & bit_of(index)) != 0;
            if (!mine || index >= slot_count_) continue;
            Call call = take(index);
            if (!call) continue;
            run(std::move(call));
            return true;
        }
    }
    return false;
}

// Nothing in the slot is believed; a malformed call gets an empty reply.
Call Server::Impl::take(std::uint32_t index) {
    region::Slot& from = slot(index);
    Taken& mine = taken_[index];
    if (mine.taken.exchange(true)) return {};
    if (from.state.load() != region::kPosted) {
        let_go(index);
        return {};
    }
    const std::uint32_t client = from.owner.load();
    const std::uint32_t head = from.head_bytes.load();
    const std::uint32_t payload = from.payload_bytes.load();
    if (client == 0 || client > kMaxClients || head > kHeadBytes || payload > kPayloadBytes) {
        from.head_bytes.store(0);
        from.payload_bytes.store(0);
        mine.taken.store(false);
        from.state.store(region::kDone);
        os::wake(from.state, os::kAllWaiters);
        return {};
    }
    std::copy_n(from.head, head, mine.head.begin());
    const std::uint64_t id = ++mine.calls << 8 | index;
    static_assert(kMaxSlots <= 256);
    mine.client.store(client);
    mine.id.store(id);
    outstanding_.fetch_add(1);

    Call call;
    call.server_ = server_;
    call.slot_ = index;
    call.client_ = client;
    call.head_bytes_ = head;
    call.payload_bytes_ = payload;
    call.reply_room_ = std::min<std::uint32_t>(from.reply_room.load(), kPayloadBytes);
    call.id_ = CallId{id};
    // The client sets the word, then rings; whoever answers the ring either finds the call taken or is seen
    // here.
    if (from.cancel.load() != 0) mark_cancelled(index, id);
    return call;
}

void Server::Impl::run(Call call) {
    // The handler may block: somebody has to be left who listens.
    if (idle_.load() == 0) add_worker();
    handler_.handle(std::move(call));
}

bool Server::Impl::deliver_cancellations() {
    bool any = false;
    for (std::uint32_t word = 0; word * 64 < slot_count_; ++word) {
        if (header_->cancelled.words[word].load() == 0) continue;
        for (std::uint64_t bits = header_->cancelled.words[word].exchange(0); bits != 0; bits &= bits - 1) {
            const std::uint32_t index = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
            if (index < slot_count_) cancel(index);
            any = true;
        }
    }
    return any;
}

// Ids of a slot only grow, and a late mark of an earlier call must not hide that of the present one.
void Server::Impl::mark_cancelled(std::uint32_t index, std::uint64_t id) {
    std::atomic<std::uint64_t>& latest = taken_[index].cancelled_id;
    std::uint64_t seen = latest.load();
    while (seen < id && !latest.compare_exchange_weak(seen, id)) {
    }
}

// Ends a hold on a slot that turned out to carry no call. Whoever looked meanwhile was sent away, so look
// again for them.
void Server::Impl::let_go(std::uint32_t index) {
    taken_[index].taken.store(false);
    if (slot(index).state.load() != region::kPosted) return;
    header_->posted.words[index / 64].fetch_or(bit_of(index));
    header_->posted_sequence.fetch_add(1);
    os::wake(header_->posted_sequence, 1);
}

void Server::Impl::cancel(std::uint32_t index) {
    Taken& mine = taken_[index];
    if (!mine.taken.load()) return;
    const std::uint64_t id = mine.id.load();
    mark_cancelled(index, id);
    handler_.cancel(CallId{id});
}

void Server::Impl::reply(std::uint32_t index, std::uint32_t head_bytes, std::uint32_t payload_bytes) {
    region::Slot& to = slot(index);
    Taken& mine = taken_[index];
    const bool ending = stopping_.load() != 0;
    const std::uint32_t client = mine.client.load();
    const bool asynchronous = to.asynchronous.load(std::memory_order_relaxed) != 0;
    to.head_bytes.store(std::min<std::uint32_t>(head_bytes, kHeadBytes), std::memory_order_relaxed);
    to.payload_bytes.store(std::min<std::uint32_t>(payload_bytes, kPayloadBytes), std::memory_order_relaxed);
    // In this order: once it reads kDone, the client may post the next call, which has to find the slot not
    // taken.
    mine.taken.store(false);
    to.state.store(region::kDone);
    if (asynchronous) {
        region::Client& record = header_->clients[client];
        record.done[index / 64].fetch_or(bit_of(index));
        record.sequence.fetch_add(1);
        if (record.reaper_sleeps.load() != 0) os::wake(record.sequence, 1);
    } else {
        os::wake(to.state, 1);
    }
    // Last: the server may be gone once no call is left (a wake on its former memory does no harm).
    outstanding_.fetch_sub(1);
    if (ending) os::wake(outstanding_, os::kAllWaiters);
}

// Takes a slot from its owner. False while its call is still being handled.
bool Server::Impl::free_slot(std::uint32_t index) {
    if (taken_[index].taken.exchange(true)) return false;
    slot(index).state.store(region::kFree);
    slot(index).owner.store(0);
    let_go(index);
    header_->free.words[index / 64].fetch_or(bit_of(index));
    header_->freed_sequence.fetch_add(1);
    os::wake(header_->freed_sequence, 1);
    return true;
}

void Server::Impl::watch_clients() {
    while (stopping_.load() == 0) {
        os::wait(stopping_, 0, kLivenessMs);
        if (stopping_.load() != 0) return;
        for (std::uint32_t client = 1; client <= kMaxClients; ++client) {
            if (header_->clients[client].connected.load() == 0) continue;
            if (!os::is_byte_locked(file_.fd(), client)) reclaim(client);
        }
        for (std::uint32_t index = 0; index < slot_count_; ++index) {
            // An owner that never connected: nonsense somebody wrote.
            const std::uint32_t owner = slot(index).owner.load();
            const bool nonsense =
                owner > kMaxClients || (owner != 0 && header_->clients[owner].connected.load() == 0);
            if (nonsense) free_slot(index);
        }
    }
}

// Takes back what a dead client had. Its number stays taken until its last call has ended.
void Server::Impl::reclaim(std::uint32_t client) {
    bool calls_left = false;
    for (std::uint32_t index = 0; index < slot_count_; ++index) {
        if (slot(index).owner.load() != client || free_slot(index)) continue;
        calls_left = true;
        cancel(index);
    }
    if (calls_left) return;
    handler_.client_gone(client);
    region::Client& record = header_->clients[client];
    for (auto& word : record.done)
        word.store(0);
    record.reaper_sleeps.store(0);
    record.connected.store(0);
}

Call::Call(Call&& other) noexcept {
    *this = std::move(other);
}

Call& Call::operator=(Call&& other) noexcept {
    if (this != &other) {
        if (server_ != nullptr) reply(0, 0);
        server_ = std::exchange(other.server_, nullptr);
        slot_ = other.slot_;
        client_ = other.client_;
        head_bytes_ = other.head_bytes_;
        payload_bytes_ = other.payload_bytes_;
        reply_room_ = other.reply_room_;
        id_ = other.id_;
    }
    return *this;
}

Call::~Call() {
    if (server_ != nullptr) reply(0, 0);
}

bool Call::cancelled() const noexcept {
    return server_->impl_->taken(slot_).cancelled_id.load() == static_cast<std::uint64_t>(id_);
}

std::span<const std::byte> Call::head() const noexcept {
    return std::span(server_->impl_->taken(slot_).head).first(head_bytes_);
}

std::span<const std::byte> Call::payload() const noexcept {
    return std::span<const std::byte>(server_->impl_->slot(slot_).payload).first(payload_bytes_);
}

std::span<std::byte> Call::reply_head() noexcept {
    return server_->impl_->slot(slot_).head;
}

std::span<std::byte> Call::reply_payload() noexcept {
    return server_->impl_->slot(slot_).payload;
}

void Call::reply(std::uint32_t head_bytes, std::uint32_t payload_bytes) noexcept {
    std::exchange(server_, nullptr)->impl_->reply(slot_, head_bytes, payload_bytes);
}

std::expected<std::unique_ptr<Server>, std::string> Server::start(const Options& options, Handler& handler) {
    auto file = RegionFile::create(options.name, options.slots);
    if (!file) return std::unexpected(file.error());
    auto impl = std::make_unique<Impl>(std::move(*file), options.slots, handler);
    std::unique_ptr<Server> server(new Server(std::move(impl)));
    server->impl_->start(*server);
    return server;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
    impl_->stop();
}

std::uint32_t Server::worker_count() const noexcept {
    return impl_->workers();
}

}  // namespace lab::transport
