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

Device::Device(guest::Channel& channel, std::u16string tag) : channel_(channel), tag_(std::move(tag)) {
    channel_.set_sink(this);
}

Device::~Device() {
    channel_.set_sink(nullptr);
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
    }
    answer(std::move(call), nt::Status::kInvalidDeviceRequest);
}

void Device::open(transport::Call call) {
    std::uint32_t number = 0;
    {
        const std::scoped_lock guard(lock_);
        if (opens_.size() < kMaxOpens) {
            do {
                number = ++last_open_;
            } while (number == 0 || opens_.contains(number));
            opens_.emplace(number, call.client());
        }
    }
    const nt::Status status = number != 0 ? nt::Status::kSuccess : nt::Status::kInsufficientResources;
    answer(std::move(call), status, 0, number);
}

void Device::close(transport::Call call, const RequestHead& request) {
    bool known = false;
    {
        const std::scoped_lock guard(lock_);
        const auto at = opens_.find(request.open);
        known = at != opens_.end() && at->second == call.client();
        if (known) opens_.erase(at);
    }
    if (!known) return answer(std::move(call), nt::Status::kInvalidHandle);
    cancel_matching([&](const Exchange& exchange) { return exchange.open() == request.open; });
    answer(std::move(call), nt::Status::kSuccess);
}

bool Device::is_open(std::uint32_t open, std::uint32_t client) const {
    const std::scoped_lock guard(lock_);
    const auto at = opens_.find(open);
    return at != opens_.end() && at->second == client;
}

void Device::control(transport::Call call, const RequestHead& request) {
    if (!is_open(request.open, call.client())) return answer(std::move(call), nt::Status::kInvalidHandle);
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
            if (lost_.load()) return answer(std::move(call), nt::Status::kDeviceRemoved);
            auto exchange = Exchange::prepare(*this, call, request);
            if (!exchange) return answer(std::move(call), exchange.error());
            return submit(std::move(*exchange));
        }
        default:
            return answer(std::move(call), nt::Status::kInvalidDeviceRequest);
    }
}

void Device::submit(std::shared_ptr<Exchange> exchange) {
    bool open = false;
    {
        const std::scoped_lock guard(lock_);
        exchanges_.emplace(exchange->id(), exchange);
        open = opens_.contains(exchange->open());
    }
    // From here on cancellations and closes find it; those that came before have left their marks.
    if (!open || exchange->cancelled_by_transport()) return exchange->refuse(nt::Status::kCancelled);
    exchange->submit();
}

void Device::forget(const Exchange& exchange) noexcept {
    const std::scoped_lock guard(lock_);
    exchanges_.erase(exchange.id());
}

void Device::cancel_matching(const std::function<bool(const Exchange&)>& wanted) noexcept {
    std::vector<std::shared_ptr<Exchange>> found;
    {
        const std::scoped_lock guard(lock_);
        for (const auto& [id, exchange] : exchanges_) {
            if (wanted(*exchange)) found.push_back(exchange);
        }
    }
    for (const auto& exchange : found)
        exchange->cancel();
}

void Device::cancel(transport::CallId call) noexcept {
    std::shared_ptr<Exchange> exchange;
    {
        const std::scoped_lock guard(lock_);
        if (const auto at = exchanges_.find(call); at != exchanges_.end()) exchange = at->second;
    }
    if (exchange) exchange->cancel();
}

void Device::client_gone(std::uint32_t client) noexcept {
    const std::scoped_lock guard(lock_);
    std::erase_if(opens_, [client](const auto& open) { return open.second == client; });
}

void Device::channel_lost(guest::Epoch) noexcept {
    if (!lost_.exchange(true) && lost_callback_) lost_callback_();
}

std::size_t Device::open_count() const {
    const std::scoped_lock guard(lock_);
    return opens_.size();
}

std::size_t Device::in_flight() const {
    const std::scoped_lock guard(lock_);
    return exchanges_.size();
}

}  // namespace lab::device_host
