#include "host/request_queue.h"

#include <algorithm>
#include <utility>

#include "host/race_checker.h"
#include "vhost_user/event_fd.h"

namespace host {

// Used again and again; its pieces keep the room that they once had.
class RequestQueue::RingExchange final : public Exchange {
  public:
    explicit RingExchange(RequestQueue& queue) : queue_(queue) {}

    void take(const virtio::Chain& chain) {
        head_ = chain.head;
        pieces_.clear();
        for (const auto list : {chain.readable, chain.writable}) {
            for (const virtio::Segment piece : list)
                pieces_.push_back({.iov_base = piece.data(), .iov_len = piece.size()});
        }
        request = std::span(pieces_).first(chain.readable.size());
        reply = std::span(pieces_).subspan(chain.readable.size());
        request_bytes = chain.readable_bytes;
        reply_bytes = chain.writable_bytes;
        guest_gave(pieces_);
    }
    void give_back() const { guest_gets(pieces_); }
    // It is not finished at once.
    void keep(vhost_user::GuestMemory::Pointer memory) { memory_ = std::move(memory); }
    void release() { memory_.reset(); }
    std::uint16_t head() const { return head_; }

    void finish(std::uint32_t bytes_written) noexcept override { queue_.finish(*this, bytes_written); }
    void before_blocking() noexcept override { queue_.flush(); }

  private:
    RequestQueue& queue_;
    std::uint16_t head_ = 0;
    std::vector<iovec> pieces_;
    vhost_user::GuestMemory::Pointer memory_;
};

std::string_view to_text(virtio::DriverFault fault) {
    switch (fault) {
        case virtio::DriverFault::kBadIndex:
            return "more requests at once than the ring has entries";
        case virtio::DriverFault::kBadDescriptor:
            return "a descriptor that is not in the table";
        case virtio::DriverFault::kBadAddress:
            return "an address outside the guest's memory";
        case virtio::DriverFault::kBadLength:
            return "a descriptor or request of an impossible length";
        case virtio::DriverFault::kBadOrder:
            return "a readable descriptor after a writable one";
        case virtio::DriverFault::kBadIndirect:
            return "an indirect table where none may be";
        case virtio::DriverFault::kTooManyPieces:
            return "a request in too many pieces, or a loop";
        case virtio::DriverFault::kBroken:
            break;
    }
    return "an earlier fault";
}

RequestQueue::RequestQueue(const vhost_user::StartedRing& ring, AsyncIo* io)
    : queue_(ring.parts, ring.event_index, ring.next_available),
      size_(ring.parts.size()),
      memory_(ring.memory),
      call_(ring.call),
      error_(ring.error),
      io_(io) {
    exchanges_.reserve(size_);
    free_.reserve(size_);
}

RequestQueue::~RequestQueue() = default;

std::optional<virtio::Chain> RequestQueue::pop() {
    if (queue_.broken()) return std::nullopt;
    const auto chain =
        queue_.pop([&memory = *memory_](std::uint64_t address,
                                        std::uint32_t length) { return memory.translate(address, length); },
                   room_);
    if (!chain) {
        fail(chain.error());
        return std::nullopt;
    }
    // A guest that names an entry again that it has not got back could have any number of them.
    if (*chain && outstanding() == size_) {
        queue_.break_now();
        fail(virtio::DriverFault::kBadIndex);
        return std::nullopt;
    }
    return *chain;
}

RequestQueue::RingExchange& RequestQueue::exchange_for(const virtio::Chain& chain) {
    if (free_.empty()) {
        exchanges_.push_back(std::make_unique<RingExchange>(*this));
        free_.push_back(exchanges_.back().get());
    }
    RingExchange& exchange = *free_.back();
    free_.pop_back();
    exchange.take(chain);
    return exchange;
}

std::size_t RequestQueue::serve(RequestWorker& worker, std::size_t most) {
    std::size_t count = 0;
    for (; count < most; ++count) {
        const auto chain = pop();
        if (!chain) break;
        RingExchange& exchange = exchange_for(*chain);
        serving_ = &exchange;
        worker.serve(exchange);
        if (serving_ == &exchange) exchange.keep(memory_);
    }
    serving_ = nullptr;
    return count;
}

void RequestQueue::finish(RingExchange& exchange, std::uint32_t bytes_written) {
    exchange.give_back();
    queue_.push_used(exchange.head(),
                     std::min(bytes_written, static_cast<std::uint32_t>(exchange.reply_bytes)));
    unpublished_ = true;
    if (serving_ == &exchange) {
        serving_ = nullptr;
    } else {
        exchange.release();
    }
    free_.push_back(&exchange);
}

void RequestQueue::flush() {
    if (io_ != nullptr) io_->submit();
    if (!unpublished_) return;
    unpublished_ = false;
    queue_.publish();
    if (call_ != nullptr && queue_.needs_interrupt()) vhost_user::EventFd::signal(call_->get());
}

void RequestQueue::move_to(const virtio::SplitRing& parts, vhost_user::GuestMemory::Pointer memory) {
    // Memory may be taken away to be shared anew at once: a request that fell in between is still there.
    const bool mend = fault_ == virtio::DriverFault::kBadAddress;
    queue_.move_to(parts, mend);
    if (mend) fault_.reset();
    memory_ = std::move(memory);
}

void RequestQueue::fail(virtio::DriverFault fault) {
    fault_ = fault;
    fault_is_news_ = true;
    if (error_ != nullptr) vhost_user::EventFd::signal(error_->get());
}

std::optional<virtio::DriverFault> RequestQueue::take_fault() {
    if (!std::exchange(fault_is_news_, false)) return std::nullopt;
    return fault_;
}

}  // namespace host
