// The road FUSE messages take to the host: completion-based, many in flight, no knowledge of what they say
// beyond the message header. Implemented over IOCTLs (service), over a vhost-user connection (native tests)
// and by scripted hosts. Must never know: nodes, paths, NT semantics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>

namespace guest {

// One connection of one device to one daemon. A new value whenever the device or the daemon was reset: node
// ids and file handles of an older epoch mean nothing any more and must never be sent.
enum class Epoch : std::uint64_t {};

enum class ChannelError {
    kLost,       // the device or the daemon is gone, or the message's epoch is over
    kCancelled,  // cancel() or the channel's end came first
    kRefused,    // the transport would not take the message (too long, too many pieces)
};

// Bytes of reply written into the message's in-buffers, the fuse_out_header included; 0 for a message without
// reply.
using Outcome = std::expected<std::uint32_t, ChannelError>;

// One FUSE message on its way. The submitter owns it and every buffer it names, and keeps them alive and in
// place until completed() was called. Buffers are the caller's own: a transport copies only where it cannot
// map.
class Message {
  public:
    Epoch epoch{};
    // The request, fuse_in_header first (its `unique` must be non-zero and unused on this channel, its `len`
    // the sum).
    std::span<const std::span<const std::byte>> out;
    // Room for the reply, fuse_out_header first; empty for a message that has no reply (FORGET,
    // BATCH_FORGET).
    std::span<const std::span<std::byte>> in;
    // The submitter calls Channel::serve() next: no other thread has to wake up for this message before.
    bool submitter_serves = false;

    // Called exactly once for each submitted message, on any thread, possibly before submit() returns and
    // with no lock held. For a message without reply it means that the transport no longer needs the buffers.
    // Must not block; the message may be destroyed or submitted again from inside it. The reply's content is
    // not checked by the channel beyond its length not exceeding the in-buffers.
    virtual void completed(Outcome outcome) noexcept = 0;

  protected:
    ~Message() = default;
};

// Told of things that belong to no message. Calls come on a thread of the channel, with no lock held.
class ChannelSink {
  public:
    // The epoch is over: every message of it has been or is being completed with kLost, new ones are refused.
    virtual void channel_lost(Epoch epoch) noexcept = 0;

  protected:
    ~ChannelSink() = default;
};

class Channel {
  public:
    virtual ~Channel() = default;

    // The present connection.
    virtual Epoch epoch() const noexcept = 0;

    // Longest request or reply in bytes, headers included, that one message may have.
    virtual std::size_t max_message_bytes() const noexcept = 0;

    // At most one sink; nullptr takes it off, and after that call returned the old one is not called any
    // more.
    virtual void set_sink(ChannelSink* sink) noexcept = 0;

    // Sends a batch, in order as far as the transport keeps one (FORGETs and INTERRUPTs travel on a queue of
    // their own). Never waits for the host; messages beyond the device's capacity are queued. Thread-safe.
    virtual void submit(std::span<Message* const> messages) noexcept = 0;

    // Lends the calling thread, which would wait for messages that it has submitted, to fetch completions,
    // anybody's: saves a hop between threads where the transport can. Returns once `done()`, or as early as
    // it likes. Completions alone make done() true; it is called often, on this thread, with no lock held.
    virtual void serve(const std::function<bool()>& done) noexcept { static_cast<void>(done); }

    // Ends a message early: it is completed with kCancelled unless its outcome came first. Harmless for a
    // message that is already complete, provided it still exists. Thread-safe.
    virtual void cancel(Message& message) noexcept = 0;
};

}  // namespace guest
