// One ring as a stream of exchanges: chains are taken from it, served, and given back in batches.
// Must never know: threads, waiting, what the requests say. The guest may be hostile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "host/async_io.h"
#include "host/exchange.h"
#include "vhost_user/backend.h"
#include "virtio/device_queue.h"

namespace host {

// What went wrong, for a log.
std::string_view to_text(virtio::DriverFault fault);

// Not thread-safe. No allocation once as many exchanges as ever were outstanding, as large as any, were made.
class RequestQueue {
  public:
    // Segments of one chain at most: what a ring of 1024 entries can name, and a few of them cut in two where
    // the guest's memory is not in one piece.
    static constexpr std::size_t kMaxSegments = 1026 + 64;

    // `io`, if there is one, is handed what was started whenever the guest is shown what is finished.
    RequestQueue(const vhost_user::StartedRing& ring, AsyncIo* io);
    ~RequestQueue();
    RequestQueue(const RequestQueue&) = delete;
    RequestQueue& operator=(const RequestQueue&) = delete;

    // Serves what the guest has put into the ring, at most so many requests. How many.
    std::size_t serve(RequestWorker& worker, std::size_t most);
    // Shows the guest what is finished, and interrupts it if it wants that.
    void flush();

    // Whether there is something to serve.
    bool has_requests() const { return !queue_.broken() && queue_.has_available(); }
    // Asks the guest for kicks. True if requests came meanwhile, for which there may be none.
    bool enable_kicks() { return !queue_.broken() && queue_.enable_kicks(); }
    void suppress_kicks() {
        if (!queue_.broken()) queue_.suppress_kicks();
    }

    // Neither during serve(). Exchanges that are outstanding keep the old memory.
    void move_to(const virtio::SplitRing& parts, vhost_user::GuestMemory::Pointer memory);
    void set_call(std::shared_ptr<const vhost_user::Fd> call) { call_ = std::move(call); }

    std::size_t outstanding() const { return exchanges_.size() - free_.size(); }
    std::uint16_t next_available() const { return queue_.next_available(); }
    // How the guest broke the ring, since when nothing is taken from it; once.
    std::optional<virtio::DriverFault> take_fault();

  private:
    class RingExchange;

    std::optional<virtio::Chain> pop();
    RingExchange& exchange_for(const virtio::Chain& chain);
    void finish(RingExchange& exchange, std::uint32_t bytes_written);
    void fail(virtio::DriverFault fault);

    virtio::DeviceQueue queue_;
    std::uint16_t size_;
    vhost_user::GuestMemory::Pointer memory_;
    std::shared_ptr<const vhost_user::Fd> call_;
    std::shared_ptr<const vhost_user::Fd> error_;
    AsyncIo* io_;
    RingExchange* serving_ = nullptr;  // in serve() and not finished
    bool unpublished_ = false;
    std::optional<virtio::DriverFault> fault_;
    bool fault_is_news_ = false;
    std::array<virtio::Segment, kMaxSegments> room_;
    std::vector<std::unique_ptr<RingExchange>> exchanges_;
    std::vector<RingExchange*> free_;
};

}  // namespace host
