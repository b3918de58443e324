// The device as its users see it: opens, control codes, cancellation, with the statuses a driver gives. Every
// message goes to the channel straight from the caller's shared memory; any number may be in flight. Must
// never know: how the channel reaches the host, what a FUSE message says beyond its headers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "guest/volume/channel.h"
#include "lab/device_host/protocol.h"
#include "lab/transport/server.h"
#include "nt/status.h"

namespace lab::device_host {

class Device final : public transport::Handler, public guest::ChannelSink {
  public:
    // `tag` as kGetVolumeName answers it. The channel outlives the device.
    Device(guest::Channel& channel, std::u16string tag);
    // No call may be unanswered: destroy the transport's server first.
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    // The transport's, on its threads.
    void handle(transport::Call call) override;
    void cancel(transport::CallId call) noexcept override;
    void client_gone(std::uint32_t client) noexcept override;

    // The channel's. Its messages fail by themselves; later ones are refused as "device gone".
    void channel_lost(guest::Epoch epoch) noexcept override;

    // Called once, on a thread of the channel, when the daemon is lost. Set before the first call arrives.
    void on_lost(std::function<void()> callback) { lost_callback_ = std::move(callback); }

    std::size_t open_count() const;
    std::size_t in_flight() const;

  private:
    class Exchange;
    friend class Exchange;

    void open(transport::Call call);
    void close(transport::Call call, const RequestHead& request);
    void control(transport::Call call, const RequestHead& request);
    void submit(std::shared_ptr<Exchange> exchange);
    void forget(const Exchange& exchange) noexcept;
    void cancel_matching(const std::function<bool(const Exchange&)>& wanted) noexcept;
    bool is_open(std::uint32_t open, std::uint32_t client) const;

    guest::Channel& channel_;
    const std::u16string tag_;
    std::function<void()> lost_callback_;
    std::atomic<bool> lost_{false};

    mutable std::mutex lock_;
    std::map<std::uint32_t, std::uint32_t> opens_;  // open -> client
    std::uint32_t last_open_ = 0;
    std::map<transport::CallId, std::shared_ptr<Exchange>> exchanges_;
};

// A tag as virtio has it (UTF-8, at most 36 bytes) in UTF-16; empty if it is not one.
std::u16string tag_from_utf8(const std::string& tag);

}  // namespace lab::device_host
