// The back-end against a decent front-end on a socket pair, and against messages that no decent one sends.
#include "vhost_user/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <map>
#include <thread>

#include "vhost_user/event_fd.h"
#include "vhost_user/frontend.h"

namespace vhost_user {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::uint64_t kGuestBase = 0x1'0000'0000;
constexpr std::uint64_t kUserBase = 0x7f00'0000'0000;
constexpr std::size_t kPage = 4096;

// Keeps what it was told. Fails the test where the back-end breaks its promises.
class RecordingDevice final : public Device {
  public:
    Result<void> start_ring(std::uint32_t index, const StartedRing& ring) override {
        EXPECT_FALSE(running.contains(index));
        EXPECT_TRUE(ring.memory != nullptr && ring.kick != nullptr);
        running.insert_or_assign(index, ring);
        return {};
    }
    std::uint16_t stop_ring(std::uint32_t index) override {
        EXPECT_EQ(running.erase(index), 1U);
        return stops_at;
    }
    void move_ring(std::uint32_t index, const virtio::SplitRing& parts,
                   GuestMemory::Pointer memory) override {
        ASSERT_TRUE(running.contains(index));
        running[index].parts = parts;
        running[index].memory = std::move(memory);
        ++moves;
    }
    void set_call(std::uint32_t index, std::shared_ptr<const Fd> call) override {
        ASSERT_TRUE(running.contains(index));
        running[index].call = std::move(call);
    }
    void reset() override {
        EXPECT_TRUE(running.empty());
        ++resets;
    }

