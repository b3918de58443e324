// The front-end against scripted back-ends, decent and hostile, on a socket pair.
#include "vhost_user/frontend.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <functional>
#include <thread>

#include "virtio/split_ring.h"

namespace vhost_user {
namespace {

using namespace std::chrono_literals;

template <typename T>
std::vector<std::byte> bytes_of(const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    return {bytes.begin(), bytes.end()};
}
std::vector<std::byte> number(std::uint64_t value) {
    return bytes_of(value);
}

// Serves one end of a socket pair on a thread of its own until the other end is closed. `answer` may return
// false to say that it dealt with the message itself.
class BackEnd {
  public:
    using Answer = std::function<bool(int socket, const ReceivedMessage&)>;

    explicit BackEnd(Answer answer) : answer_(std::move(answer)) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        front_ = Fd(ends[0]);
        back_ = Fd(ends[1]);
        thread_ = std::thread([this] { serve(); });
    }
    ~BackEnd() {
        front_.reset();
        thread_.join();
    }
    Fd take_front() { return std::move(front_); }

    std::vector<ReceivedMessage> seen;  // after the front-end is gone and wait() returned
    void wait() {
        front_.reset();
        thread_.join();
        thread_ = std::thread([] {});
    }

    static void reply(int socket, Request request, std::span<const std::byte> payload) {
        (void)send_message(socket, request, kReplyFlag, payload, {}, within(2s));
    }

  private:
    void serve() {
        for (;;) {
            auto message = receive_message(back_.get(), kMaxPayloadBytes, within(10s));
            if (!message) break;
            const bool handled = answer_ && answer_(back_.get(), *message);
            if (!handled) decent(*message);
            seen.push_back(std::move(*message));
        }
        back_.reset();
    }
    void decent(const ReceivedMessage& message) {
        const Request request = message.header.request;
        switch (request) {
            case Request::kGetFeatures:
                return reply(back_.get(), request,
                             number(virtio::feature::kVersion1 | virtio::feature::kRingEventIndex |
                                    kProtocolFeaturesBit));
            case Request::kGetProtocolFeatures:
                return reply(back_.get(), request, number(~0ULL));
            case Request::kGetQueueNum:
                return reply(back_.get(), request, number(2));
            case Request::kGetVringBase:
            case Request::kGetConfig:
                return reply(back_.get(), request, message.payload);
            default:
                if ((message.header.flags & kNeedReplyFlag) != 0) reply(back_.get(), request, number(0));
        }
    }

