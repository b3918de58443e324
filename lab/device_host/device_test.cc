// The device through its transport, on a channel whose host is scripted: statuses, checks, cancellation,
// loss.
#include "lab/device_host/device.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fuse/protocol.h"
#include "ioctl/contract.h"
#include "lab/transport/client.h"

namespace lab::device_host {
namespace {

constexpr auto kTimeout = std::chrono::seconds(20);

// Keeps messages until the test answers them; checks that each is used as a channel demands.
class ScriptedChannel final : public guest::Channel {
  public:
    guest::Epoch epoch() const noexcept override { return guest::Epoch{7}; }
    std::size_t max_message_bytes() const noexcept override { return 2 << 20; }
    void set_sink(guest::ChannelSink* sink) noexcept override { sink_ = sink; }

    void submit(std::span<guest::Message* const> messages) noexcept override {
        for (guest::Message* message : messages) {
            EXPECT_EQ(message->epoch, epoch());
            bool lost;
            {
                const std::scoped_lock guard(lock_);
                lost = lost_;
                if (!lost) waiting_.push_back(message);
                changed_.notify_all();
            }
            if (lost) {
                message->completed(std::unexpected(guest::ChannelError::kLost));
            } else if (echo_) {
                answer(0);
            }
        }
    }
    void cancel(guest::Message& message) noexcept override {
        {
            const std::scoped_lock guard(lock_);
            const auto at = std::ranges::find(waiting_, &message);
            if (at == waiting_.end()) return;
            waiting_.erase(at);
        }
        message.completed(std::unexpected(guest::ChannelError::kCancelled));
    }

    bool wait_for(std::size_t count) {
        std::unique_lock guard(lock_);
        return changed_.wait_for(guard, kTimeout, [&] { return waiting_.size() == count; });
    }
    // Every message is answered at once with its own body.
    void echo_at_once() { echo_ = true; }

    // Answers the oldest message with what followed its header.
    void answer(std::uint64_t unique_off_by) {
        guest::Message* message = nullptr;
        {
            const std::scoped_lock guard(lock_);
            if (waiting_.empty()) return;
            message = waiting_.front();
            waiting_.erase(waiting_.begin());
        }
        std::vector<std::byte> request;
        for (const auto piece : message->out)
            request.insert(request.end(), piece.begin(), piece.end());
        fuse::InHeader in;
        std::memcpy(&in, request.data(), sizeof(in));
        EXPECT_EQ(in.len, request.size());
        if (message->in.empty()) return message->completed(0U);
        const std::span<std::byte> room = message->in[0];
        const std::size_t body = std::min(room.size() - sizeof(fuse::OutHeader), request.size() - sizeof(in));
        const fuse::OutHeader out{.len = static_cast<std::uint32_t>(sizeof(out) + body),
                                  .unique = in.unique + unique_off_by};
        std::memcpy(room.data(), &out, sizeof(out));
        std::memcpy(room.data() + sizeof(out), request.data() + sizeof(in), body);
        message->completed(out.len);
    }
    void lose() {
        std::vector<guest::Message*> outstanding;
        {
            const std::scoped_lock guard(lock_);
            lost_ = true;
            outstanding.swap(waiting_);
        }
        for (guest::Message* message : outstanding)
            message->completed(std::unexpected(guest::ChannelError::kLost));
        if (sink_ != nullptr) sink_->channel_lost(epoch());
    }

  private:
    std::mutex lock_;
    std::condition_variable changed_;
    std::vector<guest::Message*> waiting_;
    guest::ChannelSink* sink_ = nullptr;
    bool lost_ = false;
    std::atomic<bool> echo_{false};
};

std::vector<std::byte> message(std::uint64_t unique, const std::string& body,
                               fuse::Opcode opcode = fuse::Opcode::kLookup) {
    fuse::InHeader header{
        .len = static_cast<std::uint32_t>(sizeof(header) + body.size()), .opcode = opcode, .unique = unique};
    std::vector<std::byte> bytes(header.len);
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), body.data(), body.size());
    return bytes;
}

struct Answer {
    nt::Status status{};
    std::uint64_t information = 0;
    std::uint32_t open = 0;
    std::string body;  // without the FUSE header
    friend bool operator==(const Answer&, const Answer&) = default;
};

