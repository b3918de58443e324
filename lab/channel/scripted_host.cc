#include "lab/channel/scripted_host.h"

#include <utility>

#include "lab/channel/message_bytes.h"

namespace lab {
namespace {

fuse::InHeader header_of(const guest::Message& message) {
    fuse::InHeader header;
    gather(message, std::as_writable_bytes(std::span(&header, 1)));
    return header;
}

}  // namespace

std::string_view ScriptedRequest::string_at(std::size_t offset) const {
    if (offset >= arguments.size()) return {};
    const std::string_view rest(reinterpret_cast<const char*>(arguments.data()) + offset,
                                arguments.size() - offset);
    return rest.substr(0, rest.find('\0'));
}

ScriptedHost::ScriptedHost(Script script, Delivery delivery, std::size_t max_message_bytes)
    : script_(std::move(script)), max_message_bytes_(max_message_bytes) {
    if (delivery == Delivery::kOwnThread) thread_ = std::thread([this] { run(); });
}

ScriptedHost::~ScriptedHost() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    end(guest::ChannelError::kCancelled);
}

void ScriptedHost::submit(std::span<guest::Message* const> messages) noexcept {
    for (guest::Message* const message : messages) {
        const std::size_t out = out_bytes_of(*message);
        if (out < sizeof(fuse::InHeader) || out > max_message_bytes_ ||
            in_bytes_of(*message) > max_message_bytes_) {
            message->completed(std::unexpected(guest::ChannelError::kRefused));
            continue;
        }
        std::unique_lock lock(mutex_);
        if (lost_ || stopping_ || message->epoch != epoch()) {
            lock.unlock();
            message->completed(std::unexpected(guest::ChannelError::kLost));
        } else if (thread_.joinable()) {
            queued_.push_back(message);
            lock.unlock();
            changed_.notify_all();
        } else {
            lock.unlock();
            serve_message(*message);
        }
    }
}

void ScriptedHost::serve_message(guest::Message& message) {
    std::vector<std::byte> bytes(out_bytes_of(message));
    gather(message, bytes);
    const ScriptedRequest request{.header = header_of(message),
                                  .arguments = std::span(bytes).subspan(sizeof(fuse::InHeader))};
    const Answer answer = script_(request);
    if (std::holds_alternative<NoAnswer>(answer)) {
        std::unique_lock lock(mutex_);
        if (lost_) {
            lock.unlock();
            message.completed(std::unexpected(guest::ChannelError::kLost));
            return;
        }
        held_.push_back(&message);
        lock.unlock();
        changed_.notify_all();
        return;
    }
    deliver(message, request.header.unique, answer);
}

void ScriptedHost::deliver(guest::Message& message, std::uint64_t unique, const Answer& answer) {
    if (const auto* const failure = std::get_if<TransportFailure>(&answer)) {
        message.completed(std::unexpected(failure->error));
        return;
    }
    std::vector<std::byte> reply;
    if (const auto* const raw = std::get_if<RawAnswer>(&answer)) {
        reply = raw->bytes;
    } else if (!message.in.empty()) {
        fuse::OutHeader header{.len = sizeof(fuse::OutHeader), .error = 0, .unique = unique};
        if (const auto* const failed = std::get_if<Failure>(&answer)) {
            header.error = -static_cast<std::int32_t>(failed->error);
        }
        const auto* const good = std::get_if<Success>(&answer);
        if (good != nullptr) header.len += static_cast<std::uint32_t>(good->body.size());
        const auto head = std::as_bytes(std::span(&header, 1));
        reply.assign(head.begin(), head.end());
        if (good != nullptr) reply.insert(reply.end(), good->body.begin(), good->body.end());
    }
    message.completed(static_cast<std::uint32_t>(scatter(reply, message)));
}

void ScriptedHost::cancel(guest::Message& message) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (std::erase(held_, &message) == 0 && std::erase(queued_, &message) == 0) return;
    }
    message.completed(std::unexpected(guest::ChannelError::kCancelled));
}

std::size_t ScriptedHost::held() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
}

bool ScriptedHost::wait_for_held(std::size_t count, std::chrono::milliseconds time) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [&] { return held_.size() >= count; });
}

bool ScriptedHost::answer_held(const Answer& answer) {
    guest::Message* message = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (held_.empty()) return false;
        message = held_.front();
        held_.pop_front();
    }
    deliver(*message, header_of(*message).unique, answer);
    return true;
}

void ScriptedHost::end(guest::ChannelError how) {
    std::vector<guest::Message*> messages;
    {
        const std::lock_guard lock(mutex_);
        lost_ = true;
        messages.assign(held_.begin(), held_.end());
        messages.insert(messages.end(), queued_.begin(), queued_.end());
        held_.clear();
        queued_.clear();
    }
    for (guest::Message* const message : messages)
        message->completed(std::unexpected(how));
}

void ScriptedHost::lose() {
    end(guest::ChannelError::kLost);
    sink_.tell_lost(epoch());
}

void ScriptedHost::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return stopping_ || !queued_.empty(); });
        if (stopping_) return;
        guest::Message* const message = queued_.front();
        queued_.pop_front();
        lock.unlock();
        serve_message(*message);
        lock.lock();
    }
}

}  // namespace lab
