// The device behind its transport, on a channel whose host is scripted, and programs' requests to it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fuse/protocol.h"
#include "ioctl/contract.h"
#include "lab/device_host/device.h"
#include "lab/transport/client.h"

namespace lab::device_host {

inline constexpr auto kTimeout = std::chrono::seconds(20);

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

inline std::vector<std::byte> message(std::uint64_t unique, const std::string& body,
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

inline Answer read_answer(const transport::ReplyView& view) {
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

}  // namespace lab::device_host
