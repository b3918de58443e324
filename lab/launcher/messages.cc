#include "lab/launcher/messages.h"

#include <algorithm>

namespace lab::launcher {
namespace {

constexpr std::size_t kMaxDigits = 10;

bool is_command(char16_t letter) {
    return std::u16string_view(u"SXTIL").contains(letter);
}

}  // namespace

std::vector<std::u16string> split_texts(std::u16string_view data) {
    std::vector<std::u16string> texts;
    while (!data.empty()) {
        const std::size_t end = std::min(data.find(u'\0'), data.size());
        texts.emplace_back(data.substr(0, end));
        data.remove_prefix(std::min(end + 1, data.size()));
    }
    return texts;
}

std::optional<Request> parse_request(std::u16string_view message) {
    if (message.empty() || message.size() > kMaxMessageUnits || !is_command(message[0])) return std::nullopt;
    Request request{.command = static_cast<Command>(message[0]), .arguments = {}};
    message.remove_prefix(1);
    if (!message.empty() && message.back() != u'\0') return std::nullopt;
    request.arguments = split_texts(message);
    return request;
}

std::u16string request_message(const Request& request) {
    std::u16string message(1, static_cast<char16_t>(request.command));
    for (const std::u16string& argument : request.arguments) {
        message += argument;
        message += u'\0';
    }
    return message;
}

std::optional<Reply> parse_reply(std::u16string_view message) {
    if (message.empty()) return std::nullopt;
    const char16_t kind = message[0];
    message.remove_prefix(1);
    if (kind == u'$') return Reply{.error = 0, .data = std::u16string(message)};
    if (kind != u'!' || message.empty() || message.size() > kMaxDigits) return std::nullopt;
    std::uint64_t number = 0;
    for (const char16_t digit : message) {
        if (digit < u'0' || digit > u'9') return std::nullopt;
        number = number * 10 + (digit - u'0');
    }
    if (number == 0 || number > UINT32_MAX) return std::nullopt;
    return Reply{.error = static_cast<std::uint32_t>(number), .data = {}};
}

std::u16string reply_message(const Reply& reply) {
    if (reply.error == 0) return u"$" + reply.data;
    std::u16string message = u"!";
    for (const char digit : std::to_string(reply.error))
        message += static_cast<char16_t>(digit);
    return message;
}

}  // namespace lab::launcher
