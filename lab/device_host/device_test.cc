// The device through its transport, on a channel whose host is scripted: statuses, checks, cancellation,
// loss.
#include <set>

#include "lab/device_host/device_fixture.h"

namespace lab::device_host {
namespace {

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
