// The answering side of a channel, for native code and ordinary Windows code: takes calls off the shared
// memory on a pool of threads that grows while handlers block (one thread is always left to listen, up to one
// per slot). Must never know: what the calls mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

#include "lab/transport/region.h"

namespace lab::transport {

class Server;

// Names one call for the lifetime of the server; never used twice.
enum class CallId : std::uint64_t {};

// A call that was received and waits for its reply. Move-only; whoever holds it answers it, on any thread, at
// any time; one that is destroyed unanswered is answered with an empty head. Must not outlive the server.
class Call {
  public:
    Call() = default;
    Call(Call&& other) noexcept;
    Call& operator=(Call&& other) noexcept;
    ~Call();

    CallId id() const noexcept { return id_; }
    // Which client sent it: 1 and up, used again after client_gone.
    std::uint32_t client() const noexcept { return client_; }

    // The request's head: a copy of the server's own, stable until the reply.
    std::span<const std::byte> head() const noexcept;
    // The request's payload in the shared memory: the client could change it meanwhile, so check after
    // copying.
    std::span<const std::byte> payload() const noexcept;

    // Where the reply is built: kHeadBytes (not the memory of head()), and kPayloadBytes that overlap
    // payload().
    std::span<std::byte> reply_head() noexcept;
    std::span<std::byte> reply_payload() noexcept;
    // Payload bytes the caller takes at most; a longer reply is an error on its side.
    std::uint32_t reply_room() const noexcept { return reply_room_; }

    // Whether Handler::cancel was called, or is about to be, for this call.
    bool cancelled() const noexcept;

    // Sends the reply: the first bytes of reply_head() and reply_payload(), which must not exceed those. The
    // object is empty afterwards.
    void reply(std::uint32_t head_bytes, std::uint32_t payload_bytes) noexcept;

    explicit operator bool() const noexcept { return server_ != nullptr; }

  private:
    friend class Server;
    Server* server_ = nullptr;
    std::uint32_t slot_ = 0;
    std::uint32_t client_ = 0;
    std::uint32_t head_bytes_ = 0;
    std::uint32_t payload_bytes_ = 0;
    std::uint32_t reply_room_ = 0;
    CallId id_{};
};

// Calls come on the server's threads, several at once, with no lock held. handle() may block or keep the
// call.
class Handler {
  public:
    virtual void handle(Call call) = 0;
    // The client wants the call ended early (or died). The id may be unknown: the call may have been answered
    // meanwhile, or handle() not yet have stored it. So handle() stores the call first and then looks at
    // Call::cancelled().
    virtual void cancel(CallId call) noexcept = 0;
    // The client's process ended. Its calls have been cancelled before.
    virtual void client_gone(std::uint32_t client) noexcept = 0;

  protected:
    ~Handler() = default;
};

class Server {
  public:
    struct Options {
        std::string name;  // of the region: letters, digits, '.', '-', '_', at most kMaxNameBytes
        std::uint32_t slots = kDefaultSlots;  // calls at once, 1 to kMaxSlots
    };

    // Creates /dev/shm/<name> (mode 0600), replacing one whose server died, and starts to take calls. The
    // error is a sentence for the user. `handler` outlives the server.
    static std::expected<std::unique_ptr<Server>, std::string> start(const Options& options,
                                                                     Handler& handler);

    // Removes the region, tells the clients, waits for running handlers. Every Call must have been answered
    // or be answered by a thread that still runs: it is waited for.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Threads at present, for tests and statistics.
    std::uint32_t worker_count() const noexcept;

  private:
    friend class Call;
    class Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::transport
