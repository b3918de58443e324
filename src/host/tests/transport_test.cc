// The whole transport with a real front-end at its socket: many requests, several queues, ends of all kinds.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/un.h>

#include <cstring>
#include <deque>
#include <thread>

#include "host/tests/echo_handler.h"
#include "host/tests/served_socket.h"
#include "lab/channel/vhost_user_channel.h"
#include "lab/channel/waiting_message.h"

namespace host {
namespace {

using Ended = VhostServer::Ended;

// A file of known bytes, without a name.
class NumberedFile {
  public:
    explicit NumberedFile(std::size_t bytes) : fd_(::memfd_create("numbers", MFD_CLOEXEC)), bytes_(bytes) {
        for (std::size_t i = 0; i < bytes; ++i)
            bytes_[i] = byte_at(i);
        EXPECT_EQ(::write(fd_.get(), bytes_.data(), bytes), static_cast<ssize_t>(bytes));
    }
    static std::byte byte_at(std::size_t offset) {
        return static_cast<std::byte>((offset * 2654435761U) >> 13);
    }
    int fd() const { return fd_.get(); }
    std::span<const std::byte> bytes() const { return bytes_; }

  private:
    vhost_user::Fd fd_;
    std::vector<std::byte> bytes_;
};

std::vector<std::byte> text(std::string_view from) {
    const auto bytes = std::as_bytes(std::span(from));
    return {bytes.begin(), bytes.end()};
}

// One request that is echoed.
class Echo {
  public:
    Echo(lab::VhostUserChannel& channel, std::uint64_t unique, std::vector<std::byte> body)
        : body_(std::move(body)), request_({.opcode = fuse::Opcode::kWrite, .unique = unique}) {
        EXPECT_TRUE(request_.add_payload(body_));
        message_.emplace(channel, request_, body_.size());
        message_->submit(channel);
    }
    // Whether the answer came, and is what was sent.
    bool is_right() {
        const auto outcome = message_->wait();
        if (!outcome || !*outcome) return false;
        const auto reply = message_->reply();
        return reply && reply->error == fuse::Errno::kNone && std::ranges::equal(reply->body, body_);
    }

  private:
    std::vector<std::byte> body_;
    fuse::Request<> request_;
    std::optional<lab::WaitingMessage> message_;
};

class ReadBack {
  public:
    ReadBack(lab::VhostUserChannel& channel, std::uint64_t unique, int fd, std::uint64_t offset,
             std::uint32_t size)
        : request_({.opcode = fuse::Opcode::kRead, .unique = unique},
                   {.fh = fuse::FileHandle{static_cast<std::uint64_t>(fd)}, .offset = offset, .size = size}) {
        message_.emplace(channel, request_, size);
        message_->submit(channel);
    }
    // The bytes read; nullopt if there was no answer or an error.
    std::optional<std::vector<std::byte>> bytes() {
        const auto outcome = message_->wait();
        if (!outcome || !*outcome) return std::nullopt;
        const auto reply = message_->reply();
        EXPECT_TRUE(reply);
        EXPECT_EQ(reply ? static_cast<int>(reply->error) : 0, 0);
        if (!reply || reply->error != fuse::Errno::kNone) return std::nullopt;
        return std::vector(reply->body.begin(), reply->body.end());
    }
    std::optional<guest::Outcome> outcome() { return message_->wait(); }

  private:
    fuse::Request<fuse::ReadIn> request_;
    std::optional<lab::WaitingMessage> message_;
};

struct Shape {
    std::uint32_t queues = 1;
    bool event_index = true;
    bool spin = true;
};

class Transport : public testing::TestWithParam<Shape> {
  protected:
    void connect(const Shape& shape) {
        served_ = std::make_unique<ServedSocket>(handler_, VhostServerOptions{.spin = shape.spin});
        auto channel = lab::VhostUserChannel::over(
            served_->take_front(),
            {.queue_size = 64, .event_index = shape.event_index, .request_queues = shape.queues});
        ASSERT_TRUE(channel) << channel.error();
        channel_ = std::move(*channel);
        ASSERT_EQ(channel_->request_queues(), shape.queues);
    }
    void expect_end(Ended expected) {
        const auto ended = served_->wait();
        ASSERT_TRUE(ended) << ended.error();
        EXPECT_EQ(*ended, expected);
        EXPECT_EQ(handler_.counts.workers, 0);
        EXPECT_EQ(handler_.counts.outstanding, 0);
        EXPECT_EQ(handler_.counts.wrong_resets, 0);
        EXPECT_GE(handler_.counts.resets, 1);
    }

