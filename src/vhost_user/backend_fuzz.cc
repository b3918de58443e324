// The back-end against a front-end whose messages, descriptors and shared memory come from the input: no
// crash, no ring outside memory, no descriptor left behind.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>

#include "vhost_user/backend.h"
#include "vhost_user/event_fd.h"
#include "virtio/device_queue.h"

namespace {

using namespace vhost_user;

constexpr std::uint32_t kRings = 3;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kFileBytes = 8 * kPage;
constexpr std::uint64_t kGuestBase = 0x10'0000;
constexpr std::uint64_t kUserBase = 0x20'0000;

void require(bool holds) {
    if (!holds) std::abort();
}

// The lowest free descriptor: the same before and after if none was leaked.
int next_free_fd() {
    const int fd = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
    require(fd >= 0);
    ::close(fd);
    return fd;
}

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : bytes_(std::as_bytes(std::span(data, size))) {}
    bool empty() const { return bytes_.empty(); }
    std::uint8_t byte() {
        if (empty()) return 0;
        const auto first = static_cast<std::uint8_t>(bytes_.front());
        bytes_ = bytes_.subspan(1);
        return first;
    }
    std::span<const std::byte> take(std::size_t count) {
        const auto part = bytes_.first(std::min(count, bytes_.size()));
        bytes_ = bytes_.subspan(part.size());
        return part;
    }

  private:
    std::span<const std::byte> bytes_;
};

// Uses every ring as soon as it has it.
class TouchingDevice final : public Device {
  public:
    Result<void> start_ring(std::uint32_t index, const StartedRing& ring) override {
        require(index < kRings && !running_.contains(index) && ring.memory != nullptr &&
                ring.kick != nullptr);
        auto& started = running_[index];
        started = ring;
        touch(started);
        return {};
    }
    std::uint16_t stop_ring(std::uint32_t index) override {
        auto& ring = running_.at(index);
        touch(ring);
        const std::uint16_t next = ring.next_available;
        running_.erase(index);
        return next;
    }
    void move_ring(std::uint32_t index, const virtio::SplitRing& parts,
                   GuestMemory::Pointer memory) override {
        auto& ring = running_.at(index);
        ring.parts = parts;
        ring.memory = std::move(memory);
        touch(ring);
    }
    void set_call(std::uint32_t index, std::shared_ptr<const Fd> call) override {
        running_.at(index).call = std::move(call);
    }
    void reset() override { require(running_.empty()); }
    bool idle() const { return running_.empty(); }

  private:
    static void touch(StartedRing& ring) {
        virtio::DeviceQueue queue(ring.parts, ring.event_index, ring.next_available);
        std::array<virtio::Segment, 8> room;
        for (int i = 0; i < 4; ++i) {
            const auto chain =
                queue.pop([&](std::uint64_t address,
                              std::uint32_t length) { return ring.memory->translate(address, length); },
                          room);
            if (!chain || !*chain) break;
            for (const virtio::Segment segment : (*chain)->writable)
                segment.back() = segment.front();
            queue.push_used((*chain)->head, 1);
        }
        queue.publish();
        (void)queue.needs_interrupt();
        queue.suppress_kicks();
        (void)queue.enable_kicks();
        ring.next_available = queue.next_available();
    }

    std::map<std::uint32_t, StartedRing> running_;
};

template <typename T>
void append(std::vector<std::byte>& to, const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    to.insert(to.end(), bytes.begin(), bytes.end());
}

MemoryRegion region(Input& input) {
    const std::uint64_t page = input.byte() % 8;
    MemoryRegion made{.guest_address = kGuestBase + page * kPage,
                      .bytes = (input.byte() % 9) * kPage,
                      .user_address = kUserBase + page * kPage,
                      .file_offset = (input.byte() % 8) * kPage};
    switch (input.byte()) {
        case 1:
            made.bytes = ~std::uint64_t{0} - input.byte();
            break;
        case 2:
            made.guest_address = ~std::uint64_t{0} - input.byte();
            break;
        case 3:
            made.file_offset += input.byte();
            break;
        case 4:
            made.user_address += input.byte();
            break;
        default:
            break;
    }
    return made;
}

