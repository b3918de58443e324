// The leanest guest that virtio-fs allows: one thread, prepared requests, no locks and no copies, so that
// what is measured is the daemon. Must never know: what is measured. Errors are thrown as Failure: they end a
// benchmark.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/protocol.h"
#include "lab/channel/guest_memory.h"
#include "vhost_user/frontend.h"
#include "virtio/driver_queue.h"

namespace bench {

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Memory that the daemon can reach, page-aligned.
struct Buffer {
    std::byte* data = nullptr;
    virtio::Piece piece;
};

// A request and the room for its reply in shared memory, sent as often as one likes; in pieces as Linux'
// guest sends them: header, arguments, name, payload.
struct Call {
    static constexpr std::size_t kArgumentBytes = 512;
    static constexpr std::size_t kBodyBytes = 256;

    fuse::InHeader* request = nullptr;
    std::byte* arguments = nullptr;
    fuse::OutHeader* reply = nullptr;
    std::byte* body = nullptr;
    std::uint64_t address = 0;  // of the block that holds these
    std::vector<virtio::Piece> readable;
    std::vector<virtio::Piece> writable;
    std::size_t slot = 0;  // the caller's
    std::size_t step = 0;

    template <typename T>
    T& arguments_as() const {
        return *reinterpret_cast<T*>(arguments);
    }
    template <typename T>
    const T& body_as() const {
        return *reinterpret_cast<const T*>(body);
    }
};

class FuseDriver {
  public:
    // Connects and starts the high priority queue and one request queue, with EVENT_IDX and indirect
    // descriptors as far as the daemon offers them.
    explicit FuseDriver(const std::string& socket_path);
    ~FuseDriver();
    FuseDriver(const FuseDriver&) = delete;
    FuseDriver& operator=(const FuseDriver&) = delete;

    std::unique_ptr<Call> make_call();
    Buffer make_buffer(std::size_t bytes);

    // Fills in a request. The reply's body is `body_bytes` of the call's own room, then `reply_data`.
    template <typename Arguments>
    void prepare(Call& call, fuse::Opcode opcode, fuse::NodeId node, const Arguments& arguments,
                 std::string_view name, std::size_t body_bytes,
                 std::optional<virtio::Piece> payload = std::nullopt,
                 std::optional<virtio::Piece> reply_data = std::nullopt) {
        static_assert(std::is_trivially_copyable_v<Arguments> &&
                      sizeof(Arguments) + 256 < Call::kArgumentBytes);
        std::memcpy(call.arguments, &arguments, sizeof arguments);
        lay_out(call, opcode, node, std::is_empty_v<Arguments> ? 0 : sizeof arguments, name, body_bytes,
                payload, reply_data);
    }

    // Queues a call on the request queue; the daemon sees it at the latest when next() waits.
    void add(Call& call);
    // The next call that was answered, with success.
    Call& next();
    // One call, and nothing else in flight.
    void transact(Call& call);

    // Takes back references to a node, on the high priority queue.
    void forget(fuse::NodeId node, fuse::LookupCount count);
    // Many at once; in batches as long as a page.
    void forget(const std::vector<fuse::ForgetOne>& nodes);
    // Until the daemon is done with all of forget().
    void wait_for_forgets();

  private:
    struct Queue;

    void lay_out(Call& call, fuse::Opcode opcode, fuse::NodeId node, std::size_t argument_bytes,
                 std::string_view name, std::size_t body_bytes, std::optional<virtio::Piece> payload,
                 std::optional<virtio::Piece> reply_data);
    void add_to(Queue& queue, Call& call);
    Call& next_of(Queue& queue);
    Call* try_next_of(Queue& queue);
    Call& idle_forget();
    Buffer allocate(std::size_t bytes, std::size_t alignment);

    std::optional<vhost_user::FrontEnd> front_;
    std::optional<lab::GuestMemory> memory_;
    std::unique_ptr<Queue> urgent_;
    std::unique_ptr<Queue> requests_;
    std::vector<std::unique_ptr<Call>> forgets_;
    std::vector<Call*> idle_forgets_;
    std::vector<Buffer> forget_batches_;  // by Call::slot of a forget
    std::uint64_t unique_ = 2;
};

// While it exists a wait in FuseDriver that lasts too long is a Failure.
class Watchdog {
  public:
    Watchdog();
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
};

}  // namespace bench
