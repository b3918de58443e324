// guest::Channel over a vhost-user connection: a native process in the place of the virtual machine. Messages
// are copied through memory shared with the daemon. Must never know: what messages say beyond their header.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "guest/volume/channel.h"
#include "lab/channel/guest_memory.h"
#include "lab/channel/sink_holder.h"
#include "vhost_user/frontend.h"
#include "virtio/driver_queue.h"

namespace lab {

struct VhostUserChannelOptions {
    std::size_t max_message_bytes = (std::size_t{1} << 20) + 4096;  // of a request, and of a reply
    std::size_t bounce_bytes = std::size_t{64} << 20;               // for all messages in flight
    std::uint16_t queue_size = 128;
    std::uint32_t request_queues = 1;          // at most; never more than the daemon offers
    std::chrono::milliseconds timeout{10000};  // for each step of connecting
    guest::Epoch epoch{1};
};

// One connection, one epoch: after its loss a new channel has to be made. All members are thread-safe; the
// destructor completes what is outstanding with kCancelled and must not run while other calls do, nor from a
// completion.
class VhostUserChannel final : public guest::Channel {
  public:
    // Connects to the daemon listening at `socket_path`.
    static std::expected<std::unique_ptr<VhostUserChannel>, std::string> connect(
        const std::string& socket_path, const VhostUserChannelOptions& options = {});
    // Over a socket that is connected already.
    static std::expected<std::unique_ptr<VhostUserChannel>, std::string> over(
        vhost_user::Fd socket, const VhostUserChannelOptions& options = {});
    ~VhostUserChannel() override;

    guest::Epoch epoch() const noexcept override { return options_.epoch; }
    std::size_t max_message_bytes() const noexcept override { return options_.max_message_bytes; }
    void set_sink(guest::ChannelSink* sink) noexcept override { sink_.set(sink); }
    void submit(std::span<guest::Message* const> messages) noexcept override;
    void cancel(guest::Message& message) noexcept override;

    std::uint32_t request_queues() const { return static_cast<std::uint32_t>(queues_.size() - 1); }
    // Why the channel was lost; empty while it is not.
    std::string loss_reason() const;
    // Messages that the device has, cancelled ones included.
    std::size_t held_by_device() const;

  private:
    // A message on its way. Survives its message if that was cancelled while the device had it.
    struct Flight {
        enum class State {
            kQueued,   // waits in Queue::pending
            kCopying,  // at the front of Queue::pending; the pump reads the message's buffers without the
                       // lock
            kInRing,   // the device has it
        };
        guest::Message* message = nullptr;
        State state = State::kQueued;
        bool prepared = false;  // the bounce block is there and filled
        bool cancelled = false;
        std::size_t block = 0;
        std::uint32_t out_bytes = 0;
        std::uint32_t in_bytes = 0;
    };

    struct Queue {
        std::vector<virtio::DriverQueue::Slot> slots;
        std::unique_ptr<virtio::DriverQueue> driver;
        std::deque<Flight*> pending;
        bool pumping =
            false;  // one thread at a time moves pending flights into the ring, which keeps their order
        vhost_user::Fd kick;
        vhost_user::Fd call;
    };

    struct Completion {
        guest::Message* message;
        guest::Outcome outcome;
    };

    VhostUserChannel(vhost_user::FrontEnd front, GuestMemory memory, const VhostUserChannelOptions& options);
    std::expected<void, std::string> start(std::uint32_t queues);

    std::size_t queue_for(const guest::Message& message);
    void pump(Queue& queue);
    bool add_to_ring(Queue& queue, Flight& flight);
    bool drain(Queue& queue);
    void retire(Flight& flight);
    void end(guest::ChannelError how, const std::string& reason);
    void run();

    const VhostUserChannelOptions options_;
    vhost_user::FrontEnd front_;

    mutable std::mutex
        mutex_;  // guards everything down to reason_; never held while a message is copied or completed
    GuestMemory memory_;
    std::vector<Queue> queues_;
    std::unordered_map<Flight*, std::unique_ptr<Flight>> flights_;
    std::unordered_map<guest::Message*, Flight*> active_;
    std::uint32_t next_request_queue_ = 0;
    std::size_t in_ring_ = 0;
    bool ended_ = false;
    guest::ChannelError end_kind_ = guest::ChannelError::kLost;
    std::string reason_;

    SinkHolder sink_;
    vhost_user::Fd stop_;
    std::thread thread_;
};

}  // namespace lab
