#include "vhost_user/frontend.h"

#include <array>
#include <cstring>

#include "virtio/split_ring.h"

namespace vhost_user {
namespace {

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

std::string name_of(Request request) {
    return "vhost-user request " + std::to_string(static_cast<std::uint32_t>(request));
}

std::unexpected<std::string> fail(Request request, const std::string& why) {
    return std::unexpected(name_of(request) + " failed: " + why);
}

}  // namespace

Result<ReceivedMessage> FrontEnd::receive_reply(Request request, std::size_t reply_bytes, Deadline deadline) {
    auto reply = receive_message(socket_.get(), reply_bytes, deadline);
    if (!reply) return fail(request, reply.error());
    if (reply->header.request != request || (reply->header.flags & kReplyFlag) == 0) {
        return fail(request, "the back-end answered something else (" + name_of(reply->header.request) + ")");
    }
    if (!reply->fds.empty()) return fail(request, "the back-end's answer carries descriptors");
    if (reply->payload.size() != reply_bytes) {
        return fail(request, "the back-end's answer has " + std::to_string(reply->payload.size()) +
                                 " bytes, not " + std::to_string(reply_bytes));
    }
    return reply;
}

// A request without an answer of its own; acknowledged if that was agreed on.
Result<void> FrontEnd::tell(Request request, std::span<const std::byte> payload, std::span<const int> fds) {
    const Deadline deadline = within(options_.timeout);
    const bool acknowledged = (protocol_features_ & protocol_feature::kReplyAck) != 0;
    const auto sent =
        send_message(socket_.get(), request, acknowledged ? kNeedReplyFlag : 0, payload, fds, deadline);
    if (!sent) return fail(request, sent.error());
    if (!acknowledged) return {};
    const auto reply = receive_reply(request, sizeof(std::uint64_t), deadline);
    if (!reply) return std::unexpected(reply.error());
    std::uint64_t status = 0;
    std::memcpy(&status, reply->payload.data(), sizeof status);
    if (status != 0) return fail(request, "the back-end refused it");
    return {};
}

Result<std::vector<std::byte>> FrontEnd::ask(Request request, std::span<const std::byte> payload,
                                             std::size_t reply_bytes) {
    const Deadline deadline = within(options_.timeout);
    const auto sent = send_message(socket_.get(), request, 0, payload, {}, deadline);
    if (!sent) return fail(request, sent.error());
    auto reply = receive_reply(request, reply_bytes, deadline);
    if (!reply) return std::unexpected(reply.error());
    return std::move(reply->payload);
}

Result<std::uint64_t> FrontEnd::ask_number(Request request) {
    const auto reply = ask(request, {}, sizeof(std::uint64_t));
    if (!reply) return std::unexpected(reply.error());
    std::uint64_t number = 0;
    std::memcpy(&number, reply->data(), sizeof number);
    return number;
}

Result<FrontEnd> FrontEnd::negotiate(Fd socket, const Options& options) {
    FrontEnd front(std::move(socket), options);
    if (auto told = front.tell(Request::kSetOwner, {}); !told) return std::unexpected(told.error());
    const auto offered = front.ask_number(Request::kGetFeatures);
    if (!offered) return std::unexpected(offered.error());
    if ((*offered & virtio::feature::kVersion1) == 0) {
        return fail(Request::kGetFeatures, "the back-end does not speak virtio 1");
    }
    front.features_ =
        *offered & (options.wanted_features | virtio::feature::kVersion1 | kProtocolFeaturesBit);

    if ((*offered & kProtocolFeaturesBit) != 0) {
        const auto protocol = front.ask_number(Request::kGetProtocolFeatures);
        if (!protocol) return std::unexpected(protocol.error());
        const std::uint64_t agreed = *protocol & (protocol_feature::kMultiqueue |
                                                  protocol_feature::kReplyAck | protocol_feature::kConfig);
        if (auto told = front.tell(Request::kSetProtocolFeatures, bytes_of(agreed)); !told) {
            return std::unexpected(told.error());
        }
        front.protocol_features_ = agreed;
        if ((agreed & protocol_feature::kMultiqueue) != 0) {
            const auto rings = front.ask_number(Request::kGetQueueNum);
            if (!rings) return std::unexpected(rings.error());
            if (*rings == 0 || *rings > 0x8000)
                return fail(Request::kGetQueueNum, "no sensible number of rings");
            front.max_rings_ = static_cast<std::uint32_t>(*rings);
        }
    }
    if (auto told = front.tell(Request::kSetFeatures, bytes_of(front.features_)); !told) {
        return std::unexpected(told.error());
    }
    return front;
}

Result<void> FrontEnd::set_memory(std::span<const Region> regions) {
    if (regions.empty() || regions.size() > kMaxRegions) {
        return fail(Request::kSetMemTable, "it takes 1 to 8 regions");
    }
    MemoryTable table;
    table.count = static_cast<std::uint32_t>(regions.size());
    std::array<int, kMaxRegions> fds{};
    for (std::size_t i = 0; i < regions.size(); ++i) {
        table.regions[i] = regions[i].place;
        fds[i] = regions[i].fd;
    }
    const std::size_t bytes = offsetof(MemoryTable, regions) + sizeof(MemoryRegion) * regions.size();
    return tell(Request::kSetMemTable, bytes_of(table).first(bytes), std::span(fds).first(regions.size()));
}

Result<void> FrontEnd::start_ring(const Ring& ring) {
    const VringState size{.index = ring.index, .value = ring.size};
    const VringState base{.index = ring.index, .value = ring.base};
    const VringAddress address{.index = ring.index,
                               .flags = 0,
                               .descriptors = ring.descriptors,
                               .used = ring.used,
                               .available = ring.available,
                               .log = 0};
    const std::uint64_t index = ring.index;
    const VringState enable{.index = ring.index, .value = 1};
    Result<void> told = tell(Request::kSetVringNum, bytes_of(size));
    if (told) told = tell(Request::kSetVringBase, bytes_of(base));
    if (told) told = tell(Request::kSetVringAddr, bytes_of(address));
    if (told) told = tell(Request::kSetVringCall, bytes_of(index), std::span(&ring.call, 1));
    if (told) told = tell(Request::kSetVringKick, bytes_of(index), std::span(&ring.kick, 1));
    // Without protocol features a ring runs as soon as it has its kick descriptor.
    if (told && (features_ & kProtocolFeaturesBit) != 0)
        told = tell(Request::kSetVringEnable, bytes_of(enable));
    return told;
}

Result<std::uint16_t> FrontEnd::stop_ring(std::uint32_t index) {
    const VringState state{.index = index};
    const auto reply = ask(Request::kGetVringBase, bytes_of(state), sizeof(VringState));
    if (!reply) return std::unexpected(reply.error());
    VringState stopped;
    std::memcpy(&stopped, reply->data(), sizeof stopped);
    if (stopped.index != index || stopped.value > 0xffff) {
        return fail(Request::kGetVringBase, "the back-end answered for another ring");
    }
    return static_cast<std::uint16_t>(stopped.value);
}

Result<std::vector<std::byte>> FrontEnd::get_config(std::uint32_t offset, std::uint32_t bytes) {
    if ((protocol_features_ & protocol_feature::kConfig) == 0) {
        return fail(Request::kGetConfig, "the back-end does not offer it");
    }
    if (bytes == 0 || bytes > kMaxConfigBytes) return fail(Request::kGetConfig, "it takes 1 to 256 bytes");
    std::array<std::byte, sizeof(ConfigHeader) + kMaxConfigBytes> payload{};
    const ConfigHeader header{.offset = offset, .bytes = bytes};
    std::memcpy(payload.data(), &header, sizeof header);
    const std::size_t total = sizeof header + bytes;
    auto reply = ask(Request::kGetConfig, std::span(payload).first(total), total);
    if (!reply) return std::unexpected(reply.error());
    ConfigHeader answered;
    std::memcpy(&answered, reply->data(), sizeof answered);
    if (answered.offset != offset || answered.bytes != bytes) {
        return fail(Request::kGetConfig, "the back-end answered for another range");
    }
    reply->erase(reply->begin(), reply->begin() + sizeof header);
    return std::move(*reply);
}

}  // namespace vhost_user