Answer read_answer(const transport::ReplyView& view) {
    ReplyHead head;
    if (view.head.size() != sizeof(head)) return {nt::Status::kInternalError, 0, 0, "no reply head"};
    std::memcpy(&head, view.head.data(), sizeof(head));
    Answer answer{static_cast<nt::Status>(head.status), head.information, head.open, {}};
    const std::size_t start = head.payload_offset + sizeof(fuse::OutHeader);
    if (view.payload.size() > start) {
        const auto body = view.payload.subspan(start);
        answer.body.assign(reinterpret_cast<const char*>(body.data()), body.size());
    }
    return answer;
}

class DeviceTest : public testing::Test {
  protected:
    void SetUp() override {
        auto server = transport::Server::start({.name = name_, .slots = kSlots}, device_);
        ASSERT_TRUE(server) << server.error();
        server_ = std::move(*server);
        ASSERT_TRUE(client_.connect(name_.c_str()));
        open_ = exchange({.operation = Operation::kOpen}).open;
        ASSERT_NE(open_, 0u);
    }
    Answer exchange(const RequestHead& head, std::span<const std::byte> payload = {}) {
        auto lease = client_.lease();
        if (!lease) return {nt::Status::kInternalError, 0, 0, "no lease"};
        std::memcpy(lease->head().data(), &head, sizeof(head));
        std::ranges::copy(payload, lease->payload().begin());
        const auto view =
            lease->exchange({.head = sizeof(head), .payload = static_cast<std::uint32_t>(payload.size())});
        return view ? read_answer(*view) : Answer{nt::Status::kInternalError, 0, 0, "no reply"};
    }
    RequestHead submit_head(std::span<const std::byte> bytes, std::uint32_t out_length) const {
        return {.operation = Operation::kControl,
                .open = open_,
                .code = ioctl::kSubmitMessage,
                .in_length = static_cast<std::uint32_t>(bytes.size()),
                .out_length = out_length};
    }
    nt::Status submit_status(std::span<const std::byte> bytes, std::uint32_t out_length) {
        return exchange(submit_head(bytes, out_length), bytes).status;
    }

    const std::string name_ = "device-test-" + std::to_string(::getpid());
    ScriptedChannel channel_;
    Device device_{channel_, u"share"};
    std::unique_ptr<transport::Server> server_;
    transport::Client client_;
    std::uint32_t open_ = 0;
};

struct Begun : transport::AsyncCall {
    Begun() {
        completed = [](transport::AsyncCall& call,
                       const std::expected<transport::ReplyView, transport::Failure>& reply) noexcept {
            auto& self = static_cast<Begun&>(call);
            const std::scoped_lock guard(self.lock);
            self.answer = reply ? read_answer(*reply) : Answer{nt::Status::kInternalError, 0, 0, "lost"};
            self.changed.notify_all();
        };
    }
    Answer wait() {
        std::unique_lock guard(lock);
        if (!changed.wait_for(guard, kTimeout, [this] { return answer.has_value(); })) {
            return {nt::Status::kInternalError, 0, 0, "never answered"};
        }
        return *answer;
    }
    std::mutex lock;
    std::condition_variable changed;
    std::optional<Answer> answer;
};

TEST_F(DeviceTest, VolumeName_IsTheTag) {
    auto lease = client_.lease();
    const RequestHead head{.operation = Operation::kControl,
                           .open = open_,
                           .code = ioctl::kGetVolumeName,
                           .out_length = ioctl::kMaxVolumeNameBytes};
    std::memcpy(lease->head().data(), &head, sizeof(head));
    const auto view = lease->exchange({.head = sizeof(head)});
    ASSERT_TRUE(view);
    const std::u16string tag = u"share";
    EXPECT_TRUE(std::ranges::equal(view->payload, std::as_bytes(std::span(tag))));
    EXPECT_EQ(read_answer(*view).information, 10u);
}

TEST_F(DeviceTest, VolumeName_InTooSmallABuffer_IsRefused) {
    EXPECT_EQ(
        exchange(
            {.operation = Operation::kControl, .open = open_, .code = ioctl::kGetVolumeName, .out_length = 9})
            .status,
        nt::Status::kBufferTooSmall);
}

