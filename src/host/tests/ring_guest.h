// For tests: a guest that drives its rings by hand, ring by ring and message by message.
// Must never know: threads, what a request says.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "fuse/protocol.h"
#include "lab/channel/guest_memory.h"
#include "vhost_user/event_fd.h"
#include "vhost_user/frontend.h"
#include "virtio/driver_queue.h"

namespace host {

// A request in the guest's memory. `token()` names it when it comes back.
struct GuestRequest {
    std::size_t block = 0;
    std::size_t request_bytes = 0;
    std::size_t reply_bytes = 0;
    void* token() { return this; }
};

class GuestRing {
  public:
    GuestRing(lab::GuestMemory& memory, std::uint16_t size, bool event_index)
        : memory_(memory), size_(size), event_index_(event_index) {
        block_ = *memory.allocate(virtio::ring_layout(size).bytes);
        make();
    }
    // As the guest's driver does after it has reset the device.
    void make() {
        slots_.assign(size_, {});
        driver_ = std::make_unique<virtio::DriverQueue>(
            virtio::DriverQueue::Options{.ring = virtio::SplitRing(memory_.at(block_), size_),
                                         .slots = slots_,
                                         .event_index = event_index_});
    }
    vhost_user::Ring description(std::uint32_t index, std::uint16_t base) const {
        const auto layout = virtio::ring_layout(size_);
        return {.index = index,
                .size = size_,
                .base = base,
                .descriptors = memory_.user_address(block_),
                .available = memory_.user_address(block_ + layout.available),
                .used = memory_.user_address(block_ + layout.used),
                .kick = kick.get(),
                .call = call.get()};
    }

    // Puts a request into the ring; the device sees it with the next publish().
    std::unique_ptr<GuestRequest> add(const fuse::InHeader& header, std::span<const std::byte> body,
                                      std::size_t reply_body_bytes) {
        auto request = std::make_unique<GuestRequest>();
        request->request_bytes = sizeof header + body.size();
        request->reply_bytes = sizeof(fuse::OutHeader) + reply_body_bytes;
        request->block = *memory_.allocate(request->request_bytes + request->reply_bytes);
        std::memcpy(memory_.at(request->block), &header, sizeof header);
        std::ranges::copy(body, memory_.at(request->block) + sizeof header);
        const virtio::Piece readable{memory_.guest_address(request->block),
                                     static_cast<std::uint32_t>(request->request_bytes)};
        const virtio::Piece writable{memory_.guest_address(request->block + request->request_bytes),
                                     static_cast<std::uint32_t>(request->reply_bytes)};
        EXPECT_TRUE(driver_->add(std::span(&readable, 1), std::span(&writable, 1), request->token()));
        return request;
    }
    std::unique_ptr<GuestRequest> send(const fuse::InHeader& header, std::span<const std::byte> body,
                                       std::size_t reply_body_bytes) {
        auto request = add(header, body, reply_body_bytes);
        publish();
        return request;
    }
    void publish() {
        driver_->publish();
        if (driver_->needs_kick()) kick.signal();
    }

    // The next request that comes back; nullptr if none does in time.
    GuestRequest* wait(int milliseconds = 20000) {
        for (;;) {
            const auto used = driver_->pop_used();
            EXPECT_TRUE(used) << "the device broke the ring";
            if (!used) return nullptr;
            if (*used) {
                bytes_written_ = (*used)->bytes_written;
                return static_cast<GuestRequest*>((*used)->token);
            }
            if (driver_->enable_interrupts()) continue;
            pollfd entry{.fd = call.get(), .events = POLLIN, .revents = 0};
            if (::poll(&entry, 1, milliseconds) == 0) return nullptr;
            call.take();
        }
    }
    // The reply's bytes behind its header, of the request that wait() returned last.
    std::vector<std::byte> reply_body(const GuestRequest& request) const {
        const std::byte* const reply = memory_.at(request.block + request.request_bytes);
        if (bytes_written_ <= sizeof(fuse::OutHeader)) return {};
        return {reply + sizeof(fuse::OutHeader), reply + bytes_written_};
    }

    virtio::DriverQueue& driver() { return *driver_; }
    virtio::SplitRing parts() const { return {memory_.at(block_), size_}; }

    vhost_user::EventFd kick;
    vhost_user::EventFd call;

  private:
    lab::GuestMemory& memory_;
    std::uint16_t size_;
    bool event_index_;
    std::size_t block_ = 0;
    std::vector<virtio::DriverQueue::Slot> slots_;
    std::unique_ptr<virtio::DriverQueue> driver_;
    std::uint32_t bytes_written_ = 0;
};

}  // namespace host
