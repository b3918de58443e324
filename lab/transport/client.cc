#include "lab/transport/client.h"

#include <bit>

namespace lab::transport {
namespace {

// How long a sleeper goes without asking whether the other side still lives.
constexpr std::uint32_t kPatienceMs = 250;
constexpr std::uint32_t kNone = 0xFFFF'FFFF;

// Ordinary loops are turned into calls of these by the compiler anyway; spelled out, they need no header of
// C's library.
void copy(std::byte* to, const std::byte* from, std::size_t bytes) {
    if (bytes != 0) __builtin_memcpy(to, from, bytes);
}

std::uint64_t bit_of(std::uint32_t index) {
    return std::uint64_t{1} << (index % 64);
}

}  // namespace

const char* describe(Failure failure) noexcept {
    switch (failure) {
        case Failure::kNoServer:
            return "no server of that name runs";
        case Failure::kIncompatible:
            return "the shared region has another layout; were both sides built together?";
        case Failure::kTooManyClients:
            return "too many processes are connected";
        case Failure::kServerGone:
            return "the server has ended";
        case Failure::kTooLong:
            return "request or reply exceeds its room";
        case Failure::kMalformedReply:
            return "the server's reply is malformed";
        case Failure::kNoThread:
            return "no thread could be started for completions";
    }
    return "unknown failure";
}

Lease::Lease(Lease&& other) noexcept : client_(other.client_), slot_(other.slot_) {
    other.client_ = nullptr;
}

Lease& Lease::operator=(Lease&& other) noexcept {
    if (this != &other) {
        if (client_ != nullptr) client_->release(slot_);
        client_ = other.client_;
        slot_ = other.slot_;
        other.client_ = nullptr;
    }
    return *this;
}

Lease::~Lease() {
    if (client_ != nullptr) client_->release(slot_);
}

std::span<std::byte> Lease::head() noexcept {
    return client_->slot(slot_).head;
}
std::span<std::byte> Lease::payload() noexcept {
    return client_->slot(slot_).payload;
}

std::expected<ReplyView, Failure> Lease::exchange(Lengths request, std::uint32_t reply_room) noexcept {
    if (request.head > kHeadBytes || request.payload > kPayloadBytes)
        return std::unexpected(Failure::kTooLong);
    client_->post(slot_, request, reply_room, false);
    return client_->await(slot_);
}

std::expected<void, Failure> Client::connect(const char* name) noexcept {
    disconnect();
    const region::Path path = region::path_of(name);
    if (!path.valid) return std::unexpected(Failure::kNoServer);
    const std::int64_t file = os::open_file(path.text, false);
    if (file < 0) return std::unexpected(Failure::kNoServer);
    file_ = static_cast<int>(file);

    const auto give_up = [this](Failure failure) {
        disconnect();
        return std::unexpected(failure);
    };
    const std::int64_t size = os::file_size(file_);
    if (size < static_cast<std::int64_t>(region::bytes(1)) ||
        size > static_cast<std::int64_t>(region::bytes(kMaxSlots))) {
        return give_up(Failure::kIncompatible);
    }
    mapped_bytes_ = static_cast<std::size_t>(size);
    void* memory = os::map_shared(file_, mapped_bytes_);
    if (memory == nullptr) return give_up(Failure::kIncompatible);
    header_ = static_cast<region::Header*>(memory);
    slot_count_ = header_->slots;
    if (header_->magic != region::kMagic || slot_count_ == 0 || slot_count_ > kMaxSlots ||
        region::bytes(slot_count_) != mapped_bytes_) {
        return give_up(Failure::kIncompatible);
    }
    slots_ = reinterpret_cast<region::Slot*>(static_cast<std::byte*>(memory) + region::kHeaderBytes);
    if (!server_alive()) return give_up(Failure::kNoServer);

    for (std::uint32_t number = 1; number <= kMaxClients; ++number) {
        region::Client& record = header_->clients[number];
        if (record.connected.load() != 0 || !os::try_lock_byte(file_, number)) continue;
        std::uint32_t free = 0;
        if (record.connected.compare_exchange_strong(free, 1)) {
            number_ = number;
            return {};
        }
        os::unlock_byte(file_, number);
    }
    return give_up(Failure::kTooManyClients);
}

void Client::disconnect() noexcept {
    if (reaper_.started()) {
        ending_.store(true);
        region::Client& record = header_->clients[number_];
        record.sequence.fetch_add(1);
        os::wake(record.sequence, os::kAllWaiters);
        reaper_.join();
        ending_.store(false);
    }
    // The server finds the lock gone, then takes back the slots and the number.
    if (header_ != nullptr) os::unmap(header_, mapped_bytes_);
    if (file_ >= 0) os::close_file(file_);
    header_ = nullptr;
    slots_ = nullptr;
    file_ = -1;
    number_ = 0;
}

bool Client::stopping() const noexcept {
    return header_->stopping.load() != 0;
}

bool Client::server_alive() const noexcept {
    return header_ != nullptr && !stopping() && os::is_byte_locked(file_, region::kServerLockByte);
}

bool Client::take(std::uint32_t index) noexcept {
    std::uint32_t nobody = 0;
    if (!slot(index).owner.compare_exchange_strong(nobody, number_)) return false;
    header_->free.words[index / 64].fetch_and(~bit_of(index));
    slot(index).cancel.store(0);
    slot(index).state.store(region::kClaimed);
    return true;
}

// `search_all` looks past the mask of free slots, which is only a hint.
std::uint32_t Client::try_claim(bool search_all) noexcept {
    for (std::uint32_t word = 0; word * 64 < slot_count_; ++word) {
        for (std::uint64_t bits = header_->free.words[word].load(); bits != 0; bits &= bits - 1) {
            const std::uint32_t index = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
            if (index >= slot_count_) break;
            if (take(index)) return index;
        }
    }
    for (std::uint32_t index = 0; search_all && index < slot_count_; ++index) {
        if (slot(index).owner.load(std::memory_order_relaxed) == 0 && take(index)) return index;
    }
    return kNone;
}

std::expected<std::uint32_t, Failure> Client::claim() noexcept {
    if (header_ == nullptr) return std::unexpected(Failure::kServerGone);
    std::uint32_t index = try_claim(false);
    while (index == kNone) {
        header_->freed_waiters.fetch_add(1);
        const std::uint32_t seen = header_->freed_sequence.load();
        index = try_claim(true);
        bool patient = true;
        if (index == kNone && !stopping()) patient = os::wait(header_->freed_sequence, seen, kPatienceMs);
        header_->freed_waiters.fetch_sub(1);
        if (index == kNone && (stopping() || (!patient && !server_alive()))) {
            return std::unexpected(Failure::kServerGone);
        }
    }
    return index;
}

void Client::release(std::uint32_t index) noexcept {
    slot(index).state.store(region::kFree);
    slot(index).owner.store(0);
    header_->free.words[index / 64].fetch_or(bit_of(index));
    header_->freed_sequence.fetch_add(1);
    if (header_->freed_waiters.load() != 0) os::wake(header_->freed_sequence, 1);
}

// Tells the server's workers that there is something to look at.
void Client::ring() noexcept {
    header_->posted_sequence.fetch_add(1);
    if (header_->idle_workers.load() != 0) os::wake(header_->posted_sequence, 1);
}

void Client::post(std::uint32_t index, Lengths request, std::uint32_t room, bool asynchronous) noexcept {
    region::Slot& s = slot(index);
    s.head_bytes.store(request.head, std::memory_order_relaxed);
    s.payload_bytes.store(request.payload, std::memory_order_relaxed);
    s.reply_room.store(room < kPayloadBytes ? room : kPayloadBytes, std::memory_order_relaxed);
    s.asynchronous.store(asynchronous ? 1 : 0, std::memory_order_relaxed);
    s.state.store(region::kPosted);
    header_->posted.words[index / 64].fetch_or(bit_of(index));
    ring();
}

std::expected<ReplyView, Failure> Client::reply_of(std::uint32_t index) noexcept {
    region::Slot& s = slot(index);
    const std::uint32_t head = s.head_bytes.load(std::memory_order_relaxed);
    const std::uint32_t payload = s.payload_bytes.load(std::memory_order_relaxed);
    if (head > kHeadBytes || payload > kPayloadBytes) return std::unexpected(Failure::kMalformedReply);
    return ReplyView{.head = std::span<const std::byte>(s.head).first(head),
                     .payload = std::span<const std::byte>(s.payload).first(payload)};
}

std::expected<ReplyView, Failure> Client::await(std::uint32_t index) noexcept {
    region::Slot& s = slot(index);
    while (s.state.load() != region::kDone) {
        const bool woken = os::wait(s.state, region::kPosted, kPatienceMs);
        if (s.state.load() == region::kDone) break;
        if (stopping() || (!woken && !server_alive())) return std::unexpected(Failure::kServerGone);
    }
    return reply_of(index);
}

std::expected<Lease, Failure> Client::lease() noexcept {
    const auto index = claim();
    if (!index) return std::unexpected(index.error());
    return Lease(this, *index);
}

std::expected<Lengths, Failure> Client::call(const Request& request, const ReplyBuffers& reply) noexcept {
    if (request.head.size() > kHeadBytes || request.payload.size() > kPayloadBytes) {
        return std::unexpected(Failure::kTooLong);
    }
    auto held = lease();
    if (!held) return std::unexpected(held.error());
    copy(held->head().data(), request.head.data(), request.head.size());
    copy(held->payload().data(), request.payload.data(), request.payload.size());
    const std::size_t room = reply.payload.size() < kPayloadBytes ? reply.payload.size() : kPayloadBytes;
    const auto view = held->exchange({.head = static_cast<std::uint32_t>(request.head.size()),
                                      .payload = static_cast<std::uint32_t>(request.payload.size())},
                                     static_cast<std::uint32_t>(room));
    if (!view) return std::unexpected(view.error());
    if (view->head.size() > reply.head.size() || view->payload.size() > reply.payload.size()) {
        return std::unexpected(Failure::kTooLong);
    }
    copy(reply.head.data(), view->head.data(), view->head.size());
    copy(reply.payload.data(), view->payload.data(), view->payload.size());
    return Lengths{.head = static_cast<std::uint32_t>(view->head.size()),
                   .payload = static_cast<std::uint32_t>(view->payload.size())};
}

std::expected<void, Failure> Client::begin(AsyncCall& call, const Request& request) noexcept {
    if (request.head.size() > kHeadBytes || request.payload.size() > kPayloadBytes) {
        return std::unexpected(Failure::kTooLong);
    }
    auto held = lease();
    if (!held) return std::unexpected(held.error());
    copy(held->head().data(), request.head.data(), request.head.size());
    copy(held->payload().data(), request.payload.data(), request.payload.size());
    return begin(call, static_cast<Lease&&>(*held),
                 {.head = static_cast<std::uint32_t>(request.head.size()),
                  .payload = static_cast<std::uint32_t>(request.payload.size())},
                 request.reply_room);
}

std::expected<void, Failure> Client::begin(AsyncCall& call, Lease lease, Lengths request,
                                           std::uint32_t reply_room) noexcept {
    if (lease.client_ != this || request.head > kHeadBytes || request.payload > kPayloadBytes) {
        return std::unexpected(Failure::kTooLong);
    }
    const os::Guard guard(lock_);
    if (!reaper_.started() && !reaper_.start(reaper_entry, this)) return std::unexpected(Failure::kNoThread);
    lease.client_ = nullptr;  // from now on the reaper gives the slot back
    pending_[lease.slot_] = &call;
    call.slot_ = lease.slot_;
    call.in_flight_ = true;
    // Under the lock, or a cancellation could reach the slot before the call does.
    post(lease.slot_, request, reply_room, true);
    return {};
}

void Client::cancel(AsyncCall& call) noexcept {
    const os::Guard guard(lock_);
    if (!call.in_flight_) return;
    slot(call.slot_).cancel.store(1);
    header_->cancelled.words[call.slot_ / 64].fetch_or(bit_of(call.slot_));
    ring();
}

void Client::finish(std::uint32_t index, bool server_gone) noexcept {
    AsyncCall* call = nullptr;
    {
        const os::Guard guard(lock_);
        call = pending_[index];
        if (call == nullptr) return;
        if (!server_gone && slot(index).state.load() != region::kDone) return;
        pending_[index] = nullptr;
        call->in_flight_ = false;
    }
    if (server_gone) {
        call->completed(*call, std::unexpected(Failure::kServerGone));
        return;  // the slot is left alone: a server that is only ending may still write to it
    }
    call->completed(*call, reply_of(index));
    release(index);
}

bool Client::reap_done() noexcept {
    region::Client& record = header_->clients[number_];
    bool any = false;
    for (std::uint32_t word = 0; word * 64 < slot_count_; ++word) {
        if (record.done[word].load() == 0) continue;
        for (std::uint64_t bits = record.done[word].exchange(0); bits != 0; bits &= bits - 1) {
            const std::uint32_t index = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
            if (index < slot_count_) finish(index, false);
            any = true;
        }
    }
    return any;
}

void Client::fail_pending() noexcept {
    for (std::uint32_t index = 0; index < slot_count_; ++index)
        finish(index, true);
}

void Client::reaper_entry(void* self) {
    static_cast<Client*>(self)->reap();
}

void Client::reap() noexcept {
    region::Client& record = header_->clients[number_];
    while (!ending_.load()) {
        const std::uint32_t seen = record.sequence.load();
        if (reap_done()) continue;
        // Says that it sleeps before it looks a last time: the server sets the bit before it reads this.
        record.reaper_sleeps.store(1);
        bool woken = true;
        bool anything = false;
        for (const auto& word : record.done)
            anything = anything || word.load() != 0;
        if (!anything && !stopping()) woken = os::wait(record.sequence, seen, kPatienceMs);
        record.reaper_sleeps.store(0);
        if (stopping() || (!woken && !server_alive())) {
            reap_done();
            fail_pending();
            if (!ending_.load()) os::wait(record.sequence, record.sequence.load(), kPatienceMs);
        }
    }
    reap_done();
    fail_pending();
}

}  // namespace lab::transport