TEST_F(DeviceTest, Message_WithReply_ComesBack) {
    channel_.echo_at_once();
    const auto bytes = message(5, "hello");
    const Answer answer = exchange(submit_head(bytes, 4096), bytes);
    EXPECT_EQ(answer, (Answer{nt::Status::kSuccess, 21, 0, "hello"}));
}

TEST_F(DeviceTest, Message_OfFullSize_ComesBackWhole) {
    channel_.echo_at_once();
    const auto write = message(5, std::string(1 << 20, 'w'));
    EXPECT_EQ(exchange(submit_head(write, 24), write).body, std::string(8, 'w'));
    const auto longest = message(6, std::string(kMaxInLength - sizeof(fuse::InHeader), 'x'));
    const Answer answer = exchange(submit_head(longest, 1 << 20), longest);
    EXPECT_EQ(answer.status, nt::Status::kSuccess);
    EXPECT_GE(answer.information, kLeastReplyRoom);
}

TEST_F(DeviceTest, Message_WithoutReply_Succeeds) {
    channel_.echo_at_once();
    const auto bytes = message(5, "forget", fuse::Opcode::kForget);
    EXPECT_EQ(exchange(submit_head(bytes, 0), bytes), (Answer{nt::Status::kSuccess, 0, 0, ""}));
}

TEST_F(DeviceTest, Message_ThatContradictsItsBuffers_IsRefused) {
    channel_.echo_at_once();
    auto bytes = message(5, "hello");
    EXPECT_EQ(submit_status(std::span(bytes).first(39), 4096), nt::Status::kInvalidParameter);
    EXPECT_EQ(submit_status(std::span(bytes).first(44), 4096), nt::Status::kInvalidParameter);
    EXPECT_EQ(submit_status({}, 4096), nt::Status::kInvalidParameter);
    EXPECT_EQ(submit_status(bytes, 15), nt::Status::kBufferTooSmall);
    RequestHead head = submit_head(bytes, 4096);
    head.in_length = 0xFFFFFFFF;
    EXPECT_EQ(exchange(head, bytes).status, nt::Status::kInvalidParameter);
    const std::vector<std::byte> longest(kMaxInLength + 1);
    EXPECT_EQ(submit_status(longest, 4096), nt::Status::kInvalidParameter);
    EXPECT_EQ(device_.in_flight(), 0u);
}

TEST_F(DeviceTest, Control_UnknownCodeOrOpen_IsRefused) {
    RequestHead head{.operation = Operation::kControl, .open = open_, .code = 0x226004};
    EXPECT_EQ(exchange(head).status, nt::Status::kInvalidDeviceRequest);
    head.open = open_ + 1;
    EXPECT_EQ(exchange(head).status, nt::Status::kInvalidHandle);
    EXPECT_EQ(exchange({.operation = static_cast<Operation>(99)}).status, nt::Status::kInvalidDeviceRequest);
    EXPECT_EQ(exchange({.operation = Operation::kClose, .open = 12345}).status, nt::Status::kInvalidHandle);
    std::byte two[2] = {};
    auto lease = client_.lease();
    std::ranges::copy(two, lease->head().begin());
    EXPECT_EQ(read_answer(*lease->exchange({.head = 2})).status, nt::Status::kInvalidParameter);
}

TEST_F(DeviceTest, ReadDirect_GivesHeaderAndData) {
    channel_.echo_at_once();
    const auto bytes = message(5, std::string(40, 'r'), fuse::Opcode::kRead);
    RequestHead head = submit_head(bytes, 40);
    head.code = ioctl::kReadDirect;
    EXPECT_EQ(exchange(head, bytes),
              (Answer{nt::Status::kSuccess, sizeof(ioctl::ReadDirect), 0, std::string(40, 'r')}));
}

TEST_F(DeviceTest, ReadDirect_OfAnotherMessageOrTooMuch_IsRefused) {
    const auto lookup = message(5, "x");
    RequestHead head = submit_head(lookup, 40);
    head.code = ioctl::kReadDirect;
    EXPECT_EQ(exchange(head, lookup).status, nt::Status::kInvalidParameter);
    const auto read = message(5, std::string(40, 'r'), fuse::Opcode::kRead);
    head = submit_head(read, transport::kPayloadBytes);
    head.code = ioctl::kReadDirect;
    EXPECT_EQ(exchange(head, read).status, nt::Status::kInvalidParameter);
}

