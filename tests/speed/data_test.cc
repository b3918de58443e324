// Large reads and writes on the stock daemon: how many requests are in flight at once, what is copied.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "tests/support/daemon_volume.h"

namespace tests {
namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;
constexpr std::uint32_t kReadWrite =
    nt::access::kFileGenericRead | (nt::access::kFileGenericWrite & ~nt::access::kAppendData);
// Headers and arguments of a message and its reply, generously.
constexpr std::uint64_t kHeaderBytes = 256;

std::vector<std::byte> random_bytes(std::size_t count) {
    std::mt19937_64 random(count);
    std::vector<std::byte> bytes(count);
    for (std::size_t at = 0; at + 8 <= count; at += 8) {
        const std::uint64_t word = random();
        std::memcpy(bytes.data() + at, &word, 8);
    }
    return bytes;
}

class LargeData : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(host_);
        host_.make_file("file", "");
        const auto opened = volume().open(u"\\file", {.granted_access = kReadWrite});
        ASSERT_TRUE(opened);
        file_ = opened->file;
    }
    void TearDown() override {
        if (file_ != nullptr) volume().close(file_);
    }
    guest::Volume& volume() { return host_.volume(); }
    lab::DeviceBuffer buffer(std::size_t bytes) {
        auto made = host_.channel().allocate_buffer(bytes);
        EXPECT_TRUE(made);
        return *made;
    }
    void write_file(std::span<const std::byte> content) {
        host_.make_file("file", {reinterpret_cast<const char*>(content.data()), content.size()});
        EXPECT_TRUE(volume().set_size(*file_, content.size(), guest::SizeKind::kEndOfFile));
    }

    DaemonVolume host_{DaemonVolume::Setup{.channel = {.buffer_bytes = 80 * kMegabyte}}};
    guest::File* file_ = nullptr;
};

TEST_F(LargeData, WriteAndReadInDeviceMemory_CopyHeadersOnly) {
    const auto content = random_bytes(8 * kMegabyte + 4096);
    const auto memory = buffer(content.size());
    std::ranges::copy(content, memory.bytes().begin());
    auto before = host_.channel().counts();
    const auto written = volume().write(*file_, memory.bytes(), {});
    ASSERT_TRUE(written);
    EXPECT_EQ(written->bytes, content.size());
    auto sent = host_.channel().counts() - before;
    EXPECT_GE(sent.messages, 9U);
    EXPECT_LE(sent.copied_bytes, sent.messages * kHeaderBytes);
    const std::string on_host = host_.content("file");
    ASSERT_EQ(on_host.size(), content.size());
    EXPECT_EQ(std::memcmp(on_host.data(), content.data(), content.size()), 0);

    std::ranges::fill(memory.bytes(), std::byte{0});
    before = host_.channel().counts();
    EXPECT_EQ(volume().read(*file_, memory.bytes(), 0), content.size());
    sent = host_.channel().counts() - before;
    EXPECT_GE(sent.messages, 9U);
    EXPECT_LE(sent.copied_bytes, sent.messages * kHeaderBytes);
    EXPECT_TRUE(std::ranges::equal(memory.bytes(), content));
}

TEST_F(LargeData, ReadIntoTheMiddleOfABuffer_TouchesNothingElse) {
    const auto content = random_bytes(3 * kMegabyte);
    write_file(content);
    const auto memory = buffer(4 * kMegabyte);
    std::ranges::fill(memory.bytes(), std::byte{7});
    const auto middle = memory.bytes().subspan(1001, 2 * kMegabyte + 55);
    EXPECT_EQ(volume().read(*file_, middle, 333), middle.size());
    EXPECT_EQ(std::memcmp(middle.data(), content.data() + 333, middle.size()), 0);
    const auto is_untouched = [](std::byte value) { return value == std::byte{7}; };
    EXPECT_TRUE(std::ranges::all_of(memory.bytes().first(1001), is_untouched));
    EXPECT_TRUE(std::ranges::all_of(memory.bytes().subspan(1001 + middle.size()), is_untouched));
}

TEST_F(LargeData, OtherMemory_IsCopiedOnce) {
    const auto content = random_bytes(2 * kMegabyte);
    const auto before = host_.channel().counts();
    ASSERT_TRUE(volume().write(*file_, content, {}));
    std::vector<std::byte> back(content.size());
    EXPECT_EQ(volume().read(*file_, back, 0), back.size());
    EXPECT_EQ(back, content);
    const auto sent = host_.channel().counts() - before;
    EXPECT_GE(sent.copied_bytes, 4 * kMegabyte);
    EXPECT_LE(sent.copied_bytes, 4 * kMegabyte + sent.messages * kHeaderBytes);
}

TEST_F(LargeData, ReadAndWriteOf64Megabytes_HaveEightToSixteenRequestsAtTheDevice) {
    const auto memory = buffer(64 * kMegabyte);
    std::ranges::fill(memory.bytes(), std::byte{'x'});
    const auto written = volume().write(*file_, memory.bytes(), {});
    ASSERT_TRUE(written);
    EXPECT_EQ(written->bytes, 64 * kMegabyte);
    EXPECT_EQ(host_.counting().snapshot().of(fuse::Opcode::kWrite), 64U);
    EXPECT_EQ(volume().read(*file_, memory.bytes(), 0), 64 * kMegabyte);
    EXPECT_EQ(host_.counting().snapshot().of(fuse::Opcode::kRead), 64U);
    EXPECT_GE(host_.channel().counts().most_at_device, 8U);
    EXPECT_LE(host_.channel().counts().most_at_device, 16U + 4U) << "a few in the background";
}

TEST_F(LargeData, BufferGivenBackWhileTheDeviceHasIt_IsNobodyElses) {
    write_file(random_bytes(4096));
    fuse::Request<fuse::ReadIn> request(
        {.opcode = fuse::Opcode::kStatfs, .node = fuse::kRootNodeId, .unique = 0xfffffff2}, {});
    auto memory = host_.channel().allocate_buffer(48 * kMegabyte);
    ASSERT_TRUE(memory);
    struct Cancelled final : guest::Message {
        void completed(guest::Outcome how) noexcept override { outcome = how; }
        std::optional<guest::Outcome> outcome;
    } message;
    const std::span<std::byte> piece = memory->bytes();
    const std::span<std::byte> one = piece.first(kMegabyte);
    message.epoch = host_.channel().epoch();
    message.out = request.pieces();
    message.in = std::span(&one, 1);
    host_.daemon().pause();
    guest::Message* const pointer = &message;
    host_.channel().submit(std::span(&pointer, 1));
    host_.channel().cancel(message);
    EXPECT_EQ(message.outcome, guest::Outcome(std::unexpected(guest::ChannelError::kCancelled)));
    memory.reset();
    EXPECT_FALSE(host_.channel().allocate_buffer(48 * kMegabyte)) << "the device may still write there";
    host_.daemon().resume();
    EXPECT_TRUE(volume().volume_info());  // answered after the other, as the queue is served in order
    EXPECT_TRUE(host_.channel().allocate_buffer(48 * kMegabyte));
}

}  // namespace
}  // namespace tests
