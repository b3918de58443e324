#include "lab/device_host/device.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "ioctl/contract.h"
#include "lab/device_host/exchange.h"

namespace lab::device_host {
namespace {

constexpr std::size_t kMaxOpens = 4096;
constexpr std::size_t kMaxTagBytes = 36;
// How long a removal waits for whoever watches the device.
constexpr std::chrono::seconds kPatience{30};

// `text` from `at` on as one code point; nothing if it is no well-formed UTF-8.
std::optional<char32_t> decode(const std::string& text, std::size_t& at) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned first = byte(at);
    if (first < 0x80) {
        ++at;
        return first;
    }
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4) return std::nullopt;
    char32_t code = first & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80U) return std::nullopt;
        code = code << 6 | (byte(at + i) & 0x3FU);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return std::nullopt;
    at += length;
    return code;
}

}  // namespace

std::u16string tag_from_utf8(const std::string& tag) {
    if (tag.size() > kMaxTagBytes) return {};
    std::u16string out;
    for (std::size_t at = 0; at < tag.size();) {
        const auto code = decode(tag, at);
        if (!code || *code == 0) return {};
        if (*code < 0x10000) {
            out += static_cast<char16_t>(*code);
        } else {
            out += static_cast<char16_t>(0xD800 + ((*code - 0x10000) >> 10));
            out += static_cast<char16_t>(0xDC00 + ((*code - 0x10000) & 0x3FF));
        }
    }
    return out;
}

Device::Device(std::u16string tag) : tag_(std::move(tag)) {}

Device::Device(guest::Channel& channel, std::u16string tag) : Device(std::move(tag)) {
    attach(channel);
    arrive();
}

Device::~Device() {
    detach();
}

void Device::attach(guest::Channel& channel) {
    {
        const std::scoped_lock guard(lock_);
        connection_ = std::make_shared<Connection>(channel, ++last_connection_);
        lost_ = false;
    }
    // A loss that came before shows in the first message.
    channel.set_sink(this);
}

void Device::detach() {
    std::shared_ptr<Connection> old;
    {
        const std::scoped_lock guard(lock_);
        old = std::exchange(connection_, nullptr);
    }
    if (!old) return;
    old->channel().set_sink(nullptr);
    old->wait_until_unused();
}

void Device::handle(transport::Call call) {
    RequestHead request;
    if (call.head().size() != sizeof(request)) return answer(std::move(call), nt::Status::kInvalidParameter);
    std::memcpy(&request, call.head().data(), sizeof(request));
    switch (request.operation) {
        case Operation::kOpen:
            return open(std::move(call));
        case Operation::kClose:
            return close(std::move(call), request);
        case Operation::kControl:
            return control(std::move(call), request);
        case Operation::kWatch:
            return watch(std::move(call), request);
        case Operation::kNextEvent:
            return watches_.next(std::move(call), request);
        case Operation::kEndWatch:
            return watches_.end(std::move(call), request);
    }
    answer(std::move(call), nt::Status::kInvalidDeviceRequest);
}

void Device::open(transport::Call call) {
    std::uint32_t number = 0;
    nt::Status status = nt::Status::kInsufficientResources;
    {
        const std::scoped_lock guard(lock_);
        if (presence_ == Presence::kAbsent) {
            status = nt::Status::kObjectNameNotFound;
        } else if (presence_ == Presence::kLeaving) {
            status = nt::Status::kDeletePending;
        } else if (opens_.size() < kMaxOpens) {
            do {
                number = ++last_open_;
            } while (number == 0 || opens_.contains(number));
            opens_.emplace(number, Open{.client = call.client(),
                                        .arrival = arrivals_,
                                        .connection = connection_ && !lost_ ? connection_->number() : 0});
            status = nt::Status::kSuccess;
        }
    }
    answer(std::move(call), status, 0, number);
}

void Device::close(transport::Call call, const RequestHead& request) {
    bool known = false;
    {
        const std::scoped_lock guard(lock_);
        const auto at = opens_.find(request.open);
        known = at != opens_.end() && at->second.client == call.client();
        if (known) opens_.erase(at);
    }
    if (!known) return answer(std::move(call), nt::Status::kInvalidHandle);
    cancel_matching(nt::Status::kCancelled,
                    [&](const Exchange& exchange) { return exchange.open() == request.open; });
    answer(std::move(call), nt::Status::kSuccess);
}

void Device::watch(transport::Call call, const RequestHead& request) {
    nt::Status status = check_open(request.open, call.client());
    const std::uint32_t number = status == nt::Status::kSuccess ? watches_.add(call.client()) : 0;
    if (status == nt::Status::kSuccess && number == 0) status = nt::Status::kInsufficientResources;
    answer(std::move(call), status, 0, number);
}

nt::Status Device::check_open(std::uint32_t open, std::uint32_t client) const {
    const std::scoped_lock guard(lock_);
    const auto at = opens_.find(open);
    if (at == opens_.end() || at->second.client != client) return nt::Status::kInvalidHandle;
    const bool there = presence_ != Presence::kAbsent && at->second.arrival == arrivals_;
    return there ? nt::Status::kSuccess : nt::Status::kDeviceRemoved;
}

std::expected<std::shared_ptr<Connection>, nt::Status> Device::connection_for(std::uint32_t open) const {
    const std::scoped_lock guard(lock_);
    const auto at = opens_.find(open);
    if (at == opens_.end()) return nt::fail(nt::Status::kInvalidHandle);
    if (!connection_ || lost_ || at->second.connection != connection_->number()) {
        return nt::fail(nt::Status::kDeviceNotConnected);
    }
    return connection_;
}

