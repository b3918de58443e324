// FUSE messages over the driver's control codes: one overlapped call a message (the ABI of the driver that is
// already deployed), completions from a port. Must never know: what messages say, WinFsp.
//
// Requests and replies go through buffers of the channel's own. So a message can always be ended at once
// (cancel, loss of the device, the end of the channel), however long the driver takes to let go of its
// request.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "guest/service/buffer_pool.h"
#include "guest/service/device.h"
#include "guest/volume/channel.h"
#include "threads/mutex.h"

namespace guest::service {

class IoctlChannel final : public Channel {
  public:
    // Opens the device; `epoch` is one no other channel had. `on_lost` is called once if the device goes, on
    // any thread and with no lock held, after the sink was told. The error is a sentence for the user.
    static std::expected<std::unique_ptr<IoctlChannel>, std::string> open(const Device& device, Epoch epoch,
                                                                          std::function<void()> on_lost);
    // Ends every message with kLost. No submit() may be running.
    ~IoctlChannel() override;

    // Declares the device gone, as if a request had failed with it.
    void lose() noexcept;
    // Whether it is, which is so before anybody is told: before the sink, on_lost and every message that
    // fails with it.
    bool is_lost() const noexcept;
    // Declares the device gone and closes it, so that it can be removed; waits some seconds at most for its
    // driver to let go of requests.
    void let_go() noexcept;

    // The device's handle, for notifications of it; none after let_go().
    HANDLE device() const noexcept { return device_.get(); }

    Epoch epoch() const noexcept override;
    std::size_t max_message_bytes() const noexcept override;
    void set_sink(ChannelSink* sink) noexcept override;
    void submit(std::span<Message* const> messages) noexcept override;
    void cancel(Message& message) noexcept override;

  private:
    struct Request;

    IoctlChannel(UniqueHandle device, UniqueHandle port, Epoch epoch, std::function<void()> on_lost);
    void submit_one(Message& message) noexcept;
    std::unique_ptr<Request> prepare(const Message& message);
    // The driver is done with the request: decides its message's outcome and releases it.
    void finish(Request* request, DWORD error, std::uint32_t bytes) noexcept;
    static void release(Request* request) noexcept;
    void end_all_messages() noexcept;
    void wait_for_driver() noexcept;
    void tell_sink() noexcept;
    void serve_completions() noexcept;

    UniqueHandle device_;  // closed, by let_go(), under mutex_ and once no request is at the driver
    const UniqueHandle port_;
    const std::function<void()> on_lost_;
    const Epoch epoch_;
    BufferPool buffers_;

    mutable threads::Mutex mutex_;
    threads::Condition idle_;
    bool lost_ = false;
    // By message, for cancel(); a message leaves it the moment its outcome is decided.
    std::unordered_map<Message*, Request*> waiting_;
    std::size_t at_driver_ = 0;  // requests the driver has not let go of, those without a message included

    threads::Mutex sink_mutex_;
    threads::Condition sink_told_;
    ChannelSink* sink_ = nullptr;
    std::thread::id telling_;

    std::vector<std::thread> threads_;
};

}  // namespace guest::service