    Answer answer_;
    Fd front_;
    Fd back_;
    std::thread thread_;
};

FrontEnd::Options options(std::chrono::milliseconds timeout = 5s) {
    return {.wanted_features = virtio::feature::kRingIndirectDescriptors | virtio::feature::kRingEventIndex,
            .timeout = timeout};
}

TEST(FrontEnd, Negotiation_AgreesOnWhatBothSidesHave) {
    BackEnd back({});
    const auto front = FrontEnd::negotiate(back.take_front(), options());
    ASSERT_TRUE(front) << front.error();
    EXPECT_EQ(front->features(),
              virtio::feature::kVersion1 | virtio::feature::kRingEventIndex | kProtocolFeaturesBit);
    EXPECT_EQ(front->protocol_features(),
              protocol_feature::kMultiqueue | protocol_feature::kReplyAck | protocol_feature::kConfig);
    EXPECT_EQ(front->max_rings(), 2U);
}

TEST(FrontEnd, MemoryAndRings_ArriveWithTheirDescriptors) {
    BackEnd back({});
    {
        auto front = FrontEnd::negotiate(back.take_front(), options());
        ASSERT_TRUE(front) << front.error();
        Fd memory(::memfd_create("test", MFD_CLOEXEC));
        Fd kick(::eventfd(0, EFD_CLOEXEC)), call(::eventfd(0, EFD_CLOEXEC));
        const Region region{.place = {.guest_address = 1, .bytes = 2, .user_address = 3, .file_offset = 4},
                            .fd = memory.get()};
        const auto told = front->set_memory(std::span(&region, 1));
        ASSERT_TRUE(told) << told.error();
        const auto started =
            front->start_ring({.index = 1, .size = 64, .kick = kick.get(), .call = call.get()});
        ASSERT_TRUE(started) << started.error();
        EXPECT_EQ(front->stop_ring(1), 0);
        const auto config = front->get_config(36, 4);
        ASSERT_TRUE(config) << config.error();
        EXPECT_EQ(config->size(), 4U);
    }
    back.wait();
    int with_fd = 0;
    for (const auto& message : back.seen) {
        if (message.header.request == Request::kSetMemTable) {
            EXPECT_EQ(message.payload.size(), 40U);
        }
        with_fd += static_cast<int>(message.fds.size());
    }
    EXPECT_EQ(with_fd, 3);
}

TEST(FrontEnd, OldBackEndWithoutProtocolFeatures_IsServed) {
    BackEnd back([](int socket, const ReceivedMessage& message) {
        if (message.header.request != Request::kGetFeatures) return false;
        BackEnd::reply(socket, Request::kGetFeatures, number(virtio::feature::kVersion1));
        return true;
    });
    auto front = FrontEnd::negotiate(back.take_front(), options());
    ASSERT_TRUE(front) << front.error();
    EXPECT_EQ(front->protocol_features(), 0U);
    EXPECT_FALSE(front->max_rings());
    EXPECT_FALSE(front->get_config(0, 4));
}

// Each hostile answer to GET_FEATURES is a clean error, in bounded time.
class HostileBackEnd : public testing::TestWithParam<std::pair<const char*, std::function<void(int)>>> {};

void send_raw(int socket, const Header& header, std::size_t payload_bytes, std::vector<int> fds = {}) {
    std::vector<std::byte> bytes = bytes_of(header);
    bytes.resize(bytes.size() + payload_bytes);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 200)> control{};
    iovec piece{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        cmsghdr* const c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
    }
    EXPECT_EQ(::sendmsg(socket, &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

INSTANTIATE_TEST_SUITE_P(
    Answers, HostileBackEnd,
    testing::Values(
        std::pair{"Nothing", std::function<void(int)>([](int) {})},
        std::pair{"HangUp", std::function<void(int)>([](int s) { ::shutdown(s, SHUT_RDWR); })},
        std::pair{"HalfAHeader",
                  std::function<void(int)>([](int s) { EXPECT_EQ(::send(s, "123456", 6, 0), 6); })},
        std::pair{"HalfAPayload", std::function<void(int)>([](int s) {
                      send_raw(s, {Request::kGetFeatures, kVersion | kReplyFlag, 8}, 4);
                  })},
        std::pair{"WrongId", std::function<void(int)>([](int s) {
                      send_raw(s, {Request::kGetQueueNum, kVersion | kReplyFlag, 8}, 8);
                  })},
        std::pair{"NoReplyFlag", std::function<void(int)>([](int s) {
                      send_raw(s, {Request::kGetFeatures, kVersion, 8}, 8);
                  })},
        std::pair{"WrongVersion", std::function<void(int)>([](int s) {
                      send_raw(s, {Request::kGetFeatures, 2 | kReplyFlag, 8}, 8);
                  })},
        std::pair{"ShortPayload", std::function<void(int)>([](int s) {
                      send_raw(s, {Request::kGetFeatures, kVersion | kReplyFlag, 4}, 4);
                  })},
        std::pair{"HugePayload", std::function<void(int)>([](int s) {
                      send_raw(s, {Request::kGetFeatures, kVersion | kReplyFlag, UINT32_MAX}, 8);
                  })},
        std::pair{"OneDescriptor", std::function<void(int)>([](int s) {
                      send_raw(s, {Request::kGetFeatures, kVersion | kReplyFlag, 8}, 8, {0});
                  })},
        std::pair{
            "ManyDescriptors", std::function<void(int)>([](int s) {
                send_raw(s, {Request::kGetFeatures, kVersion | kReplyFlag, 8}, 8, std::vector<int>(200, 0));
            })},
        std::pair{"NoVersion1", std::function<void(int)>([](int s) {
                      send_raw(s, {Request::kGetFeatures, kVersion | kReplyFlag, 8}, 8);
                  })}),
    [](const auto& tested) { return std::string(tested.param.first); });

TEST_P(HostileBackEnd, IsACleanError) {
    BackEnd back([](int socket, const ReceivedMessage& message) {
        if (message.header.request == Request::kGetFeatures) GetParam().second(socket);
        return message.header.request == Request::kGetFeatures;
    });
    const auto before = std::chrono::steady_clock::now();
    const auto front = FrontEnd::negotiate(back.take_front(), options(200ms));
    ASSERT_FALSE(front);
    EXPECT_NE(front.error().find("vhost-user request 1 failed"), std::string::npos) << front.error();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 3s);
}

TEST(FrontEnd, RefusedRequest_IsAnError) {
    BackEnd back([](int socket, const ReceivedMessage& message) {
        if (message.header.request != Request::kSetMemTable) return false;
        BackEnd::reply(socket, Request::kSetMemTable, number(1));
        return true;
    });
    auto front = FrontEnd::negotiate(back.take_front(), options());
    ASSERT_TRUE(front) << front.error();
    Fd memory(::memfd_create("test", MFD_CLOEXEC));
    const Region region{.place = {}, .fd = memory.get()};
    EXPECT_FALSE(front->set_memory(std::span(&region, 1)));
}

TEST(FrontEnd, NoSuchSocket_IsNamedInTheError) {
    const auto socket = connect_unix("/nonexistent/virtiofs.sock", within(1s));
    ASSERT_FALSE(socket);
    EXPECT_NE(socket.error().find("/nonexistent/virtiofs.sock"), std::string::npos);
    EXPECT_FALSE(connect_unix(std::string(200, 'x'), within(1s)));
    EXPECT_FALSE(connect_unix("", within(1s)));
}

}  // namespace
}  // namespace vhost_user