// A payload that makes sense for the request, or nearly.
std::vector<std::byte> payload_for(Request request, Input& input) {
    std::vector<std::byte> bytes;
    switch (request) {
        case Request::kSetFeatures: {
            std::uint64_t features = virtio::feature::kVersion1;
            const std::uint8_t chosen = input.byte();
            if ((chosen & 1) != 0) features |= kProtocolFeaturesBit;
            if ((chosen & 2) != 0) features |= virtio::feature::kRingEventIndex;
            append(bytes, features);
            break;
        }
        case Request::kSetProtocolFeatures:
            append(bytes, std::uint64_t{0x8fffU} & (std::uint64_t{input.byte()} << 8 | input.byte()));
            break;
        case Request::kSetMemTable: {
            const std::uint32_t count = input.byte() % 10;
            append(bytes, std::uint64_t{count});
            for (std::uint32_t i = 0; i < count; ++i)
                append(bytes, region(input));
            break;
        }
        case Request::kAddMemReg:
        case Request::kRemMemReg:
            append(bytes, SingleMemoryRegion{.region = region(input)});
            break;
        case Request::kSetVringNum:
            append(bytes, VringState{input.byte() % 4U, 1U << (input.byte() % 8)});
            break;
        case Request::kSetVringBase:
        case Request::kSetVringEnable:
        case Request::kGetVringBase:
            append(bytes, VringState{input.byte() % 4U, input.byte() % 2U});
            break;
        case Request::kSetVringAddr:
            append(bytes, VringAddress{.index = input.byte() % 4U,
                                       .descriptors = kUserBase + 16U * input.byte(),
                                       .used = kUserBase + 32U * input.byte(),
                                       .available = kUserBase + 128U * input.byte()});
            break;
        case Request::kSetVringKick:
        case Request::kSetVringCall:
        case Request::kSetVringErr: {
            const std::uint8_t chosen = input.byte();
            append(bytes, std::uint64_t{chosen % 4U} | (chosen > 200 ? kVringNoFd : 0));
            break;
        }
        case Request::kGetConfig: {
            const ConfigHeader header{.offset = input.byte() % 64U, .bytes = input.byte() % 64U};
            append(bytes, header);
            bytes.resize(bytes.size() + header.bytes);
            break;
        }
        default:
            break;
    }
    return bytes;
}

std::size_t fds_for(Request request, std::span<const std::byte> payload) {
    switch (request) {
        case Request::kSetMemTable:
            return payload.empty() ? 0 : static_cast<std::size_t>(payload.front());
        case Request::kAddMemReg:
        case Request::kSetBackendReqFd:
            return 1;
        case Request::kSetVringKick:
        case Request::kSetVringCall:
        case Request::kSetVringErr:
            return payload.size() > 1 && payload[1] != std::byte{0} ? 0 : 1;
        default:
            return 0;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const int before = next_free_fd();
    {
        Input input(data, size);
        const Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
        require(::ftruncate(file.get(), kFileBytes) == 0);
        // Its beginning is the input's, so that rings there are not empty.
        const auto content = input.take(input.byte() % 4 * 256);
        require(::pwrite(file.get(), content.data(), content.size(), 0) ==
                static_cast<ssize_t>(content.size()));
        const EventFd event;
        std::array<int, 2> ends{};
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        const Fd front(ends[0]);
        const Fd back(ends[1]);
        TouchingDevice device;
        {
            Backend backend(
                device, {.max_rings = kRings, .max_ring_size = 64, .config = std::vector(40, std::byte{1})});
            while (!input.empty()) {
                const std::uint8_t kind = input.byte();
                const auto request = Request{input.byte() % 44U};
                std::vector<std::byte> payload;
                if (kind % 8 == 7) {
                    const auto raw = input.take(input.byte());
                    payload.assign(raw.begin(), raw.end());
                } else {
                    payload = payload_for(request, input);
                }
                std::vector<int> fds(
                    std::min(kMaxFds, kind % 8 == 6 ? input.byte() % 9U : fds_for(request, payload)),
                    request == Request::kSetMemTable || request == Request::kAddMemReg ? file.get()
                                                                                       : event.get());
                // Now and then a descriptor of another kind.
                if (kind >= 0xF0 && !fds.empty()) fds.back() = front.get();
                const std::uint32_t flags = kind % 3 == 0 ? kNeedReplyFlag : 0;
                require(
                    send_message(front.get(), request, flags, payload, fds, within(std::chrono::seconds(2)))
                        .has_value());
                auto received =
                    receive_message(back.get(), kMaxPayloadBytes, within(std::chrono::seconds(2)));
                require(received.has_value());
                const Handled handled = backend.handle(std::move(*received));
                if (handled.reply) require(handled.reply->size() <= kMaxPayloadBytes);
                // A server would close the connection; more of the back-end is seen by going on.
                if (!handled.error.empty() && kind % 2 == 0) break;
            }
            if (size % 2 == 0) backend.reset();
        }
        require(device.idle());
    }
    require(next_free_fd() == before);
    return 0;
}
