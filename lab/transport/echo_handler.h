// A handler for tests: answers with the request. A head of "hold" is kept until it is cancelled or released,
// one of "block" holds its thread until open(). Must never know: which kind of process it runs in.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lab/transport/server.h"

namespace lab::transport {

inline std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

inline std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class EchoHandler final : public Handler {
  public:
    static constexpr auto kTimeout = std::chrono::seconds(20);

    void handle(Call call) override {
        if (text_of(call.head()) == "hold") {
            const std::scoped_lock guard(lock_);
            const CallId id = call.id();
            held_.emplace(id, std::move(call));
            changed_.notify_all();
            if (const auto at = held_.find(id); at->second.cancelled()) finish(at, "cancelled");
            return;
        }
        if (text_of(call.head()) == "block") {
            std::unique_lock guard(lock_);
            ++blocked_;
            changed_.notify_all();
            changed_.wait(guard, [this] { return open_; });
            --blocked_;
        }
        std::ranges::copy(call.head(), call.reply_head().begin());
        const auto head = static_cast<std::uint32_t>(call.head().size());
        const auto payload = static_cast<std::uint32_t>(call.payload().size());
        call.reply(head, payload);  // the payload lies there already
    }
    void cancel(CallId call) noexcept override {
        const std::scoped_lock guard(lock_);
        if (const auto at = held_.find(call); at != held_.end()) finish(at, "cancelled");
    }
    void client_gone(std::uint32_t client) noexcept override {
        const std::scoped_lock guard(lock_);
        gone_.push_back(client);
        changed_.notify_all();
    }

    bool wait_until_held(std::size_t count) {
        std::unique_lock guard(lock_);
        return changed_.wait_for(guard, kTimeout, [&] { return held_.size() == count; });
    }
    bool wait_until_blocked(int count) {
        std::unique_lock guard(lock_);
        return changed_.wait_for(guard, kTimeout, [&] { return blocked_ == count; });
    }
    bool wait_until_gone(std::uint32_t client) {
        std::unique_lock guard(lock_);
        return changed_.wait_for(guard, kTimeout, [&] { return std::ranges::count(gone_, client) == 1; });
    }
    void open() {
        const std::scoped_lock guard(lock_);
        open_ = true;
        changed_.notify_all();
    }
    void release_all() {
        const std::scoped_lock guard(lock_);
        while (!held_.empty())
            finish(held_.begin(), "released");
    }

  private:
    void finish(std::map<CallId, Call>::iterator at, const std::string& answer) {
        Call call = std::move(at->second);
        held_.erase(at);
        std::ranges::copy(bytes_of(answer), call.reply_head().begin());
        call.reply(static_cast<std::uint32_t>(answer.size()), 0);
    }

    std::mutex lock_;
    std::condition_variable changed_;
    std::map<CallId, Call> held_;
    std::vector<std::uint32_t> gone_;
    int blocked_ = 0;
    bool open_ = false;
};

}  // namespace lab::transport