void Device::control(transport::Call call, const RequestHead& request) {
    if (const nt::Status status = check_open(request.open, call.client()); status != nt::Status::kSuccess) {
        return answer(std::move(call), status);
    }
    switch (request.code) {
        case ioctl::kGetVolumeName: {
            const auto tag = std::as_bytes(std::span(tag_));
            if (request.out_length < tag.size()) return answer(std::move(call), nt::Status::kBufferTooSmall);
            std::ranges::copy(tag, call.reply_payload().begin());
            const ReplyHead head = {.status = static_cast<std::uint32_t>(nt::Status::kSuccess),
                                    .information = tag.size()};
            std::memcpy(call.reply_head().data(), &head, sizeof(head));
            return call.reply(sizeof(head), static_cast<std::uint32_t>(tag.size()));
        }
        case ioctl::kSubmitMessage:
        case ioctl::kReadDirect: {
            auto connection = connection_for(request.open);
            if (!connection) return answer(std::move(call), connection.error());
            auto exchange = Exchange::prepare(*this, *std::move(connection), call, request);
            if (!exchange) return answer(std::move(call), exchange.error());
            return submit(std::move(*exchange));
        }
        default:
            return answer(std::move(call), nt::Status::kInvalidDeviceRequest);
    }
}

void Device::submit(std::shared_ptr<Exchange> exchange) {
    nt::Status status = nt::Status::kSuccess;
    {
        const std::scoped_lock guard(lock_);
        exchanges_.emplace(exchange->id(), exchange);
        if (!opens_.contains(exchange->open())) status = nt::Status::kCancelled;
        if (presence_ == Presence::kAbsent) status = nt::Status::kDeviceRemoved;
    }
    // From here on cancellations, closes and removals find it; those that came before have left their marks.
    if (exchange->cancelled_by_transport()) status = nt::Status::kCancelled;
    if (status != nt::Status::kSuccess) return exchange->refuse(status);
    exchange->submit();
}

void Device::forget(const Exchange& exchange) noexcept {
    const std::scoped_lock guard(lock_);
    exchanges_.erase(exchange.id());
}

void Device::cancel_matching(nt::Status why, const std::function<bool(const Exchange&)>& wanted) noexcept {
    std::vector<std::shared_ptr<Exchange>> found;
    {
        const std::scoped_lock guard(lock_);
        for (const auto& [id, exchange] : exchanges_) {
            if (wanted(*exchange)) found.push_back(exchange);
        }
    }
    for (const auto& exchange : found)
        exchange->cancel(why);
}

void Device::cancel(transport::CallId call) noexcept {
    watches_.cancel(call);
    std::shared_ptr<Exchange> exchange;
    {
        const std::scoped_lock guard(lock_);
        if (const auto at = exchanges_.find(call); at != exchanges_.end()) exchange = at->second;
    }
    if (exchange) exchange->cancel(nt::Status::kCancelled);
}

void Device::client_gone(std::uint32_t client) noexcept {
    watches_.client_gone(client);
    const std::scoped_lock guard(lock_);
    std::erase_if(opens_, [client](const auto& open) { return open.second.client == client; });
}

void Device::channel_lost(guest::Epoch) noexcept {
    {
        const std::scoped_lock guard(lock_);
        if (std::exchange(lost_, true)) return;
    }
    if (lost_callback_) lost_callback_();
}

// Arrival and removal

void Device::set_presence(Presence presence) {
    const std::scoped_lock guard(lock_);
    presence_ = presence;
}

void Device::arrive() {
    const std::scoped_lock guard(lock_);
    if (presence_ == Presence::kPresent) return;
    presence_ = Presence::kPresent;
    ++arrivals_;
}

std::expected<void, std::string> Device::remove() {
    if (!is_present()) return std::unexpected("the device is not there");
    set_presence(Presence::kLeaving);
    const bool agreed = watches_.tell(WatchEvent::kQueryRemove, kPatience);
    const std::size_t opens = open_count();
    if (!agreed || opens != 0) {
        set_presence(Presence::kPresent);
        watches_.tell(WatchEvent::kQueryRemoveFailed, kPatience);
        return std::unexpected(agreed ? "the device is in use: " + std::to_string(opens) + " handles are open"
                                      : "a program objects to the removal or does not answer");
    }
    set_presence(Presence::kAbsent);
    watches_.tell(WatchEvent::kRemovePending, kPatience);
    watches_.tell(WatchEvent::kRemoveComplete, kPatience);
    return {};
}

void Device::fail_removal() {
    set_presence(Presence::kLeaving);
    watches_.tell(WatchEvent::kQueryRemove, kPatience);
    set_presence(Presence::kPresent);
    watches_.tell(WatchEvent::kQueryRemoveFailed, kPatience);
}

void Device::pull_out() {
    set_presence(Presence::kAbsent);
    cancel_matching(nt::Status::kDeviceRemoved, [](const Exchange&) { return true; });
    watches_.tell(WatchEvent::kRemovePending, kPatience);
    watches_.tell(WatchEvent::kRemoveComplete, kPatience);
}

bool Device::is_present() const {
    const std::scoped_lock guard(lock_);
    return presence_ == Presence::kPresent;
}

std::size_t Device::open_count() const {
    const std::scoped_lock guard(lock_);
    return static_cast<std::size_t>(
        std::ranges::count_if(opens_, [this](const auto& open) { return open.second.arrival == arrivals_; }));
}

std::size_t Device::in_flight() const {
    const std::scoped_lock guard(lock_);
    return exchanges_.size();
}

}  // namespace lab::device_host
