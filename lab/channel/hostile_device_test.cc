// The channel against a back-end that this test plays itself: one that serves its rings badly.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <functional>
#include <thread>

#include "lab/channel/vhost_user_channel.h"
#include "lab/channel/waiting_message.h"
#include "virtio/device_queue.h"

namespace lab {
namespace {

using namespace std::chrono_literals;
using vhost_user::Request;

// Negotiates decently, maps the guest's memory, waits for the first kick of the request queue, lets
// `misbehave` have the ring, and signals it.
class BadDevice {
  public:
    struct Ring {
        virtio::SplitRing ring;
        std::uint16_t head = 0;
        std::function<virtio::Segment(std::uint64_t, std::uint32_t)> translate;
    };
    explicit BadDevice(std::function<void(Ring&)> misbehave) : misbehave_(std::move(misbehave)) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        front_ = vhost_user::Fd(ends[0]);
        back_ = vhost_user::Fd(ends[1]);
        thread_ = std::thread([this] { serve(); });
    }
    ~BadDevice() {
        front_.reset();
        thread_.join();
        if (memory_ != nullptr) ::munmap(memory_, region_.bytes);
    }
    vhost_user::Fd take_front() { return std::move(front_); }

  private:
    static constexpr std::uint32_t kRequestQueue = 1;

    void number(Request request, std::uint64_t value) {
        (void)vhost_user::send_message(back_.get(), request, vhost_user::kReplyFlag,
                                       std::as_bytes(std::span(&value, 1)), {}, vhost_user::within(5s));
    }

    void serve() {
        vhost_user::VringAddress address;
        std::uint32_t size = 0;
        for (;;) {
            // Either the front-end speaks or, once the queue runs, it kicks.
            std::array<pollfd, 2> entries{pollfd{.fd = back_.get(), .events = POLLIN, .revents = 0},
                                          pollfd{.fd = kick_.get(), .events = POLLIN, .revents = 0}};
            ::poll(entries.data(), 2, -1);
            if (entries[1].revents != 0) {
                act(address, size);
                kick_.reset();
                continue;
            }
            auto message = vhost_user::receive_message(back_.get(), 4096, vhost_user::within(10s));
            if (!message) break;
            const Request request = message->header.request;
            std::uint32_t index = 0;
            if (message->payload.size() >= 4) std::memcpy(&index, message->payload.data(), 4);
            switch (request) {
                case Request::kGetFeatures:
                    number(request, virtio::feature::kVersion1 | vhost_user::kProtocolFeaturesBit);
                    continue;
                case Request::kGetProtocolFeatures:
                    number(request, vhost_user::protocol_feature::kReplyAck);
                    continue;
                case Request::kSetMemTable:
                    std::memcpy(&region_, message->payload.data() + 8, sizeof region_);
                    memory_ = ::mmap(nullptr, region_.bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                                     message->fds.at(0).get(), 0);
                    EXPECT_NE(memory_, MAP_FAILED);
                    break;
                case Request::kSetVringNum:
                    if (index == kRequestQueue) std::memcpy(&size, message->payload.data() + 4, 4);
                    break;
                case Request::kSetVringAddr:
                    if (index == kRequestQueue)
                        std::memcpy(&address, message->payload.data(), sizeof address);
                    break;
                case Request::kSetVringKick:
                    if (index == kRequestQueue) kick_ = std::move(message->fds.at(0));
                    break;
                case Request::kSetVringCall:
                    if (index == kRequestQueue) call_ = std::move(message->fds.at(0));
                    break;
                default:
                    break;
            }
            if ((message->header.flags & vhost_user::kNeedReplyFlag) != 0) number(request, 0);
        }
        back_.reset();
    }

