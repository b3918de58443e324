// What goes over the launcher's pipe, in UTF-16 units: a request is a command's letter and its arguments,
// each ended by a zero; a reply is '$' and data, or '!' and a Win32 error number. Must never know: windows.h,
// what commands do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lab::launcher {

inline constexpr wchar_t kPipeName[] = L"\\\\.\\pipe\\WinFsp.{14E7137D-22B4-437A-B0C1-D21D1BDF3767}";
// The longest message, in units.
inline constexpr std::size_t kMaxMessageUnits = 2048;
// What a class's command line can name: %1 to %9.
inline constexpr std::size_t kMaxInstanceArguments = 9;

enum class Command : char16_t {
    kStart = u'S',
    kStartWithSecret = u'X',
    kStop = u'T',
    kInfo = u'I',
    kList = u'L',
};

struct Request {
    Command command{};
    std::vector<std::u16string> arguments;
};

// Nothing for a message that is none: too long, no such command, the last argument not ended.
std::optional<Request> parse_request(std::u16string_view message);
std::u16string request_message(const Request& request);

struct Reply {
    std::uint32_t error = 0;  // a Win32 error; 0: done
    std::u16string data;      // texts, each ended by a zero
};

std::optional<Reply> parse_reply(std::u16string_view message);
std::u16string reply_message(const Reply& reply);

// The texts of a reply's data.
std::vector<std::u16string> split_texts(std::u16string_view data);

}  // namespace lab::launcher
