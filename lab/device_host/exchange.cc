#include "lab/device_host/exchange.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ioctl/contract.h"

namespace lab::device_host {
namespace {

void send(transport::Call& call, const ReplyHead& head, std::size_t payload_bytes) noexcept {
    std::memcpy(call.reply_head().data(), &head, sizeof(head));
    call.reply(sizeof(head), static_cast<std::uint32_t>(payload_bytes));
}

}  // namespace

void answer(transport::Call call, nt::Status status, std::uint64_t information, std::uint32_t open) noexcept {
    send(call, {.status = static_cast<std::uint32_t>(status), .open = open, .information = information}, 0);
}

Device::Exchange::Exchange(Device& device, std::shared_ptr<Connection> connection, transport::Call call,
                           const RequestHead& request)
    : device_(device),
      connection_(std::move(connection)),
      call_(std::move(call)),
      id_(call_.id()),
      open_(request.open),
      request_(request) {}

std::expected<std::shared_ptr<Device::Exchange>, nt::Status> Device::Exchange::prepare(
    Device& device, std::shared_ptr<Connection> connection, transport::Call& call,
    const RequestHead& request) {
    std::shared_ptr<Exchange> exchange(new Exchange(device, std::move(connection), std::move(call), request));
    const nt::Status status = exchange->check_and_lay_out();
    if (status == nt::Status::kSuccess) return exchange;
    call = std::move(exchange->call_);
    return nt::fail(status);
}

nt::Status Device::Exchange::check_and_lay_out() {
    const bool read_direct = request_.code == ioctl::kReadDirect;
    const std::size_t in_length = request_.in_length;
    if (in_length > kMaxInLength || call_.payload().size() != in_length) return nt::Status::kInvalidParameter;
    if (in_length < sizeof(fuse::InHeader)) return nt::Status::kInvalidParameter;
    std::memcpy(&header_, call_.payload().data(), sizeof(header_));
    if (header_.len != in_length) return nt::Status::kInvalidParameter;
    if (read_direct && header_.opcode != fuse::Opcode::kRead) return nt::Status::kInvalidParameter;

    const std::size_t offset = (in_length + kReplyAlignment - 1) / kReplyAlignment * kReplyAlignment;
    const std::size_t room =
        std::min(transport::kPayloadBytes - offset, connection_.channel().max_message_bytes());
    std::size_t wanted = request_.out_length;
    if (read_direct) {
        wanted += sizeof(fuse::OutHeader);
        // A payload that does not fit must not be cut short unnoticed.
        if (wanted > room) return nt::Status::kInvalidParameter;
    } else if (wanted != 0 && wanted < sizeof(fuse::OutHeader)) {
        return nt::Status::kBufferTooSmall;
    }

    reply_offset_ = static_cast<std::uint32_t>(offset);
    out_[0] = std::as_bytes(std::span(&header_, 1));
    out_[1] = call_.payload().subspan(sizeof(header_));
    out = std::span(out_).first(out_[1].empty() ? 1 : 2);
    in_[0] = call_.reply_payload().subspan(offset, std::min(wanted, room));
    in = std::span(in_).first(wanted == 0 ? 0 : 1);
    epoch = connection_.channel().epoch();
    return nt::Status::kSuccess;
}

void Device::Exchange::submit() {
    const auto self = shared_from_this();
    guest::Message* const message = this;
    connection_.channel().submit(std::span(&message, 1));
    // Whoever cancels sets its mark, then looks at the stage: one of the two sees the other.
    stage_.store(Stage::kSubmitted);
    if (cancelled_with_.load() != nt::Status::kSuccess) connection_.channel().cancel(*this);
}

void Device::Exchange::cancel(nt::Status why) noexcept {
    nt::Status none = nt::Status::kSuccess;
    cancelled_with_.compare_exchange_strong(none, why);
    if (stage_.load() == Stage::kSubmitted) connection_.channel().cancel(*this);
}

void Device::Exchange::refuse(nt::Status status) noexcept {
    const auto self = shared_from_this();
    device_.forget(*this);
    answer(std::move(call_), status);
}

nt::Status Device::Exchange::status_of(guest::ChannelError error) const {
    switch (error) {
        case guest::ChannelError::kLost:
            return nt::Status::kDeviceNotConnected;
        case guest::ChannelError::kCancelled: {
            const nt::Status why = cancelled_with_.load();
            return why != nt::Status::kSuccess ? why : nt::Status::kCancelled;
        }
        case guest::ChannelError::kRefused:
            return nt::Status::kInvalidParameter;
    }
    return nt::Status::kUnsuccessful;
}

nt::Status Device::Exchange::check_reply(std::uint32_t bytes) const {
    if (in.empty()) return bytes == 0 ? nt::Status::kSuccess : nt::Status::kDeviceProtocolError;
    fuse::OutHeader reply;
    if (bytes < sizeof(reply) || bytes > in_[0].size()) return nt::Status::kDeviceProtocolError;
    std::memcpy(&reply, in_[0].data(), sizeof(reply));
    const bool sound = reply.len == bytes && reply.unique == header_.unique;
    return sound ? nt::Status::kSuccess : nt::Status::kDeviceProtocolError;
}

void Device::Exchange::completed(guest::Outcome outcome) noexcept {
    const auto self = shared_from_this();
    device_.forget(*this);
    if (!outcome) return answer(std::move(call_), status_of(outcome.error()));
    if (const nt::Status status = check_reply(*outcome); status != nt::Status::kSuccess) {
        return answer(std::move(call_), status);
    }
    const bool read_direct = request_.code == ioctl::kReadDirect;
    const ReplyHead head = {.status = static_cast<std::uint32_t>(nt::Status::kSuccess),
                            .information = read_direct ? sizeof(ioctl::ReadDirect) : *outcome,
                            .payload_offset = reply_offset_};
    send(call_, head, *outcome == 0 ? 0 : reply_offset_ + *outcome);
}

}  // namespace lab::device_host
