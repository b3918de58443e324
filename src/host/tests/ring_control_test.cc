// What a front-end does to rings that run: stops them, moves the guest's memory, starts the guest anew; and
// what a guest does that breaks its rings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "host/tests/echo_handler.h"
#include "host/tests/ring_guest.h"
#include "host/tests/served_socket.h"

namespace host {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMemoryBytes = std::size_t{16} << 20;

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

class Pipe {
  public:
    Pipe() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        from_ = vhost_user::Fd(ends[0]);
        to_ = vhost_user::Fd(ends[1]);
    }
    int from() const { return from_.get(); }
    void write(std::string_view text) {
        EXPECT_EQ(::write(to_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }

  private:
    vhost_user::Fd from_;
    vhost_user::Fd to_;
};

class RingControl : public testing::Test {
  protected:
    virtual VhostServerOptions options() const { return {.max_request_queues = 2}; }
    void SetUp() override {
        served_ = std::make_unique<ServedSocket>(handler_, options());
        auto front = vhost_user::FrontEnd::negotiate(
            served_->take_front(),
            {.wanted_features = virtio::feature::kRingEventIndex | virtio::feature::kRingIndirectDescriptors,
             .timeout = 20s});
        ASSERT_TRUE(front) << front.error();
        front_.emplace(std::move(*front));
        auto memory = lab::GuestMemory::create(kMemoryBytes);
        ASSERT_TRUE(memory) << memory.error();
        memory_.emplace(std::move(*memory));
        set_memory();
        for (std::uint32_t i = 0; i < 3; ++i)
            rings_.push_back(std::make_unique<GuestRing>(*memory_, 32, true));
        for (std::uint32_t i = 0; i < 3; ++i)
            start(i, 0);
    }

    vhost_user::MemoryRegion region() const {
        return {.guest_address = memory_->guest_address(0),
                .bytes = memory_->bytes(),
                .user_address = memory_->user_address(0),
                .file_offset = 0};
    }
    void set_memory() {
        const vhost_user::Region all{.place = region(), .fd = memory_->fd()};
        const auto told = front_->set_memory(std::span(&all, 1));
        ASSERT_TRUE(told) << told.error();
    }
    void start(std::uint32_t index, std::uint16_t base) {
        const auto started = front_->start_ring(rings_[index]->description(index, base));
        ASSERT_TRUE(started) << started.error() << served_->log();
    }
    std::uint16_t stop(std::uint32_t index) {
        const auto stopped = front_->stop_ring(index);
        EXPECT_TRUE(stopped) << stopped.error();
        return stopped.value_or(0xdead);
    }

    // One round trip.
    bool echoes(std::uint32_t index) {
        const std::string text = "echo " + std::to_string(++unique_);
        const auto request = rings_[index]->send({.opcode = fuse::Opcode::kWrite, .unique = unique_},
                                                 std::as_bytes(std::span(text)), text.size());
        GuestRequest* const back = rings_[index]->wait();
        return back == request.get() &&
               std::ranges::equal(rings_[index]->reply_body(*back), std::as_bytes(std::span(text)));
    }
    // A read from the pipe, which waits until something is written to it.
    std::unique_ptr<GuestRequest> read_from(const Pipe& pipe, std::uint32_t index) {
        const fuse::ReadIn arguments{.fh = fuse::FileHandle{static_cast<std::uint64_t>(pipe.from())},
                                     .size = 16};
        ++handler_.counts.opened;
        const int before = handler_.counts.outstanding;
        auto request = rings_[index]->send({.opcode = fuse::Opcode::kRead, .unique = ++unique_},
                                           bytes_of(arguments), 16);
        while (handler_.counts.outstanding == before)
            std::this_thread::yield();
        return request;
    }
    static std::string text_of(const std::vector<std::byte>& bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    // A message that FrontEnd does not send; whether it was accepted.
    bool tell(vhost_user::Request request, std::span<const std::byte> payload, std::span<const int> fds) {
        const auto deadline = vhost_user::within(20s);
        EXPECT_TRUE(vhost_user::send_message(front_->socket(), request, vhost_user::kNeedReplyFlag, payload,
                                             fds, deadline));
        const auto reply = vhost_user::receive_message(front_->socket(), 8, deadline);
        return reply && reply->payload.size() == 8 && std::ranges::count(reply->payload, std::byte{0}) == 8;
    }

    EchoHandler handler_;
    std::unique_ptr<ServedSocket> served_;
    std::optional<vhost_user::FrontEnd> front_;
    std::optional<lab::GuestMemory> memory_;
    std::vector<std::unique_ptr<GuestRing>> rings_;
    std::uint64_t unique_ = 0;
};

TEST_F(RingControl, StoppedRing_HasFinishedWhatItTookAndGoesOnWhereItStopped) {
    for (int i = 0; i < 40; ++i)
        ASSERT_TRUE(echoes(1));
    EXPECT_EQ(stop(1), 40);
    start(1, 40);
    EXPECT_TRUE(echoes(1));
    EXPECT_TRUE(echoes(2));
    EXPECT_EQ(handler_.counts.resets, 0);
}

TEST_F(RingControl, StopWithOperationInFlight_WaitsForIt) {
    Pipe pipe;
    const auto request = read_from(pipe, 1);
    auto stopped = std::async(std::launch::async, [&] { return stop(1); });
    EXPECT_TRUE(rings_[1]->wait(0) == nullptr);
    pipe.write("late");
    EXPECT_EQ(stopped.get(), 1);
    ASSERT_EQ(rings_[1]->wait(), request.get());
    EXPECT_EQ(text_of(rings_[1]->reply_body(*request)), "late");
    EXPECT_EQ(handler_.counts.outstanding, 0);
}

TEST_F(RingControl, MemoryMappedAnewAgainAndAgain_DisturbsNoRequest) {
    std::atomic<bool> enough = false;
    std::thread guest([&] {
        for (int i = 0; i < 2000; ++i)
            ASSERT_TRUE(echoes(1)) << i;
        enough = true;
    });
    while (!enough)
        set_memory();
    guest.join();
}

TEST_F(RingControl, OperationInFlight_KeepsItsMemoryWhenThatChanges) {
    Pipe pipe;
    const auto request = read_from(pipe, 1);
    set_memory();
    EXPECT_TRUE(echoes(2));
    pipe.write("kept");
    ASSERT_EQ(rings_[1]->wait(), request.get());
    EXPECT_EQ(text_of(rings_[1]->reply_body(*request)), "kept");
}

TEST_F(RingControl, RegionsAddedAndRemovedOneByOne_AreKnownFromThenOn) {
    auto more = lab::GuestMemory::create(1 << 20, 0x7'0000'0000);
    ASSERT_TRUE(more);
    const vhost_user::SingleMemoryRegion added{.region = {.guest_address = more->guest_address(0),
                                                          .bytes = more->bytes(),
                                                          .user_address = more->user_address(0)}};
    const int fd = more->fd();
    ASSERT_TRUE(tell(vhost_user::Request::kAddMemReg, bytes_of(added), std::span(&fd, 1)));
    GuestRing in_it(*more, 32, true);
    stop(2);
    const auto started = front_->start_ring(in_it.description(2, 0));
    ASSERT_TRUE(started) << started.error();
    const auto request = in_it.send({.opcode = fuse::Opcode::kWrite, .unique = 2}, {}, 0);
    EXPECT_EQ(in_it.wait(), request.get());
    stop(2);
    EXPECT_TRUE(tell(vhost_user::Request::kRemMemReg, bytes_of(added), {}));
    EXPECT_TRUE(echoes(1));
    EXPECT_FALSE(tell(vhost_user::Request::kRemMemReg, bytes_of(added), {}));
}

TEST_F(RingControl, RingWhoseMemoryIsReplaced_WaitsForTheNewOne) {
    ASSERT_TRUE(echoes(1));
    const vhost_user::SingleMemoryRegion all{.region = region()};
    ASSERT_TRUE(tell(vhost_user::Request::kRemMemReg, bytes_of(all), {}));
    const auto request = rings_[1]->send({.opcode = fuse::Opcode::kWrite, .unique = 100}, {}, 0);
    const int fd = memory_->fd();
    ASSERT_TRUE(tell(vhost_user::Request::kAddMemReg, bytes_of(all), std::span(&fd, 1)));
    EXPECT_EQ(rings_[1]->wait(), request.get());
    EXPECT_EQ(handler_.counts.resets, 0);
}

TEST_F(RingControl, PausedMachine_GoesOnWithoutAReset) {
    ASSERT_TRUE(echoes(0));
    ASSERT_TRUE(echoes(1));
    std::array<std::uint16_t, 3> bases{};
    for (std::uint32_t i = 0; i < 3; ++i)
        bases[i] = stop(i);
    set_memory();
    for (std::uint32_t i = 0; i < 3; ++i)
        start(i, bases[i]);
    EXPECT_TRUE(echoes(0));
    EXPECT_TRUE(echoes(1));
    EXPECT_EQ(handler_.counts.resets, 0);
}

TEST_F(RingControl, RebootedGuest_FindsAHandlerThatWasReset) {
    ASSERT_TRUE(echoes(1));
    ASSERT_TRUE(echoes(2));
    for (std::uint32_t i = 0; i < 3; ++i)
        stop(i);
    for (const auto& ring : rings_)
        ring->make();
    set_memory();
    for (std::uint32_t i = 0; i < 3; ++i)
        start(i, 0);
    EXPECT_EQ(handler_.counts.resets, 1);
    EXPECT_EQ(handler_.counts.wrong_resets, 0);
    for (std::uint32_t i = 0; i < 3; ++i)
        EXPECT_TRUE(echoes(i));
}

TEST_F(RingControl, ResetDevice_StopsTheRingsAndResetsTheHandler) {
    ASSERT_TRUE(echoes(1));
    ASSERT_TRUE(tell(vhost_user::Request::kResetDevice, {}, {}));
    EXPECT_EQ(handler_.counts.resets, 1);
    EXPECT_EQ(handler_.counts.wrong_resets, 0);
    for (const auto& ring : rings_)
        ring->make();
    for (std::uint32_t i = 0; i < 3; ++i)
        start(i, 0);
    EXPECT_TRUE(echoes(1));
    EXPECT_EQ(handler_.counts.resets, 1);
}

TEST_F(RingControl, BrokenRing_StopsAloneAndTellsItsErrorDescriptor) {
    const vhost_user::EventFd error;
    const std::uint64_t index = 1;
    const int fd = error.get();
    const std::uint16_t base = stop(1);
    ASSERT_TRUE(tell(vhost_user::Request::kSetVringErr, bytes_of(index), std::span(&fd, 1)));
    start(1, base);
    ASSERT_TRUE(echoes(1));

    const virtio::Piece loop{memory_->guest_address(0), 16};
    ASSERT_TRUE(rings_[1]->driver().add(std::span(&loop, 1), {}, this));
    for (std::uint16_t i = 0; i < 32; ++i) {
        rings_[1]->parts().descriptor(i)->flags = virtio::descriptor_flag::kNext;
        rings_[1]->parts().descriptor(i)->next = i;
    }
    rings_[1]->publish();
    pollfd entry{.fd = error.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&entry, 1, 20000), 1);
    EXPECT_TRUE(echoes(2));
    EXPECT_TRUE(echoes(0));
    stop(1);  // which ends its thread: what that had to say is in the log
    EXPECT_THAT(served_->log(), testing::HasSubstr("virtiofs-q1: the guest has broken its queue"));
    rings_[1]->make();
    start(1, 0);
    EXPECT_TRUE(echoes(1));
}

TEST_F(RingControl, AddressOutsideMemory_IsTriedAgainWhenTheMemoryChanges) {
    auto more = lab::GuestMemory::create(1 << 20, 0x7'0000'0000);
    ASSERT_TRUE(more);
    const fuse::InHeader header{.opcode = fuse::Opcode::kWrite, .unique = 2};
    std::memcpy(more->at(0), &header, sizeof header);
    const virtio::Piece readable{more->guest_address(0), sizeof header};
    const virtio::Piece writable{more->guest_address(4096), sizeof(fuse::OutHeader)};
    ASSERT_TRUE(rings_[1]->driver().add(std::span(&readable, 1), std::span(&writable, 1), this));
    rings_[1]->publish();
    while (served_->log().empty())
        std::this_thread::yield();
    const vhost_user::SingleMemoryRegion added{.region = {.guest_address = more->guest_address(0),
                                                          .bytes = more->bytes(),
                                                          .user_address = more->user_address(0)}};
    const int fd = more->fd();
    ASSERT_TRUE(tell(vhost_user::Request::kAddMemReg, bytes_of(added), std::span(&fd, 1)));
    EXPECT_EQ(static_cast<void*>(rings_[1]->wait()), this);
}

class RingControlWithoutAsyncIo : public RingControl {
  protected:
    VhostServerOptions options() const override { return {.max_request_queues = 2, .async_capacity = 0}; }
};

TEST_F(RingControlWithoutAsyncIo, RequestsServedBeforeOneThatWaits_AreShownToTheGuest) {
    Pipe pipe;
    const auto echo = rings_[1]->add({.opcode = fuse::Opcode::kWrite, .unique = 2}, {}, 0);
    const auto read = read_from(pipe, 1);
    EXPECT_EQ(rings_[1]->wait(), echo.get());
    EXPECT_TRUE(echoes(2));
    pipe.write("late");
    ASSERT_EQ(rings_[1]->wait(), read.get());
    EXPECT_EQ(text_of(rings_[1]->reply_body(*read)), "late");
    EXPECT_EQ(handler_.counts.outstanding, 0);
    EXPECT_FALSE(handler_.counts.has_io);
}

TEST_F(RingControl, ProtocolErrorWithOperationInFlight_EndsCleanly) {
    Pipe pipe;
    const auto request = read_from(pipe, 1);
    EXPECT_TRUE(vhost_user::send_message(front_->socket(), vhost_user::Request{999}, 0, {}, {},
                                         vhost_user::within(1s)));
    pipe.write("late");
    const auto ended = served_->wait();
    ASSERT_FALSE(ended);
    EXPECT_THAT(ended.error(), testing::HasSubstr("999"));
    EXPECT_EQ(handler_.counts.workers, 0);
    EXPECT_EQ(handler_.counts.wrong_resets, 0);
    EXPECT_EQ(handler_.counts.resets, 1);
    EXPECT_EQ(rings_[1]->wait(), request.get());
}

}  // namespace
}  // namespace host