    EchoHandler handler_;
    std::unique_ptr<ServedSocket> served_;
    std::unique_ptr<lab::VhostUserChannel> channel_;
};

TEST_P(Transport, ManyRequestsOfManyThreads_AreAllAnswered) {
    connect(GetParam());
    constexpr int kThreads = 4;
    constexpr int kEach = 400;
    std::vector<std::thread> threads;
    std::atomic<int> right = 0;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            std::deque<Echo> flying;
            for (int i = 0; i < kEach; ++i) {
                const auto unique = static_cast<std::uint64_t>(2 * (t * kEach + i) + 2);
                flying.emplace_back(*channel_, unique, text("request " + std::to_string(unique)));
                if (flying.size() < 32) continue;
                right += flying.front().is_right() ? 1 : 0;
                flying.pop_front();
            }
            for (Echo& one : flying)
                right += one.is_right() ? 1 : 0;
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(right, kThreads * kEach);
    EXPECT_EQ(handler_.counts.served, kThreads * kEach);
    channel_.reset();
    expect_end(Ended::kHungUp);
}

TEST_P(Transport, RequestsOneAfterAnother_AreAnswered) {
    connect(GetParam());
    for (std::uint64_t i = 1; i <= 300; ++i)
        ASSERT_TRUE(Echo(*channel_, 2 * i, text("one at a time")).is_right()) << i;
}

TEST_P(Transport, ReadsThroughTheKernelsRing_BringTheFilesBytes) {
    connect(GetParam());
    const NumberedFile file(1 << 20);
    std::deque<std::pair<std::size_t, ReadBack>> flying;
    const auto check = [&] {
        const auto bytes = flying.front().second.bytes();
        EXPECT_TRUE(bytes && std::ranges::equal(*bytes, file.bytes().subspan(flying.front().first, 4096)));
        flying.pop_front();
    };
    for (std::size_t i = 0; i < 500; ++i) {
        const std::size_t offset = (i * 7919 * 64) % (file.bytes().size() - 4096);
        flying.emplace_back(std::piecewise_construct, std::forward_as_tuple(offset),
                            std::forward_as_tuple(*channel_, 2 * i + 2, file.fd(), offset, 4096));
        if (flying.size() >= 24) check();
    }
    while (!flying.empty())
        check();
    EXPECT_TRUE(handler_.counts.has_io);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Transport,
                         testing::Values(Shape{.queues = 1}, Shape{.queues = 1, .event_index = false},
                                         Shape{.queues = 4}, Shape{.queues = 1, .spin = false},
                                         Shape{.queues = 3, .event_index = false, .spin = false}),
                         [](const auto& of) {
                             return std::to_string(of.param.queues) + "queues" +
                                    (of.param.event_index ? "" : "_without_event_index") +
                                    (of.param.spin ? "" : "_without_spin");
                         });

using OneConnection = Transport;

TEST_F(OneConnection, RequestOfAMegabyte_TravelsWhole) {
    connect({});
    std::vector<std::byte> body(1 << 20);
    for (std::size_t i = 0; i < body.size(); ++i)
        body[i] = NumberedFile::byte_at(i);
    EXPECT_TRUE(Echo(*channel_, 2, body).is_right());
}

TEST_F(OneConnection, Forgets_GoThroughTheHighPriorityQueueWithoutReply) {
    connect({});
    fuse::Request<fuse::ForgetIn> request({.opcode = fuse::Opcode::kForget, .unique = 2}, {.nlookup = 1});
    lab::WaitingMessage message(*channel_, request, std::nullopt);
    message.submit(*channel_);
    const auto outcome = message.wait();
    ASSERT_TRUE(outcome && *outcome);
    EXPECT_EQ(**outcome, 0U);
    EXPECT_EQ(handler_.counts.forgets, 1);
}

TEST_F(OneConnection, HangUpWithOperationsInFlight_WaitsForThemAndResetsTheHandler) {
    connect({});
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    const vhost_user::Fd from(pipe[0]);
    vhost_user::Fd to(pipe[1]);
    {
        ReadBack first(*channel_, 2, from.get(), 0, 16);
        ReadBack second(*channel_, 4, from.get(), 0, 16);
        while (handler_.counts.outstanding != 2)
            std::this_thread::yield();
        channel_.reset();
        ASSERT_TRUE(first.outcome());
        ASSERT_TRUE(second.outcome());
    }
    EXPECT_EQ(handler_.counts.resets, 0);
    to.reset();  // both reads end
    expect_end(Ended::kHungUp);
}

TEST_F(OneConnection, StopRequest_EndsTheServerAndTheConnection) {
    connect({});
    EXPECT_TRUE(Echo(*channel_, 2, text("before")).is_right());
    served_->stop();
    expect_end(Ended::kStopped);
    ReadBack after(*channel_, 4, 0, 0, 1);
    const auto outcome = after.outcome();
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(*outcome);
}

TEST_F(OneConnection, ListeningSocket_TakesOneFrontEndAndIsClosed) {
    const std::string path = testing::TempDir() + "/transport-" + std::to_string(::getpid());
    vhost_user::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    ASSERT_LT(path.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size());
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    VhostServer server(handler_, {.tag = "share", .max_request_queues = 2});
    auto ended =
        std::async(std::launch::async, [&] { return server.accept_and_serve(std::move(listener), -1); });
    auto channel = lab::VhostUserChannel::connect(path, {.request_queues = 8});
    ASSERT_TRUE(channel) << channel.error();
    EXPECT_EQ((*channel)->request_queues(), 2U);
    EXPECT_TRUE(Echo(**channel, 2, text("hello")).is_right());
    EXPECT_FALSE(vhost_user::connect_unix(path, vhost_user::within(std::chrono::seconds(1))));
    channel->reset();
    const auto result = ended.get();
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(*result, Ended::kHungUp);
    ::unlink(path.c_str());
}

}  // namespace
}  // namespace host
