// The back-end's half of vhost-user: takes one message after another, keeps what was agreed on, and tells a
// device which rings run where. Must never know: what kind of device it is, threads, how messages travel.
// The front-end may be hostile: every field is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vhost_user/guest_memory.h"
#include "vhost_user/socket.h"
#include "virtio/split_ring.h"

namespace vhost_user {

// A ring as it is started.
struct StartedRing {
    virtio::SplitRing parts;  // in `memory`
    bool event_index = false;
    std::uint16_t next_available = 0;  // available index to go on from
    GuestMemory::Pointer memory;
    std::shared_ptr<const Fd> kick;
    std::shared_ptr<const Fd> call;   // null: the guest wants no interrupts
    std::shared_ptr<const Fd> error;  // null: nobody wants to be told
};

// What the rings belong to. Called on the thread that calls the back-end, never for a ring beyond
// BackendOptions::max_rings.
class Device {
  public:
    // Of a ring that does not run.
    virtual Result<void> start_ring(std::uint32_t index, const StartedRing& ring) = 0;
    // Of one that does, like all below. Whatever was taken from it has been given back when this returns.
    // The available index that it would go on from.
    virtual std::uint16_t stop_ring(std::uint32_t index) = 0;
    // The guest's memory has changed: nothing new is looked up in the old one when this returns.
    virtual void move_ring(std::uint32_t index, const virtio::SplitRing& parts,
                           GuestMemory::Pointer memory) = 0;
    virtual void set_call(std::uint32_t index, std::shared_ptr<const Fd> call) = 0;

    // The guest starts over; no ring runs.
    virtual void reset() = 0;

  protected:
    ~Device() = default;
};

struct BackendOptions {
    std::uint32_t max_rings = 2;  // at most 256
    std::uint16_t max_ring_size = 1024;
    std::vector<std::byte> config = {};  // configuration space; empty: not offered
};

// What a message led to.
struct Handled {
    std::optional<std::vector<std::byte>> reply =
        {};                  // to be sent under the same request, before anything else
    std::string error = {};  // not empty: the connection is to be closed
};

class Backend {
  public:
    Backend(Device& device, BackendOptions options);
    // Stops what runs.
    ~Backend();
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    Handled handle(ReceivedMessage message);

    // Stops all rings, and starts the device over. What the end of a connection means, and RESET_DEVICE.
    void reset();

  private:
    struct Ring {
        std::uint32_t size = 0;  // 0: not told
        std::optional<VringAddress> address;
        std::uint16_t next_available = 0;
        std::optional<std::uint16_t> stopped_at;  // since the device started over
        std::shared_ptr<const Fd> kick;           // with it the ring is started
        std::shared_ptr<const Fd> call;
        std::shared_ptr<const Fd> error;
        bool enabled = false;
        bool running = false;
    };

    Result<std::optional<std::vector<std::byte>>> answer(ReceivedMessage& message);
    Result<void> obey(ReceivedMessage& message);

    Result<void> set_features(std::uint64_t features);
    Result<void> set_protocol_features(std::uint64_t features);
    Result<void> set_mem_table(ReceivedMessage& message);
    Result<void> change_memory(Result<GuestMemory::Pointer> memory);
    Result<void> set_vring_state(Request request, const VringState& state);
    Result<void> set_vring_addr(const VringAddress& address);
    Result<void> set_vring_fd(ReceivedMessage& message);
    Result<std::vector<std::byte>> get_vring_base(const VringState& state);
    Result<std::vector<std::byte>> get_config(const ReceivedMessage& message) const;

    Result<Ring*> ring(std::uint64_t index);
    std::uint32_t index_of(const Ring& ring) const;
    bool wanted(const Ring& ring) const;
    std::optional<virtio::SplitRing> parts_of(const Ring& ring) const;
    Result<void> start(Ring& ring);
    void stop(Ring& ring);
    Result<void> start_over();
    bool any_runs() const;

    Device& device_;
    const BackendOptions options_;
    std::uint64_t features_ = 0;
    std::uint64_t protocol_features_ = 0;
    GuestMemory::Pointer memory_;
    std::vector<Ring> rings_;
};

}  // namespace vhost_user
