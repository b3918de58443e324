// The device as its users see it: opens, control codes, cancellation, arrival and removal, with the statuses
// a driver gives. Every message goes to the channel straight from the caller's shared memory; any number may
// be in flight. Must never know: how the channel reaches the host, what a FUSE message says beyond its
// headers.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "guest/volume/channel.h"
#include "lab/device_host/connection.h"
#include "lab/device_host/protocol.h"
#include "lab/device_host/watches.h"
#include "lab/transport/server.h"
#include "nt/status.h"

namespace lab::device_host {

class Device final : public transport::Handler, public guest::ChannelSink {
  public:
    // `tag` as kGetVolumeName answers it. The device is not present, and connected to nothing.
    explicit Device(std::u16string tag);
    // Present and connected. The channel outlives the device, or is detached before.
    Device(guest::Channel& channel, std::u16string tag);
    // No call may be unanswered: destroy the transport's server first.
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    // The transport's, on its threads.
    void handle(transport::Call call) override;
    void cancel(transport::CallId call) noexcept override;
    void client_gone(std::uint32_t client) noexcept override;

    // The channel's. Its messages fail by themselves as "not connected", and so do all others of the opens
    // made until the next attach().
    void channel_lost(guest::Epoch epoch) noexcept override;

    // Called on a thread of the channel when the daemon is lost. Set before the first call arrives.
    void on_lost(std::function<void()> callback) { lost_callback_ = std::move(callback); }

    // The daemon, from now on; opens made before do not reach it. Nothing may be attached.
    void attach(guest::Channel& channel);
    // Waits until nobody uses the channel any more, which its loss or its end brings about.
    void detach();

    // Makes the device present. This and the next three: one at a time.
    void arrive();
    // Removes it as Windows does on demand: everybody who watches is asked to let go. Fails, and the device
    // stays, when somebody objects or keeps it open.
    std::expected<void, std::string> remove();
    // The same, but the removal fails although everybody let go.
    void fail_removal();
    // Takes it away without asking: what is in flight and every later request fails as "removed".
    void pull_out();

    // Before the transport's server ends: whoever waits for events is told that there will be none.
    void end_watches() noexcept { watches_.shut(); }

    bool is_present() const;
    std::size_t open_count() const;  // of the device as it is, not of one that was removed
    std::size_t in_flight() const;
    std::size_t watch_count() const { return watches_.count(); }

  private:
    class Exchange;
    friend class Exchange;

    enum class Presence : std::uint8_t { kAbsent, kPresent, kLeaving };
    struct Open {
        std::uint32_t client = 0;
        std::uint32_t arrival = 0;     // of the device
        std::uint32_t connection = 0;  // to the daemon; 0: none
    };

    void open(transport::Call call);
    void close(transport::Call call, const RequestHead& request);
    void watch(transport::Call call, const RequestHead& request);
    void control(transport::Call call, const RequestHead& request);
    void submit(std::shared_ptr<Exchange> exchange);
    void forget(const Exchange& exchange) noexcept;
    void cancel_matching(nt::Status why, const std::function<bool(const Exchange&)>& wanted) noexcept;
    // Whether the open may do anything.
    nt::Status check_open(std::uint32_t open, std::uint32_t client) const;
    // The connection for a message of that open.
    std::expected<std::shared_ptr<Connection>, nt::Status> connection_for(std::uint32_t open) const;
    void set_presence(Presence presence);

    const std::u16string tag_;
    std::function<void()> lost_callback_;
    Watches watches_;

    mutable std::mutex lock_;
    Presence presence_ = Presence::kAbsent;
    std::uint32_t arrivals_ = 0;
    std::shared_ptr<Connection> connection_;
    bool lost_ = false;  // connection_ is
    std::uint32_t last_connection_ = 0;
    std::map<std::uint32_t, Open> opens_;
    std::uint32_t last_open_ = 0;
    std::map<transport::CallId, std::shared_ptr<Exchange>> exchanges_;
};

// A tag as virtio has it (UTF-8, at most 36 bytes) in UTF-16; empty if it is not one.
std::u16string tag_from_utf8(const std::string& tag);

}  // namespace lab::device_host
