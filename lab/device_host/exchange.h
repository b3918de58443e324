// One FUSE message of a control call on its way through the channel: its checks, its buffers in the caller's
// slot, and the reply. Must never know: opens, the transport's client side.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>

#include "fuse/protocol.h"
#include "lab/device_host/device.h"

namespace lab::device_host {

// Answers a call with a status and nothing else.
void answer(transport::Call call, nt::Status status, std::uint64_t information = 0,
            std::uint32_t open = 0) noexcept;

class Device::Exchange final : public guest::Message, public std::enable_shared_from_this<Device::Exchange> {
  public:
    // Checks a submit or read-direct request as a driver does. The caller answers the call when it fails.
    static std::expected<std::shared_ptr<Exchange>, nt::Status> prepare(
        Device& device, std::shared_ptr<Connection> connection, transport::Call& call,
        const RequestHead& request);

    // Sends it; the call is answered by the completion.
    void submit();
    // Ends it early, also when it is not sent yet; the first reason given counts.
    void cancel(nt::Status why) noexcept;
    // Answers without sending.
    void refuse(nt::Status status) noexcept;

    transport::CallId id() const { return id_; }
    std::uint32_t open() const { return open_; }
    bool cancelled_by_transport() const { return call_.cancelled(); }

    void completed(guest::Outcome outcome) noexcept override;

  private:
    Exchange(Device& device, std::shared_ptr<Connection> connection, transport::Call call,
             const RequestHead& request);
    nt::Status check_and_lay_out();
    nt::Status status_of(guest::ChannelError error) const;
    nt::Status check_reply(std::uint32_t bytes) const;

    Device& device_;
    const Connection::Use connection_;
    transport::Call call_;
    const transport::CallId id_;
    const std::uint32_t open_;
    const RequestHead request_;
    std::uint32_t reply_offset_ = 0;
    // The header is a copy: what was checked is what is sent, whatever the caller does to its memory.
    fuse::InHeader header_;
    std::array<std::span<const std::byte>, 2> out_;
    std::array<std::span<std::byte>, 1> in_;

    enum class Stage : std::uint8_t { kPrepared, kSubmitted };
    std::atomic<Stage> stage_{Stage::kPrepared};
    std::atomic<nt::Status> cancelled_with_{nt::Status::kSuccess};  // kSuccess: it is not
};

}  // namespace lab::device_host
