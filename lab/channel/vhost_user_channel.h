// guest::Channel over a vhost-user connection: a native process in the place of the virtual machine. Buffers
// of allocate_buffer() go to the daemon in place, all others are copied through memory shared with it. Must
// never know: what messages say beyond their header.
#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "guest/volume/channel.h"
#include "lab/channel/device_buffers.h"
#include "lab/channel/event_fd.h"
#include "lab/channel/guest_memory.h"
#include "lab/channel/message_layout.h"
#include "lab/channel/sink_holder.h"
#include "vhost_user/frontend.h"
#include "virtio/driver_queue.h"

namespace lab {

struct VhostUserChannelOptions {
    std::size_t max_message_bytes = (std::size_t{1} << 20) + 4096;  // of a request, and of a reply
    std::size_t bounce_bytes = std::size_t{64} << 20;               // for all messages in flight
    std::size_t buffer_bytes = 0;                                   // for allocate_buffer()
    std::uint16_t queue_size = 128;
    bool event_index = true;                   // ask for EVENT_IDX
    std::uint32_t request_queues = 1;          // at most; never more than the daemon offers
    std::chrono::milliseconds timeout{10000};  // for each step of connecting
    guest::Epoch epoch{1};
};

// What happened on the way so far, for tests and benchmarks.
struct ChannelCounts {
    std::uint64_t messages = 0;      // given to the device
    std::uint64_t kicks = 0;         // of the device by us
    std::uint64_t interrupts = 0;    // of us by the device
    std::uint64_t clock_wakes = 0;   // looks at the rings without an interrupt
    std::uint64_t copied_bytes = 0;  // to and from bounce blocks
    std::uint64_t most_at_device = 0;

    ChannelCounts operator-(const ChannelCounts& before) const;
    ChannelCounts& operator+=(const ChannelCounts& more);
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
    void serve(const std::function<bool()>& done) noexcept override;
    void cancel(guest::Message& message) noexcept override;

    // A buffer that messages can name without being copied; nullopt beyond options.buffer_bytes. A reply's
    // buffer may change while the device has its message, also after the message was cancelled: so nothing
    // that is checked may be read from it twice, and after a cancellation it is not to be used again.
    std::optional<DeviceBuffer> allocate_buffer(std::size_t bytes);

    std::uint64_t features() const { return front_.features(); }  // virtio's, as negotiated
    ChannelCounts counts() const;
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
        Flight(guest::Message& of, const DeviceBuffers* buffers)
            : message(&of), submitter_serves(of.submitter_serves), layout(of, buffers) {}

        guest::Message* message;
        const bool submitter_serves;
        MessageLayout layout;
        State state = State::kQueued;
        bool prepared = false;  // the bounce block is there and filled
        bool cancelled = false;
        std::size_t block = 0;
    };

    struct Queue {
        std::vector<virtio::DriverQueue::Slot> slots;
        std::unique_ptr<virtio::DriverQueue> driver;
        std::deque<Flight*> pending;
        bool pumping =
            false;  // one thread at a time moves pending flights into the ring, which keeps their order
        bool attended = false;  // whoever serves looks at the ring soon, interrupt or not
        EventFd kick;
        EventFd call;
    };

    struct Completion {
        guest::Message* message;
        guest::Outcome outcome;
    };

    // Who waits for interrupts. Nobody: there is nothing in flight, or its submitter is about to.
    enum class Server { kNobody, kOwnThread, kSubmitter };

    // How a look at a ring ended.
    enum class Drained { kNothing, kSome, kViolation };

    VhostUserChannel(vhost_user::FrontEnd front, GuestMemory memory, std::optional<DeviceBuffers> buffers,
                     const VhostUserChannelOptions& options);
    std::expected<void, std::string> start(std::uint32_t queues);

    std::size_t queue_for(const guest::Message& message);
    void pump(Queue& queue);
    bool add_to_ring(Queue& queue, Flight& flight);
    void publish(Queue& queue);
    void kick(Queue& queue);
    void retire(Flight& flight);
    void end(guest::ChannelError how, const std::string& reason);

    // vhost_user_serve.cc
    Drained drain(Queue& queue, Server self, bool attend);
    bool arm(Queue& queue, bool attend);
    std::vector<pollfd> entries_with_rings(std::initializer_list<int> others) const;
    Drained wait_and_drain(std::vector<pollfd>& entries, Server self);
    void wake_submitter();
    void take_over();
    void run();

    const VhostUserChannelOptions options_;
    vhost_user::FrontEnd front_;
    std::optional<DeviceBuffers> buffers_;

    mutable std::mutex
        mutex_;  // guards everything down to reason_; never held while a message is copied or completed
    GuestMemory memory_;
    std::vector<Queue> queues_;
    std::unordered_map<Flight*, std::unique_ptr<Flight>> flights_;
    std::unordered_map<guest::Message*, Flight*> active_;
    std::uint32_t next_request_queue_ = 0;
    std::size_t submitters_ = 0;  // flights whose submitter waits or serves
    std::size_t in_ring_ = 0;
    std::size_t most_in_ring_ = 0;
    Server server_ = Server::kOwnThread;
    bool violated_ = false;  // the device broke the protocol
    bool ending_ = false;    // the own thread wants to end the epoch: nobody else may serve
    std::condition_variable submitter_left_;
    bool ended_ = false;
    guest::ChannelError end_kind_ = guest::ChannelError::kLost;
    std::string reason_;

    std::atomic<std::uint64_t> messages_ = 0;
    std::atomic<std::uint64_t> kicks_ = 0;
    std::atomic<std::uint64_t> interrupts_ = 0;
    std::atomic<std::uint64_t> clock_wakes_ = 0;
    std::atomic<std::uint64_t> copied_bytes_ = 0;

    SinkHolder sink_;
    EventFd stop_;            // the own thread is to end,
    EventFd wake_own_;        // to look who serves;
    EventFd wake_submitter_;  // the serving submitter to look whether it is done
    std::thread thread_;
};

}  // namespace lab
