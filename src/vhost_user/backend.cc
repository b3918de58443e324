#include "vhost_user/backend.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vhost_user {
namespace {

// What a front-end may split the guest's memory into, as QEMU's other back-ends offer it.
constexpr std::uint64_t kMaxMemSlots = 509;

constexpr std::uint32_t kLogFlag = 1;  // of VringAddress: of live migration, which is not offered

std::string name_of(Request request) {
    switch (request) {
        case Request::kGetFeatures:
            return "GET_FEATURES";
        case Request::kSetFeatures:
            return "SET_FEATURES";
        case Request::kSetOwner:
            return "SET_OWNER";
        case Request::kResetOwner:
            return "RESET_OWNER";
        case Request::kSetMemTable:
            return "SET_MEM_TABLE";
        case Request::kSetVringNum:
            return "SET_VRING_NUM";
        case Request::kSetVringAddr:
            return "SET_VRING_ADDR";
        case Request::kSetVringBase:
            return "SET_VRING_BASE";
        case Request::kGetVringBase:
            return "GET_VRING_BASE";
        case Request::kSetVringKick:
            return "SET_VRING_KICK";
        case Request::kSetVringCall:
            return "SET_VRING_CALL";
        case Request::kSetVringErr:
            return "SET_VRING_ERR";
        case Request::kGetProtocolFeatures:
            return "GET_PROTOCOL_FEATURES";
        case Request::kSetProtocolFeatures:
            return "SET_PROTOCOL_FEATURES";
        case Request::kGetQueueNum:
            return "GET_QUEUE_NUM";
        case Request::kSetVringEnable:
            return "SET_VRING_ENABLE";
        case Request::kSetBackendReqFd:
            return "SET_BACKEND_REQ_FD";
        case Request::kGetConfig:
            return "GET_CONFIG";
        case Request::kSetConfig:
            return "SET_CONFIG";
        case Request::kResetDevice:
            return "RESET_DEVICE";
        case Request::kGetMaxMemSlots:
            return "GET_MAX_MEM_SLOTS";
        case Request::kAddMemReg:
            return "ADD_MEM_REG";
        case Request::kRemMemReg:
            return "REM_MEM_REG";
        default:
            return "request " + std::to_string(static_cast<std::uint32_t>(request));
    }
}

std::unexpected<std::string> refuse(std::string why) {
    return std::unexpected(std::move(why));
}

template <typename T>
std::vector<std::byte> bytes_of(const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> number(std::uint64_t value) {
    return bytes_of(value);
}

// The payload if it is exactly a T, and `fds` descriptors came with it.
template <typename T>
Result<T> payload_as(const ReceivedMessage& message, std::size_t fds = 0) {
    if (message.payload.size() != sizeof(T) || message.fds.size() != fds) {
        return refuse("it has " + std::to_string(message.payload.size()) + " bytes and " +
                      std::to_string(message.fds.size()) + " descriptors, not " + std::to_string(sizeof(T)) +
                      " and " + std::to_string(fds));
    }
    T value;
    std::memcpy(&value, message.payload.data(), sizeof value);
    return value;
}

Result<void> no_payload(const ReceivedMessage& message, std::size_t fds = 0) {
    if (!message.payload.empty() || message.fds.size() != fds) {
        return refuse("it has a payload or descriptors that do not belong to it");
    }
    return {};
}

bool is_aligned(const std::byte* pointer, std::uintptr_t to) {
    return reinterpret_cast<std::uintptr_t>(pointer) % to == 0;
}

// Its flags are the front-end's as well, and stay as they are.
std::shared_ptr<const Fd> take_fd(Fd& fd) {
    return std::make_shared<const Fd>(std::move(fd));
}

}  // namespace

Backend::Backend(Device& device, BackendOptions options)
    : device_(device), options_(std::move(options)), rings_(options_.max_rings) {}

Backend::~Backend() {
    for (Ring& ring : rings_)
        stop(ring);
}

Handled Backend::handle(ReceivedMessage message) {
    const Request request = message.header.request;
    // Whether it is to be acknowledged was asked when it was sent: before a SET_PROTOCOL_FEATURES took
    // effect.
    const bool acknowledge = (protocol_features_ & protocol_feature::kReplyAck) != 0 &&
                             (message.header.flags & kNeedReplyFlag) != 0;
    if ((message.header.flags & kReplyFlag) != 0) {
        return {.error = "the front-end sent a reply (" + name_of(request) + ") where it has to ask"};
    }
    auto answered = answer(message);
    if (!answered) {
        Handled failed{.error = "vhost-user " + name_of(request) + " is refused: " + answered.error()};
        if (acknowledge) failed.reply = number(1);
        return failed;
    }
    if (!*answered && acknowledge) return {.reply = number(0)};
    return {.reply = std::move(*answered)};
}

// What has a reply of its own, and everything else.
Result<std::optional<std::vector<std::byte>>> Backend::answer(ReceivedMessage& message) {
    const auto only_number = [&](std::uint64_t value) -> Result<std::optional<std::vector<std::byte>>> {
        if (auto right = no_payload(message); !right) return std::unexpected(right.error());
        return number(value);
    };
    switch (message.header.request) {
        case Request::kGetFeatures:
            return only_number(virtio::feature::kVersion1 | virtio::feature::kRingEventIndex |
                               virtio::feature::kRingIndirectDescriptors | kProtocolFeaturesBit);
        case Request::kGetProtocolFeatures:
            return only_number(protocol_feature::kMultiqueue | protocol_feature::kReplyAck |
                               protocol_feature::kResetDevice | protocol_feature::kConfigureMemSlots |
                               (options_.config.empty() ? 0 : protocol_feature::kConfig));
        case Request::kGetQueueNum:
            return only_number(options_.max_rings);
        case Request::kGetMaxMemSlots:
            return only_number(kMaxMemSlots);
        case Request::kGetVringBase: {
            const auto state = payload_as<VringState>(message);
            if (!state) return std::unexpected(state.error());
            return get_vring_base(*state);
        }
        case Request::kGetConfig:
            return get_config(message);
        default: {
            auto obeyed = obey(message);
            if (!obeyed) return std::unexpected(obeyed.error());
            return std::optional<std::vector<std::byte>>{};
        }
    }
}

Result<void> Backend::obey(ReceivedMessage& message) {
    const Request request = message.header.request;
    switch (request) {
        case Request::kSetOwner:
            return no_payload(message);
        case Request::kResetOwner:
        case Request::kResetDevice:
            if (auto right = no_payload(message); !right) return right;
            reset();
            return {};
        case Request::kSetFeatures: {
            const auto features = payload_as<std::uint64_t>(message);
            if (!features) return refuse(features.error());
            return set_features(*features);
        }
        case Request::kSetProtocolFeatures: {
            const auto features = payload_as<std::uint64_t>(message);
            if (!features) return refuse(features.error());
            return set_protocol_features(*features);
        }
        case Request::kSetMemTable:
            return set_mem_table(message);
        case Request::kAddMemReg: {
            const auto added = payload_as<SingleMemoryRegion>(message, 1);
            if (!added) return refuse(added.error());
            const GuestMemory none;
            const GuestMemory& present = memory_ ? *memory_ : none;
            if (present.regions() >= kMaxMemSlots) return refuse("there are too many regions of memory");
            return change_memory(present.with(added->region, message.fds.front()));
        }
        case Request::kRemMemReg: {
            // Some front-ends send the region's descriptor along.
            const auto removed =
                payload_as<SingleMemoryRegion>(message, std::min<std::size_t>(message.fds.size(), 1));
            if (!removed) return refuse(removed.error());
            return change_memory((memory_ ? *memory_ : GuestMemory{}).without(removed->region));
        }
        case Request::kSetVringNum:
        case Request::kSetVringBase:
        case Request::kSetVringEnable: {
            const auto state = payload_as<VringState>(message);
            if (!state) return refuse(state.error());
            return set_vring_state(request, *state);
        }
        case Request::kSetVringAddr: {
            const auto address = payload_as<VringAddress>(message);
            if (!address) return refuse(address.error());
            return set_vring_addr(*address);
        }
        case Request::kSetVringKick:
        case Request::kSetVringCall:
        case Request::kSetVringErr:
            return set_vring_fd(message);
        case Request::kSetBackendReqFd:
            return no_payload(message, 1);  // nothing is ever asked of the front-end
        case Request::kSetConfig:
            return refuse("nothing in the configuration space can be changed");
        default:
            return refuse("this back-end does not know it");
    }
}

Result<void> Backend::set_features(std::uint64_t features) {
    constexpr std::uint64_t kOffered = virtio::feature::kVersion1 | virtio::feature::kRingEventIndex |
                                       virtio::feature::kRingIndirectDescriptors | kProtocolFeaturesBit;
    if ((features & ~kOffered) != 0) return refuse("it names features that were not offered");
    if (features != features_ && any_runs()) return refuse("features cannot change while a ring runs");
    features_ = features;
    return {};
}

Result<void> Backend::set_protocol_features(std::uint64_t features) {
    constexpr std::uint64_t kOffered = protocol_feature::kMultiqueue | protocol_feature::kReplyAck |
                                       protocol_feature::kResetDevice | protocol_feature::kConfigureMemSlots |
                                       protocol_feature::kConfig;
    if ((features & ~kOffered) != 0 ||
        (options_.config.empty() && (features & protocol_feature::kConfig) != 0)) {
        return refuse("it names features that were not offered");
    }
    protocol_features_ = features;
    return {};
}

Result<void> Backend::set_mem_table(ReceivedMessage& message) {
    constexpr std::size_t kHead = offsetof(MemoryTable, regions);
    MemoryTable table;
    const std::size_t bytes = message.payload.size();
    if (bytes < kHead || bytes > sizeof table) return refuse("its payload is no table");
    std::memcpy(&table, message.payload.data(), bytes);
    if (table.count > kMaxRegions || bytes != kHead + sizeof(MemoryRegion) * table.count) {
        return refuse("its payload has another length than its number of regions says");
    }
    return change_memory(GuestMemory::map(std::span(table.regions).first(table.count), message.fds));
}

// Rings whose memory is still there go on in the new one. One whose memory is not waits for the next change:
// front-ends replace a region by taking it away and adding another.
Result<void> Backend::change_memory(Result<GuestMemory::Pointer> memory) {
    if (!memory) return refuse(memory.error());
    memory_ = std::move(*memory);
    for (Ring& ring : rings_) {
        const bool here = parts_of(ring).has_value();
        if (ring.running && here) {
            device_.move_ring(index_of(ring), *parts_of(ring), memory_);
        } else if (ring.running) {
            stop(ring);
        } else if (here && wanted(ring)) {
            if (auto started = start(ring); !started) return started;
        }
    }
    return {};
}

Result<void> Backend::set_vring_state(Request request, const VringState& state) {
    const auto found = ring(state.index);
    if (!found) return refuse(found.error());
    Ring& ring = **found;
    if (request == Request::kSetVringEnable) {
        if ((features_ & kProtocolFeaturesBit) == 0) return refuse("protocol features were not agreed on");
        if (state.value > 1) return refuse("it is neither on nor off");
        ring.enabled = state.value == 1;
        if (!ring.enabled) stop(ring);
        return ring.running || !wanted(ring) ? Result<void>{} : start(ring);
    }
    if (ring.running) return refuse("the ring runs");
    if (request == Request::kSetVringNum) {
        if (!virtio::is_queue_size(state.value) || state.value > options_.max_ring_size) {
            return refuse("a ring has " + std::to_string(options_.max_ring_size) +
                          " entries at most, and a power of two");
        }
        ring.size = state.value;
        return {};
    }
    if (state.value > 0xffff) return refuse("the index has more than 16 bits");
    ring.next_available = static_cast<std::uint16_t>(state.value);
    return {};
}

Result<void> Backend::set_vring_addr(const VringAddress& address) {
    const auto found = ring(address.index);
    if (!found) return refuse(found.error());
    if ((*found)->running) return refuse("the ring runs");
    if ((address.flags & kLogFlag) != 0) return refuse("a log of what is written was not offered");
    (*found)->address = address;
    return {};
}

Result<void> Backend::set_vring_fd(ReceivedMessage& message) {
    const auto named = payload_as<std::uint64_t>(message, message.fds.size());
    if (!named) return refuse(named.error());
    const auto found = ring(*named & kVringIndexMask);
    if (!found) return refuse(found.error());
    if (message.fds.size() != ((*named & kVringNoFd) != 0 ? 0 : 1)) {
        return refuse("it has another number of descriptors than it says");
    }
    Ring& ring = **found;
    std::shared_ptr<const Fd> fd = message.fds.empty() ? nullptr : take_fd(message.fds.front());
    switch (message.header.request) {
        case Request::kSetVringCall:
            ring.call = std::move(fd);
            if (ring.running) device_.set_call(index_of(ring), ring.call);
            return {};
        case Request::kSetVringErr:
            ring.error = std::move(fd);  // for the next start
            return {};
        default:
            if (fd == nullptr) return refuse("rings without a kick descriptor were not offered");
            stop(ring);
            ring.kick = std::move(fd);
            return wanted(ring) ? start(ring) : Result<void>{};
    }
}

Result<std::vector<std::byte>> Backend::get_vring_base(const VringState& state) {
    const auto found = ring(state.index);
    if (!found) return refuse(found.error());
    Ring& ring = **found;
    stop(ring);
    ring.kick.reset();
    return bytes_of(VringState{.index = state.index, .value = ring.next_available});
}

Result<std::vector<std::byte>> Backend::get_config(const ReceivedMessage& message) const {
    ConfigHeader header;
    if ((protocol_features_ & protocol_feature::kConfig) == 0) return refuse("it was not agreed on");
    if (message.payload.size() < sizeof header || !message.fds.empty())
        return refuse("its payload is too short");
    std::memcpy(&header, message.payload.data(), sizeof header);
    if (message.payload.size() != sizeof header + std::uint64_t{header.bytes} ||
        header.bytes > kMaxConfigBytes) {
        return refuse("its payload has another length than it says");
    }
    // An answer without payload says that there is no such range.
    if (header.offset > options_.config.size() || header.bytes > options_.config.size() - header.offset) {
        return std::vector<std::byte>{};
    }
    std::vector<std::byte> reply = bytes_of(header);
    const auto part = std::span(options_.config).subspan(header.offset, header.bytes);
    reply.insert(reply.end(), part.begin(), part.end());
    return reply;
}

Result<Backend::Ring*> Backend::ring(std::uint64_t index) {
    if (index >= rings_.size()) {
        return refuse("there is no ring " + std::to_string(index) + ", there are " +
                      std::to_string(rings_.size()));
    }
    return &rings_[index];
}

std::uint32_t Backend::index_of(const Ring& ring) const {
    return static_cast<std::uint32_t>(&ring - rings_.data());
}

// Whether it is to run. Without protocol features there is no enabling.
bool Backend::wanted(const Ring& ring) const {
    return ring.kick != nullptr && (ring.enabled || (features_ & kProtocolFeaturesBit) == 0);
}

// Where the ring lies here; nullopt if it was not told or lies outside memory, or not as a ring may.
std::optional<virtio::SplitRing> Backend::parts_of(const Ring& ring) const {
    if (memory_ == nullptr || ring.size == 0 || !ring.address) return std::nullopt;
    const std::uint64_t size = ring.size;
    std::byte* const descriptors =
        memory_->at_user_address(ring.address->descriptors, sizeof(virtio::Descriptor) * size);
    std::byte* const available = memory_->at_user_address(ring.address->available, 6 + 2 * size);
    std::byte* const used =
        memory_->at_user_address(ring.address->used, 6 + sizeof(virtio::UsedElement) * size);
    if (descriptors == nullptr || available == nullptr || used == nullptr) return std::nullopt;
    if (!is_aligned(descriptors, 16) || !is_aligned(available, 2) || !is_aligned(used, 4))
        return std::nullopt;
    return virtio::SplitRing(descriptors, available, used, static_cast<std::uint16_t>(size));
}

Result<void> Backend::start(Ring& ring) {
    if (ring.size == 0 || !ring.address) return refuse("the ring's size or address was not told");
    if (memory_ == nullptr) return refuse("the guest's memory was not told");
    const auto parts = parts_of(ring);
    if (!parts) return refuse("the ring does not lie in the guest's memory, or not as a ring may");
    // A ring that begins elsewhere than it ended is one that the guest's driver has made anew.
    if (ring.stopped_at && *ring.stopped_at != ring.next_available) {
        if (auto over = start_over(); !over) return over;
    }
    auto started = device_.start_ring(index_of(ring),
                                      {.parts = *parts,
                                       .event_index = (features_ & virtio::feature::kRingEventIndex) != 0,
                                       .next_available = ring.next_available,
                                       .memory = memory_,
                                       .kick = ring.kick,
                                       .call = ring.call,
                                       .error = ring.error});
    ring.running = started.has_value();
    return started;
}

void Backend::stop(Ring& ring) {
    if (!ring.running) return;
    ring.running = false;
    ring.next_available = device_.stop_ring(index_of(ring));
    ring.stopped_at = ring.next_available;
}

// Resets the device on behalf of rings that were started already.
Result<void> Backend::start_over() {
    std::vector<Ring*> running;
    for (Ring& ring : rings_) {
        if (ring.running) running.push_back(&ring);
        stop(ring);
    }
    device_.reset();
    for (Ring& ring : rings_)
        ring.stopped_at.reset();
    for (Ring* const ring : running) {
        if (auto started = start(*ring); !started) return started;
    }
    return {};
}

void Backend::reset() {
    for (Ring& ring : rings_) {
        stop(ring);
        ring.kick.reset();
        ring.enabled = false;
        ring.stopped_at.reset();
    }
    device_.reset();
}

bool Backend::any_runs() const {
    return std::ranges::any_of(rings_, &Ring::running);
}

}  // namespace vhost_user
