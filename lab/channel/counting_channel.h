// A channel that counts what goes through it, by opcode. Must never know: what the answers say.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "fuse/opcode.h"
#include "guest/volume/channel.h"

namespace lab {

struct MessageCounts {
    std::array<std::uint64_t, fuse::kOpcodeLimit> by_opcode{};
    std::uint64_t unknown = 0;  // opcodes without a name

    std::uint64_t of(fuse::Opcode opcode) const { return by_opcode[static_cast<std::uint32_t>(opcode)]; }
    std::uint64_t total() const;
    // Round trips that somebody waits for: all but RELEASE, RELEASEDIR, FORGET, BATCH_FORGET, DESTROY and
    // INTERRUPT.
    std::uint64_t waited_for() const;
    // RELEASE, RELEASEDIR, FORGET and BATCH_FORGET: sent and not waited for.
    std::uint64_t not_waited_for() const;
    // DESTROY and INTERRUPT, in neither of the above.
    std::uint64_t apart() const { return of(fuse::Opcode::kDestroy) + of(fuse::Opcode::kInterrupt); }
    // "LOOKUP 2, OPEN 1": for the message of a failed expectation.
    std::string text() const;

    MessageCounts operator-(const MessageCounts& before) const;
};

// Hands everything on to `next`, which outlives it. Thread-safe.
class CountingChannel final : public guest::Channel {
  public:
    explicit CountingChannel(guest::Channel& next) : next_(next) {}

    MessageCounts snapshot() const;
    void reset();

    guest::Epoch epoch() const noexcept override { return next_.epoch(); }
    std::size_t max_message_bytes() const noexcept override { return next_.max_message_bytes(); }
    void set_sink(guest::ChannelSink* sink) noexcept override { next_.set_sink(sink); }
    void submit(std::span<guest::Message* const> messages) noexcept override;
    void serve(const std::function<bool()>& done) noexcept override { next_.serve(done); }
    void cancel(guest::Message& message) noexcept override { next_.cancel(message); }

  private:
    guest::Channel& next_;
    std::array<std::atomic<std::uint64_t>, fuse::kOpcodeLimit + 1> counts_{};  // the last: unknown
};

}  // namespace lab