    std::map<std::uint32_t, StartedRing> running;
    std::uint16_t stops_at = 0;
    int moves = 0;
    int resets = 0;
};

Fd file_of(std::size_t bytes) {
    Fd fd(::memfd_create("backend-test", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
    return fd;
}

template <typename T>
std::vector<std::byte> bytes_of(const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    return {bytes.begin(), bytes.end()};
}

class BackendMessages : public testing::Test {
  protected:
    static ReceivedMessage message(Request request, std::vector<std::byte> payload = {},
                                   std::vector<Fd> fds = {}) {
        return {.header = {.request = request,
                           .flags = kVersion,
                           .size = static_cast<std::uint32_t>(payload.size())},
                .payload = std::move(payload),
                .fds = std::move(fds)};
    }
    static std::vector<Fd> one(Fd fd) {
        std::vector<Fd> fds;
        fds.push_back(std::move(fd));
        return fds;
    }
    // The error, or "".
    std::string tell(Request request, std::vector<std::byte> payload = {}, std::vector<Fd> fds = {}) {
        return backend_.handle(message(request, std::move(payload), std::move(fds))).error;
    }
    template <typename T>
    std::string tell(Request request, const T& payload) {
        return tell(request, bytes_of(payload));
    }
    std::uint64_t ask_number(Request request) {
        const Handled handled = backend_.handle(message(request));
        EXPECT_EQ(handled.error, "");
        std::uint64_t number = 0;
        if (handled.reply && handled.reply->size() == sizeof number) {
            std::memcpy(&number, handled.reply->data(), sizeof number);
        }
        return number;
    }

    static MemoryRegion region(std::uint64_t page, std::uint64_t pages) {
        return {.guest_address = kGuestBase + page * kPage,
                .bytes = pages * kPage,
                .user_address = kUserBase + page * kPage,
                .file_offset = page * kPage};
    }
    std::string add_memory(const MemoryRegion& region, Fd fd) {
        return tell(Request::kAddMemReg, bytes_of(SingleMemoryRegion{.region = region}), one(std::move(fd)));
    }
    std::string set_table(std::uint32_t count, std::uint32_t sent, std::vector<Fd> fds) {
        MemoryTable table;
        table.count = count;
        for (std::uint32_t i = 0; i < kMaxRegions; ++i)
            table.regions[i] = region(i, 1);
        auto bytes = bytes_of(table);
        bytes.resize(8 + sent * sizeof(MemoryRegion));
        return tell(Request::kSetMemTable, std::move(bytes), std::move(fds));
    }
    // All that a ring needs but its kick descriptor.
    void describe_ring(std::uint32_t index, std::uint16_t base = 0) {
        EXPECT_EQ(tell(Request::kSetVringNum, VringState{index, 16}), "");
        EXPECT_EQ(tell(Request::kSetVringBase, VringState{index, base}), "");
        EXPECT_EQ(tell(Request::kSetVringAddr, VringAddress{.index = index,
                                                            .descriptors = kUserBase,
                                                            .used = kUserBase + 1024,
                                                            .available = kUserBase + 512}),
                  "");
    }
    std::string kick(std::uint64_t index) {
        return tell(Request::kSetVringKick, bytes_of(index), one(Fd(::eventfd(0, EFD_CLOEXEC))));
    }
    void share_memory() { EXPECT_EQ(add_memory(region(0, 4), file_of(4 * kPage)), ""); }

    RecordingDevice device_;
    Backend backend_{device_, {.max_rings = 3, .max_ring_size = 64, .config = std::vector(40, std::byte{7})}};
};

TEST_F(BackendMessages, Kick_StartsADescribedRingWithoutProtocolFeatures) {
    EXPECT_EQ(tell(Request::kSetFeatures, virtio::feature::kVersion1 | virtio::feature::kRingEventIndex), "");
    share_memory();
    describe_ring(1, 5);
    EXPECT_EQ(kick(1), "");
    ASSERT_TRUE(device_.running.contains(1));
    const StartedRing& ring = device_.running[1];
    EXPECT_TRUE(ring.event_index);
    EXPECT_EQ(ring.next_available, 5);
    EXPECT_EQ(ring.parts.size(), 16);
    EXPECT_EQ(reinterpret_cast<std::byte*>(ring.parts.descriptor(0)),
              ring.memory->translate(kGuestBase, 1).data());
    EXPECT_EQ(ring.call, nullptr);
}

TEST_F(BackendMessages, EnabledRing_RunsOnceItHasItsKickDescriptorAndNotWhileItIsDisabled) {
    EXPECT_EQ(tell(Request::kSetFeatures, virtio::feature::kVersion1 | kProtocolFeaturesBit), "");
    share_memory();
    describe_ring(0);
    EXPECT_EQ(kick(0), "");
    EXPECT_TRUE(device_.running.empty());
    EXPECT_EQ(tell(Request::kSetVringEnable, VringState{0, 1}), "");
    EXPECT_TRUE(device_.running.contains(0));
    device_.stops_at = 9;
    EXPECT_EQ(tell(Request::kSetVringEnable, VringState{0, 0}), "");
    EXPECT_TRUE(device_.running.empty());
    EXPECT_EQ(tell(Request::kSetVringEnable, VringState{0, 1}), "");
    EXPECT_EQ(device_.running[0].next_available, 9);
    EXPECT_EQ(device_.resets, 0);
}

TEST_F(BackendMessages, GetVringBase_StopsTheRingAndAnswersForOneThatNeverRan) {
    share_memory();
    describe_ring(1);
    EXPECT_EQ(kick(1), "");
    device_.stops_at = 17;
    for (const std::uint32_t index : {1U, 2U}) {
        const Handled handled =
            backend_.handle(message(Request::kGetVringBase, bytes_of(VringState{index, 0})));
        ASSERT_TRUE(handled.reply);
        VringState state;
        ASSERT_EQ(handled.reply->size(), sizeof state);
        std::memcpy(&state, handled.reply->data(), sizeof state);
        EXPECT_EQ(state.index, index);
        EXPECT_EQ(state.value, index == 1 ? 17U : 0U);
    }
    EXPECT_TRUE(device_.running.empty());
}

TEST_F(BackendMessages, RingStartedElsewhereThanItStopped_ResetsTheDeviceUnderTheOthers) {
    share_memory();
    for (const std::uint32_t index : {0U, 1U}) {
        describe_ring(index);
        EXPECT_EQ(kick(index), "");
    }
    device_.stops_at = 17;
    for (const std::uint32_t index : {0U, 1U})
        EXPECT_EQ(tell(Request::kGetVringBase, VringState{index, 0}), "");
    describe_ring(0, 17);
    EXPECT_EQ(kick(0), "");
    EXPECT_EQ(device_.resets, 0);
    describe_ring(1, 0);
    EXPECT_EQ(kick(1), "");
    EXPECT_EQ(device_.resets, 1);
    EXPECT_EQ(device_.running.size(), 2U);
    EXPECT_EQ(device_.running[0].next_available, 17);
}

TEST_F(BackendMessages, CallDescriptor_CanChangeWhileTheRingRuns) {
    share_memory();
    describe_ring(1);
    EXPECT_EQ(kick(1), "");
    const std::uint64_t with = 1;
    const std::uint64_t without = 1 | kVringNoFd;
    EXPECT_EQ(tell(Request::kSetVringCall, bytes_of(with), one(Fd(::eventfd(0, EFD_CLOEXEC)))), "");
    EXPECT_NE(device_.running[1].call, nullptr);
    EXPECT_EQ(tell(Request::kSetVringCall, without), "");
    EXPECT_EQ(device_.running[1].call, nullptr);
}

TEST_F(BackendMessages, RunningRing_IsMovedWithTheMemoryAndWaitsWhereItHasNone) {
    share_memory();
    describe_ring(1);
    EXPECT_EQ(kick(1), "");
    EXPECT_EQ(add_memory(region(8, 1), file_of(9 * kPage)), "");
    EXPECT_EQ(device_.moves, 1);
    EXPECT_EQ(device_.running[1].memory->regions(), 2U);
    EXPECT_EQ(tell(Request::kRemMemReg, SingleMemoryRegion{.region = region(0, 4)}), "");
    EXPECT_TRUE(device_.running.empty());
    share_memory();
    EXPECT_TRUE(device_.running.contains(1));
}

TEST_F(BackendMessages, Acknowledgement_IsGivenOnceAgreedOnAndWhenAskedFor) {
    ReceivedMessage early = message(Request::kSetOwner);
    early.header.flags |= kNeedReplyFlag;
    EXPECT_FALSE(backend_.handle(std::move(early)).reply);
    EXPECT_EQ(tell(Request::kSetProtocolFeatures, protocol_feature::kReplyAck), "");
    EXPECT_FALSE(backend_.handle(message(Request::kSetOwner)).reply);
    for (const bool good : {true, false}) {
        ReceivedMessage asked = message(good ? Request::kSetOwner : Request{4711});
        asked.header.flags |= kNeedReplyFlag;
        const Handled handled = backend_.handle(std::move(asked));
        EXPECT_EQ(handled.reply, bytes_of(std::uint64_t{good ? 0U : 1U}));
        EXPECT_EQ(handled.error.empty(), good);
    }
}

TEST_F(BackendMessages, Numbers_AreAnswered) {
    EXPECT_EQ(ask_number(Request::kGetQueueNum), 3U);
    EXPECT_EQ(ask_number(Request::kGetMaxMemSlots), 509U);
    EXPECT_NE(ask_number(Request::kGetFeatures) & virtio::feature::kRingIndirectDescriptors, 0U);
}

TEST_F(BackendMessages, ConfigOutsideItsSpace_IsAnsweredWithNothing) {
    EXPECT_EQ(tell(Request::kSetProtocolFeatures, protocol_feature::kConfig), "");
    struct Asked {
        ConfigHeader header;
        std::byte room[8];
    };
    const Handled inside = backend_.handle(message(Request::kGetConfig, bytes_of(Asked{{32, 8, 0}, {}})));
    ASSERT_TRUE(inside.reply);
    EXPECT_EQ(inside.reply->size(), sizeof(ConfigHeader) + 8);
    for (const std::uint32_t offset : {33U, 40U, 41U, 0xffffffffU}) {
        const Handled outside =
            backend_.handle(message(Request::kGetConfig, bytes_of(Asked{{offset, 8, 0}, {}})));
        ASSERT_TRUE(outside.reply) << outside.error;
        EXPECT_TRUE(outside.reply->empty());
    }
    EXPECT_THAT(tell(Request::kGetConfig, Asked{{0, 9, 0}, {}}), HasSubstr("length"));
}

TEST_F(BackendMessages, MalformedMessages_AreErrorsThatNameThem) {
    EXPECT_THAT(tell(Request{0}), HasSubstr("request 0"));
    EXPECT_THAT(tell(Request::kSetLogBase), HasSubstr("does not know"));
    EXPECT_THAT(tell(Request::kSetFeatures, VringAddress{}), HasSubstr("SET_FEATURES"));
    EXPECT_THAT(tell(Request::kSetFeatures, std::uint64_t{1} << 40), HasSubstr("not offered"));
    EXPECT_THAT(tell(Request::kSetProtocolFeatures, std::uint64_t{1} << 12), HasSubstr("not offered"));
    EXPECT_THAT(tell(Request::kSetVringNum, VringState{3, 16}), HasSubstr("no ring 3"));
    EXPECT_THAT(tell(Request::kSetVringNum, VringState{0, 128}), HasSubstr("64 entries"));
    EXPECT_THAT(tell(Request::kSetVringNum, VringState{0, 24}), HasSubstr("power of two"));
    EXPECT_THAT(tell(Request::kSetVringNum, VringState{0, 0}), HasSubstr("power of two"));
    EXPECT_THAT(tell(Request::kSetVringBase, VringState{0, 65536}), HasSubstr("16 bits"));
    EXPECT_THAT(tell(Request::kSetVringEnable, VringState{0, 1}), HasSubstr("agreed"));
    EXPECT_THAT(tell(Request::kSetVringAddr, VringAddress{.index = 0, .flags = 1}), HasSubstr("log"));
    EXPECT_THAT(tell(Request::kSetVringKick, std::uint64_t{0}), HasSubstr("descriptors"));
    EXPECT_THAT(tell(Request::kSetVringKick, kVringNoFd), HasSubstr("without a kick"));
    EXPECT_THAT(tell(Request::kSetVringCall, std::uint64_t{0xff}), HasSubstr("no ring 255"));
    EXPECT_THAT(tell(Request::kSetOwner, {}, one(file_of(0))), HasSubstr("SET_OWNER"));
    EXPECT_THAT(tell(Request::kGetConfig), HasSubstr("agreed"));
    EXPECT_THAT(tell(Request::kSetConfig), HasSubstr("changed"));
    ReceivedMessage reply = message(Request::kGetFeatures);
    reply.header.flags |= kReplyFlag;
    EXPECT_THAT(backend_.handle(std::move(reply)).error, HasSubstr("reply"));
    EXPECT_TRUE(device_.running.empty());
}

TEST_F(BackendMessages, MemoryTablesThatDoNotFit_AreRefused) {
    EXPECT_THAT(set_table(2, 1, one(file_of(kPage))), HasSubstr("another length"));
    EXPECT_THAT(set_table(9, 8, one(file_of(kPage))), HasSubstr("another length"));
    EXPECT_THAT(set_table(0xffffffff, 8, {}), HasSubstr("another length"));
    EXPECT_THAT(set_table(1, 1, {}), HasSubstr("one descriptor for each"));
    EXPECT_EQ(set_table(1, 1, one(file_of(kPage))), "");
    EXPECT_EQ(set_table(0, 0, {}), "");
}

TEST_F(BackendMessages, RegionsThatCannotBe_AreRefused) {
    EXPECT_THAT(add_memory(region(0, 5), file_of(4 * kPage)), HasSubstr("end of its file"));
    EXPECT_THAT(add_memory(region(0, 0), file_of(kPage)), HasSubstr("empty"));
    MemoryRegion wraps = region(0, 1);
    wraps.guest_address = ~std::uint64_t{0} - 100;
    EXPECT_THAT(add_memory(wraps, file_of(kPage)), HasSubstr("address space"));
    wraps = region(0, 1);
    wraps.file_offset = ~std::uint64_t{0} - 100;
    EXPECT_THAT(add_memory(wraps, file_of(kPage)), HasSubstr("address space"));
    EXPECT_THAT(add_memory(region(0, 1), Fd(::eventfd(0, EFD_CLOEXEC))), HasSubstr("no file"));
    share_memory();
    EXPECT_THAT(add_memory(region(3, 1), file_of(4 * kPage)), HasSubstr("overlap"));
    MemoryRegion same_user = region(8, 1);
    same_user.user_address = kUserBase;
    EXPECT_THAT(add_memory(same_user, file_of(9 * kPage)), HasSubstr("overlap"));
    EXPECT_THAT(tell(Request::kRemMemReg, SingleMemoryRegion{.region = region(0, 3)}),
                HasSubstr("not there"));
}

TEST_F(BackendMessages, RingsThatCannotRun_AreRefused) {
    EXPECT_THAT(kick(1), HasSubstr("not told"));
    describe_ring(1);
    EXPECT_THAT(kick(1), HasSubstr("memory was not told"));
    share_memory();
    EXPECT_TRUE(device_.running.contains(1));  // it waited for its memory
    EXPECT_THAT(tell(Request::kSetVringNum, VringState{1, 8}), HasSubstr("runs"));
    EXPECT_THAT(tell(Request::kSetVringAddr, VringAddress{.index = 1}), HasSubstr("runs"));
    EXPECT_THAT(tell(Request::kSetFeatures, std::uint64_t{0} | virtio::feature::kVersion1),
                HasSubstr("runs"));

    const std::array<VringAddress, 4> bad{{
        {.index = 0, .descriptors = kUserBase + 8, .used = kUserBase + 1024, .available = kUserBase + 512},
        {.index = 0, .descriptors = kUserBase, .used = kUserBase + 1026, .available = kUserBase + 512},
        {.index = 0,
         .descriptors = kUserBase,
         .used = kUserBase + 4 * kPage - 16,
         .available = kUserBase + 512},
        {.index = 0, .descriptors = kGuestBase, .used = kUserBase + 1024, .available = kUserBase + 512},
    }};
    EXPECT_EQ(tell(Request::kSetVringNum, VringState{0, 16}), "");
    for (const VringAddress& address : bad) {
        EXPECT_EQ(tell(Request::kSetVringAddr, address), "");
        EXPECT_THAT(kick(0), HasSubstr("does not lie"));
    }
    EXPECT_FALSE(device_.running.contains(0));
}

TEST(GuestMemoryTest, RangesAcrossRegions_AreTranslatedPieceByPiece) {
    const Fd file = file_of(2 * kPage);
    for (const std::uint64_t others : {0, 100}) {  // few regions and many are looked up differently
        const GuestMemory none;
        auto memory =
            none.with({.guest_address = kGuestBase, .bytes = kPage, .user_address = kUserBase}, file);
        for (std::uint64_t i = 1; memory && i <= others; ++i) {
            memory = (*memory)->with({.guest_address = kGuestBase + (2 + 2 * i) * kPage,
                                      .bytes = kPage,
                                      .user_address = kUserBase + (2 + 2 * i) * kPage},
                                     file);
        }
        memory = (*memory)->with({.guest_address = kGuestBase + kPage,
                                  .bytes = kPage,
                                  .user_address = kUserBase + kPage,
                                  .file_offset = kPage},
                                 file);
        ASSERT_TRUE(memory) << memory.error();
        const GuestMemory& map = **memory;
        EXPECT_EQ(map.regions(), 2 + others);
        EXPECT_EQ(map.translate(kGuestBase + 100, 50).size(), 50U);
        EXPECT_EQ(map.translate(kGuestBase + kPage - 10, 50).size(), 10U);
        EXPECT_EQ(map.translate(kGuestBase + kPage, 50).size(), 50U);
        EXPECT_TRUE(map.translate(kGuestBase - 1, 50).empty());
        EXPECT_TRUE(map.translate(kGuestBase + 2 * kPage, 1).empty());
        EXPECT_TRUE(map.translate(~std::uint64_t{0}, 1).empty());
        EXPECT_EQ(map.at_user_address(kUserBase + 100, 50), map.translate(kGuestBase + 100, 1).data());
        EXPECT_EQ(map.at_user_address(kUserBase + kPage - 10, 50), nullptr);
        EXPECT_EQ(map.at_user_address(kUserBase + 10, ~std::uint64_t{0}), nullptr);
    }
}

TEST(GuestMemoryTest, RegionAtAnOddOffset_IsMappedFromThere) {
    const Fd file = file_of(2 * kPage);
    ASSERT_EQ(::pwrite(file.get(), "here", 4, 1000), 4);
    const auto memory = GuestMemory{}.with(
        {.guest_address = kGuestBase, .bytes = 16, .user_address = kUserBase, .file_offset = 1000}, file);
    ASSERT_TRUE(memory) << memory.error();
    EXPECT_EQ(std::memcmp((*memory)->translate(kGuestBase, 4).data(), "here", 4), 0);
}

// A decent front-end, over a socket.
TEST(BackendTest, FrontEnd_NegotiatesStartsAndStopsARing) {
    RecordingDevice device;
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    std::thread server([&device, back = Fd(ends[1])] {
        Backend backend(device, {.max_rings = 5, .config = std::vector(40, std::byte{7})});
        for (;;) {
            auto received = receive_message(back.get(), kMaxPayloadBytes, within(20s));
            if (!received) break;
            const Request request = received->header.request;
            const Handled handled = backend.handle(std::move(*received));
            if (handled.reply) {
                EXPECT_TRUE(send_message(back.get(), request, kReplyFlag, *handled.reply, {}, within(20s)));
            }
            EXPECT_EQ(handled.error, "");
            if (!handled.error.empty()) break;
        }
        backend.reset();
    });
    {
        auto front = FrontEnd::negotiate(Fd(ends[0]), {.wanted_features = virtio::feature::kRingEventIndex});
        ASSERT_TRUE(front) << front.error();
        EXPECT_EQ(front->max_rings(), 5U);
        EXPECT_EQ(front->features(),
                  virtio::feature::kVersion1 | virtio::feature::kRingEventIndex | kProtocolFeaturesBit);
        const auto config = front->get_config(0, 40);
        ASSERT_TRUE(config) << config.error();
        EXPECT_EQ(*config, std::vector(40, std::byte{7}));

        const Fd file = file_of(4 * kPage);
        const Region region{
            .place = {.guest_address = kGuestBase, .bytes = 4 * kPage, .user_address = kUserBase},
            .fd = file.get()};
        ASSERT_TRUE(front->set_memory(std::span(&region, 1)));
        const EventFd kick;
        const EventFd call;
        device.stops_at = 3;
        const auto started = front->start_ring({.index = 4,
                                                .size = 16,
                                                .base = 2,
                                                .descriptors = kUserBase,
                                                .available = kUserBase + 512,
                                                .used = kUserBase + 1024,
                                                .kick = kick.get(),
                                                .call = call.get()});
        ASSERT_TRUE(started) << started.error();
        EXPECT_EQ(front->stop_ring(4), 3);
    }
    server.join();
    EXPECT_TRUE(device.running.empty());
    EXPECT_EQ(device.resets, 1);
}

}  // namespace
}  // namespace vhost_user