    void act(const vhost_user::VringAddress& address, std::uint32_t size) {
        auto* const base = static_cast<std::byte*>(memory_);
        const auto at = [&](std::uint64_t user) { return base + (user - region_.user_address); };
        Ring ring{.ring = virtio::SplitRing(at(address.descriptors), at(address.available), at(address.used),
                                            static_cast<std::uint16_t>(size)),
                  .head = 0,
                  .translate = [&](std::uint64_t guest, std::uint32_t length) {
                      return virtio::Segment(base + (guest - region_.guest_address), length);
                  }};
        ring.head = __atomic_load_n(ring.ring.available_entry(0), __ATOMIC_ACQUIRE);
        misbehave_(ring);
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(call_.get(), &one, sizeof one), 8);
    }

    std::function<void(Ring&)> misbehave_;
    vhost_user::Fd front_, back_, kick_, call_;
    vhost_user::MemoryRegion region_;
    void* memory_ = nullptr;
    std::thread thread_;
};

// A device that completes the first request with this id and length, `used` entries ahead.
void use(BadDevice::Ring& ring, std::uint32_t id, std::uint32_t length, std::uint16_t used = 1) {
    *ring.ring.used_entry(0) = {.id = id, .length = length};
    virtio::store_release(ring.ring.used_index(), used);
}

class HostileDevice
    : public testing::TestWithParam<std::pair<const char*, std::function<void(BadDevice::Ring&)>>> {};

INSTANTIATE_TEST_SUITE_P(
    Faults, HostileDevice,
    testing::Values(std::pair{"LengthBeyondTheBuffer", std::function<void(BadDevice::Ring&)>([](auto& ring) {
                                  use(ring, ring.head, 16 + 80 + 1);
                              })},
                    std::pair{"UnknownId", std::function<void(BadDevice::Ring&)>([](auto& ring) {
                                  use(ring, ring.head + 7U, 16);
                              })},
                    std::pair{"IdBeyondTheTable", std::function<void(BadDevice::Ring&)>([](auto& ring) {
                                  use(ring, 0xffffffff, 16);
                              })},
                    std::pair{"IndexRunsAhead", std::function<void(BadDevice::Ring&)>([](auto& ring) {
                                  use(ring, ring.head, 16, 1000);
                              })}),
    [](const auto& tested) { return std::string(tested.param.first); });

TEST_P(HostileDevice, EndsTheChannelAndNothingElse) {
    BadDevice device(GetParam().second);
    auto channel = VhostUserChannel::over(device.take_front());
    ASSERT_TRUE(channel) << channel.error();
    fuse::Request<> request({.opcode = fuse::Opcode::kStatfs, .unique = 2});
    WaitingMessage message(**channel, request, sizeof(fuse::StatfsOut));
    message.submit(**channel);
    const auto outcome = message.wait();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error(), guest::ChannelError::kLost);
    EXPECT_EQ((*channel)->loss_reason(), "the device broke the virtqueue protocol");
    channel->reset();
    EXPECT_EQ(message.completions(), 1);
}

TEST(DecentDevice, OfTheSameMaking_IsServed) {
    BadDevice device([](BadDevice::Ring& ring) {
        virtio::DeviceQueue queue(ring.ring);
        std::array<virtio::Segment, 8> room;
        const auto chain = queue.pop(ring.translate, room);
        ASSERT_TRUE(chain && *chain);
        const fuse::OutHeader header{.len = 16, .error = -5, .unique = 2};
        std::memcpy((*chain)->writable[0].data(), &header, sizeof header);
        queue.push_used((*chain)->head, sizeof header);
        queue.publish();
    });
    auto channel = VhostUserChannel::over(device.take_front());
    ASSERT_TRUE(channel) << channel.error();
    fuse::Request<> request({.opcode = fuse::Opcode::kStatfs, .unique = 2});
    WaitingMessage message(**channel, request, sizeof(fuse::StatfsOut));
    message.submit(**channel);
    const auto outcome = message.wait();
    ASSERT_TRUE(outcome && *outcome);
    EXPECT_EQ(message.reply()->error, fuse::Errno::kEIO);
}

}  // namespace
}  // namespace lab