TEST_F(DeviceTest, Reply_ToAnotherRequest_IsAProtocolError) {
    const auto bytes = message(5, "hello");
    std::thread host([this] {
        EXPECT_TRUE(channel_.wait_for(1));
        channel_.answer(1);
    });
    EXPECT_EQ(exchange(submit_head(bytes, 4096), bytes).status, nt::Status::kDeviceProtocolError);
    host.join();
}

class DeviceFlightTest : public DeviceTest {
  protected:
    void begin(std::size_t count) {
        calls_ = std::vector<Begun>(count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto bytes = message(i + 1, std::to_string(i));
            const RequestHead head = submit_head(bytes, 64);
            ASSERT_TRUE(
                client_.begin(calls_[i], {.head = std::as_bytes(std::span(&head, 1)), .payload = bytes}));
        }
        ASSERT_TRUE(channel_.wait_for(count));
    }
    std::vector<Begun> calls_;
};

TEST_F(DeviceFlightTest, Messages_64AtOnce_AreAllInFlightAndAnswered) {
    begin(64);
    EXPECT_EQ(device_.in_flight(), 64u);
    for (int i = 0; i < 64; ++i)
        channel_.answer(0);
    std::set<std::string> bodies;
    for (Begun& call : calls_)
        bodies.insert(call.wait().body);
    EXPECT_EQ(bodies.size(), 64u);
    EXPECT_EQ(device_.in_flight(), 0u);
}

TEST_F(DeviceFlightTest, Cancel_EndsTheMessageOnly) {
    begin(2);
    client_.cancel(calls_[0]);
    EXPECT_EQ(calls_[0].wait().status, nt::Status::kCancelled);
    channel_.answer(0);
    EXPECT_EQ(calls_[1].wait().status, nt::Status::kSuccess);
}

TEST_F(DeviceFlightTest, Close_CancelsWhatIsInFlight) {
    begin(3);
    EXPECT_EQ(exchange({.operation = Operation::kClose, .open = open_}).status, nt::Status::kSuccess);
    for (Begun& call : calls_)
        EXPECT_EQ(call.wait().status, nt::Status::kCancelled);
    const auto bytes = message(5, "late");
    EXPECT_EQ(submit_status(bytes, 64), nt::Status::kInvalidHandle);
    EXPECT_EQ(device_.open_count(), 0u);
}

TEST_F(DeviceFlightTest, DaemonLoss_FailsMessagesInFlightAndLaterOnes) {
    std::atomic<int> told{0};
    device_.on_lost([&] { ++told; });
    begin(64);
    channel_.lose();
    for (Begun& call : calls_)
        EXPECT_EQ(call.wait().status, nt::Status::kDeviceNotConnected);
    const auto bytes = message(99, "late");
    EXPECT_EQ(submit_status(bytes, 64), nt::Status::kDeviceNotConnected);
    EXPECT_EQ(told, 1);
}

TEST_F(DeviceFlightTest, Server_ThatEnds_CancelsWhatIsInFlight) {
    begin(8);
    server_.reset();
    EXPECT_EQ(device_.in_flight(), 0u);
    for (Begun& call : calls_) {
        const Answer answer = call.wait();
        EXPECT_TRUE(answer.status == nt::Status::kCancelled || answer.body == "lost");
    }
}

TEST(TagTest, Tag_InUtf8_BecomesUtf16) {
    EXPECT_EQ(tag_from_utf8("share"), u"share");
    EXPECT_EQ(tag_from_utf8("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), u"ä€\U0001F600");
    EXPECT_EQ(tag_from_utf8(std::string(36, 'x')).size(), 36u);
    for (const char* bad : {"", "\xC3", "\xFF", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80",
                            "this tag is longer than thirty-six bytes"}) {
        EXPECT_EQ(tag_from_utf8(bad), u"") << bad;
    }
}

}  // namespace
}  // namespace lab::device_host
