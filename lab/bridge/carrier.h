// Carries FUSE messages between the kernel's device and a virtiofs daemon: requests are read straight into
// memory that the daemon sees, replies written straight from it. Must never know: what messages mean beyond
// what tells their queue and the length of their reply; mount points.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lab/bridge/fuse_device.h"
#include "lab/bridge/slots.h"
#include "lab/channel/guest_memory.h"
#include "vhost_user/frontend.h"
#include "virtio/driver_queue.h"

namespace lab {

class Carrier {
  public:
    struct Options {
        // Pass INTERRUPT. Linux' virtiofs sends none, and Debian's daemon crashes at some; without it the
        // kernel is told that there is no such request, and who is killed while the daemon works waits for
        // the daemon.
        bool interrupts = false;
        std::size_t readers = 2;                   // threads that read requests
        std::uint32_t request_queues = 4;          // at most; never more than the daemon offers
        std::size_t messages = 256;                // under way at most
        std::chrono::milliseconds timeout{10000};  // for each step of connecting
    };

    // Connects to a daemon, over a connected socket.
    static std::expected<std::unique_ptr<Carrier>, std::string> connect(vhost_user::Fd socket,
                                                                        const Options& options);
    // stop()s.
    ~Carrier();
    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;

    // Begins to serve the device, once.
    std::expected<void, std::string> serve(const FuseDevice& device);
    // Waits until kernel and daemon have agreed at INIT; false if they have not in time.
    bool wait_until_agreed(std::chrono::milliseconds time);
    // Ends all threads and closes their descriptors of the device: the mount is aborted if its own is closed,
    // too. Whatever the daemon still has stays unanswered.
    void stop();

    // For poll(): readable or hung up means that the daemon is gone.
    int socket() const { return front_.socket(); }
    // For poll(): readable once the kernel or the daemon made it impossible to go on. problem() says why;
    // empty if the mount was unmounted.
    int failure() const { return failure_.get(); }
    std::string problem() const;

  private:
    struct Queue;

    Carrier(vhost_user::FrontEnd front, GuestMemory memory, const Options& options);
    std::expected<void, std::string> start_queues(std::uint32_t count);

    void read_requests(int channel, Queue& requests);
    void send(Queue& queue, Slot& slot, std::size_t request_bytes);
    void take_replies(Queue& queue);
    void deliver(Slot& slot, std::uint32_t bytes_written);
    bool answer(const Slot& slot, std::span<const std::byte> reply);
    void answer_error(const Slot& slot, std::int32_t error);
    void give_up(const std::string& why);

    const Options options_;
    vhost_user::FrontEnd front_;
    GuestMemory memory_;
    std::unique_ptr<Slots> slots_;
    std::vector<std::unique_ptr<Queue>> queues_;
    std::vector<vhost_user::Fd> channels_;
    std::vector<std::thread> readers_;
    std::vector<std::thread> takers_;  // one for each queue
    std::atomic<std::size_t> readers_running_ = 0;
    std::atomic<bool> stopping_ = false;
    vhost_user::Fd failure_;

    std::atomic<std::uint64_t> offered_ = 0;  // INIT's flags as the daemon saw them
    mutable std::mutex mutex_;                // guards what follows
    std::condition_variable agreed_changed_;
    bool agreed_ = false;
    std::string problem_;
};

}  // namespace lab
