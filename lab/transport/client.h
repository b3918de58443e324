// The calling side of a channel, for native code and for Windows code without a C++ run-time library (no
// allocation, no exceptions, no static constructors; needs CreateThread and WaitForSingleObject, memcpy and
// memset only). Must never know: what the calls mean.
//
//   Client client;                                        // one per server and process; 4 KiB, may be a
//   global if (auto ok = client.connect("vfslab-x-volume"); !ok) ... auto reply = client.call({.head = ...,
//   .payload = ...}, {.head = ..., .payload = ...});     // blocks
// or, without copying:
//   auto lease = client.lease();                           // a slot of the shared memory
//   fill lease->head(), lease->payload(); auto reply = lease->exchange({head_bytes, payload_bytes});
// or, not waiting: client.begin(async_call, request).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "lab/transport/host_os.h"
#include "lab/transport/region.h"

namespace lab::transport {

enum class Failure : std::uint32_t {
    kNoServer,        // nothing of that name runs (connect)
    kIncompatible,    // the region is not one of ours (connect)
    kTooManyClients,  // kMaxClients processes are connected (connect)
    kServerGone,      // the server ended or died; the call may or may not have been carried out
    kTooLong,         // request or reply is longer than a slot, or the reply longer than the caller's room
    kMalformedReply,  // the reply's lengths make no sense
    kNoThread,        // the reaper thread could not be started (begin)
};
const char* describe(Failure failure) noexcept;

struct Lengths {
    std::uint32_t head = 0;
    std::uint32_t payload = 0;
};

struct Request {
    std::span<const std::byte> head = {};
    std::span<const std::byte> payload = {};
    // Payload bytes of reply that the caller takes; the handler sees it as Call::reply_room(). Set by call()
    // from the reply buffers.
    std::uint32_t reply_room = kPayloadBytes;
};

struct ReplyBuffers {
    std::span<std::byte> head = {};
    std::span<std::byte> payload = {};
};

// The reply where it lies in the shared memory: read what you need once, the server could still change it.
struct ReplyView {
    std::span<const std::byte> head;
    std::span<const std::byte> payload;
};

class Client;

// A slot of one's own for calls without copying; given back by the destructor. For one thread at a time; a
// thread keeps it for a call, not for longer (the slots are shared by all processes of the channel).
class Lease {
  public:
    Lease() = default;
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    // Where the request is built: kHeadBytes and kPayloadBytes.
    std::span<std::byte> head() noexcept;
    std::span<std::byte> payload() noexcept;

    // Sends what was built and waits for the reply, which lies in the same places. May be repeated.
    std::expected<ReplyView, Failure> exchange(Lengths request,
                                               std::uint32_t reply_room = kPayloadBytes) noexcept;

  private:
    friend class Client;
    Lease(Client* client, std::uint32_t slot) : client_(client), slot_(slot) {}
    Client* client_ = nullptr;
    std::uint32_t slot_ = 0;
};

// A call in flight; the caller owns it and keeps it in place until `completed` was called.
struct AsyncCall {
    // Called exactly once for each successful begin(), on the client's reaper thread, with no lock held. The
    // views end with the function. It must not wait for other calls of the same client; the AsyncCall may be
    // destroyed or begun again from a different thread once it was entered, or destroyed inside.
    void (*completed)(AsyncCall& call, const std::expected<ReplyView, Failure>& reply) noexcept = nullptr;

  private:
    friend class Client;
    std::uint32_t slot_ = 0;
    bool in_flight_ = false;  // under the client's lock
};

class Client {
  public:
    Client() = default;
    ~Client() { disconnect(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Attaches to a running server; `name` as given to Server::start. Not thread-safe against other methods.
    // After disconnect() or once the server is gone it may be called again.
    std::expected<void, Failure> connect(const char* name) noexcept;

    // Completes what is in flight with kServerGone and detaches. No other thread may be in a method.
    void disconnect() noexcept;

    bool connected() const noexcept { return header_ != nullptr; }
    // Whether the server still runs (one system call).
    bool server_alive() const noexcept;

    // Sends, waits for the reply and copies it out. Waits for a free slot if need be. Thread-safe, no time
    // limit: it ends when the server answers or dies (noticed within half a second).
    std::expected<Lengths, Failure> call(const Request& request, const ReplyBuffers& reply) noexcept;

    // A slot, waiting until one is free. Thread-safe.
    std::expected<Lease, Failure> lease() noexcept;

    // Sends and returns; `call.completed` is called later. Waits only while no slot is free. The request is
    // copied. After a failure `completed` is not called. Thread-safe; not from inside `completed`.
    std::expected<void, Failure> begin(AsyncCall& call, const Request& request) noexcept;

    // The same for a request that was built in place: `lease` is one of this client's.
    std::expected<void, Failure> begin(AsyncCall& call, Lease lease, Lengths request,
                                       std::uint32_t reply_room = kPayloadBytes) noexcept;

    // Asks the server to end a call early; how it ends is the server's answer. Harmless when it has
    // completed, as long as the AsyncCall exists. Thread-safe.
    void cancel(AsyncCall& call) noexcept;

    // This process's number in the region, 1 and up: what the server calls the client's id.
    std::uint32_t number() const noexcept { return number_; }

  private:
    friend class Lease;

    region::Slot& slot(std::uint32_t index) const noexcept { return slots_[index]; }
    std::expected<std::uint32_t, Failure> claim() noexcept;
    std::uint32_t try_claim(bool search_all) noexcept;
    bool take(std::uint32_t index) noexcept;
    void release(std::uint32_t index) noexcept;
    void ring() noexcept;
    void post(std::uint32_t index, Lengths request, std::uint32_t room, bool asynchronous) noexcept;
    std::expected<ReplyView, Failure> await(std::uint32_t index) noexcept;
    std::expected<ReplyView, Failure> reply_of(std::uint32_t index) noexcept;
    bool stopping() const noexcept;
    static void reaper_entry(void* self);
    void reap() noexcept;
    bool reap_done() noexcept;
    void fail_pending() noexcept;
    void finish(std::uint32_t index, bool server_gone) noexcept;

    int file_ = -1;
    region::Header* header_ = nullptr;
    region::Slot* slots_ = nullptr;
    std::size_t mapped_bytes_ = 0;
    std::uint32_t slot_count_ = 0;
    std::uint32_t number_ = 0;
    os::Thread reaper_;
    os::Mutex lock_;  // reaper_'s start, in_flight_ and pending_
    std::atomic<bool> ending_{false};
    AsyncCall* pending_[kMaxSlots] = {};
};

}  // namespace lab::transport
