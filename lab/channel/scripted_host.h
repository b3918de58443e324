// A host whose every answer a test decides: guest::Channel without a daemon.
// Must never know: how a real host behaves.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include "fuse/protocol.h"
#include "guest/volume/channel.h"
#include "lab/channel/sink_holder.h"

namespace lab {

struct ScriptedRequest {
    fuse::InHeader header;
    std::span<const std::byte> arguments;  // all behind the header

    // The fixed arguments; zeros where the request is shorter.
    template <typename T>
    T arguments_as() const {
        T value{};
        std::memcpy(&value, arguments.data(), std::min(sizeof value, arguments.size()));
        return value;
    }
    // The string at that offset, up to its NUL or the end.
    std::string_view string_at(std::size_t offset) const;
};

struct NoAnswer {};  // held until cancel(), answer_held(), lose() or the end
struct RawAnswer {   // written as it is, header included; cut at the room there is
    std::vector<std::byte> bytes;
};
struct Success {  // a right header and this body
    std::vector<std::byte> body;
};
struct Failure {  // a header with an errno
    fuse::Errno error{};
};
struct TransportFailure {  // completed without any reply
    guest::ChannelError error{};
};
using Answer = std::variant<NoAnswer, RawAnswer, Success, Failure, TransportFailure>;

// Success with the bytes of the given objects one after another.
template <typename... T>
Success success(const T&... parts) {
    Success answer;
    const auto append = [&](std::span<const std::byte> bytes) {
        answer.body.insert(answer.body.end(), bytes.begin(), bytes.end());
    };
    (append(std::as_bytes(std::span(&parts, 1))), ...);
    return answer;
}

// Thread-safe. The script is called with no lock held, on several threads at once if messages are submitted
// so.
class ScriptedHost final : public guest::Channel {
  public:
    using Script = std::function<Answer(const ScriptedRequest&)>;
    enum class Delivery {
        kInSubmit,   // completes before submit() returns
        kOwnThread,  // on a thread of the host, in order
    };

    explicit ScriptedHost(Script script, Delivery delivery = Delivery::kInSubmit,
                          std::size_t max_message_bytes = (std::size_t{1} << 20) + 4096);
    // Completes what is held with kCancelled.
    ~ScriptedHost() override;

    guest::Epoch epoch() const noexcept override { return guest::Epoch{1}; }
    std::size_t max_message_bytes() const noexcept override { return max_message_bytes_; }
    void set_sink(guest::ChannelSink* sink) noexcept override { sink_.set(sink); }
    void submit(std::span<guest::Message* const> messages) noexcept override;
    void cancel(guest::Message& message) noexcept override;

    // Messages that got NoAnswer and are still there.
    std::size_t held() const;
    // Waits until there are that many; false if they are not in time.
    bool wait_for_held(std::size_t count, std::chrono::milliseconds time = std::chrono::seconds(10)) const;
    // Gives an answer to the oldest message held; false if there is none.
    bool answer_held(const Answer& answer);
    // Ends the epoch: held messages and all later ones are completed with kLost, the sink is told.
    void lose();

  private:
    void serve_message(guest::Message& message);
    void deliver(guest::Message& message, std::uint64_t unique, const Answer& answer);
    void end(guest::ChannelError how);
    void run();

    const Script script_;
    const std::size_t max_message_bytes_;
    mutable std::mutex
        mutex_;  // guards everything down to stopping_; not held while completing or in the script
    mutable std::condition_variable changed_;
    std::deque<guest::Message*> queued_;  // kOwnThread: not yet looked at
    std::deque<guest::Message*> held_;
    bool lost_ = false;
    bool stopping_ = false;
    SinkHolder sink_;
    std::thread thread_;
};

}  // namespace lab
