// launchctl-x64.exe: the command line to the launcher. Prints OK and what was asked for, or KO and a Win32
// error, which is the exit code, too. Must never know: what the launcher does.
#include <windows.h>

#include <cstdio>
#include <cwchar>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "lab/launcher/messages.h"

namespace {

using namespace lab::launcher;

constexpr int kUsageError = 2;
constexpr DWORD kLauncherTime = 30'000;  // ms that the launcher may be busy with others

struct Verb {
    std::wstring_view name;
    Command command;
    int min_arguments;
    int max_arguments;
};
constexpr Verb kVerbs[] = {{L"start", Command::kStart, 2, 2 + kMaxInstanceArguments},
                           {L"startWithSecret", Command::kStartWithSecret, 2, 2 + kMaxInstanceArguments},
                           {L"stop", Command::kStop, 2, 2},
                           {L"info", Command::kInfo, 2, 2},
                           {L"list", Command::kList, 0, 0}};

std::optional<Request> read_arguments(int argc, wchar_t** argv) {
    for (const Verb& verb : kVerbs) {
        if (argc < 2 || verb.name != argv[1]) continue;
        if (argc - 2 < verb.min_arguments || argc - 2 > verb.max_arguments) return std::nullopt;
        Request request{.command = verb.command, .arguments = {}};
        for (int i = 2; i < argc; ++i)
            request.arguments.emplace_back(reinterpret_cast<const char16_t*>(argv[i]));
        return request;
    }
    return std::nullopt;
}

std::expected<Reply, DWORD> call(const std::u16string& message) {
    std::u16string answer(kMaxMessageUnits, u'\0');
    DWORD bytes = 0;
    if (!CallNamedPipeW(kPipeName, const_cast<char16_t*>(message.data()),
                        static_cast<DWORD>(message.size() * sizeof(char16_t)), answer.data(),
                        static_cast<DWORD>(answer.size() * sizeof(char16_t)), &bytes, kLauncherTime)) {
        return std::unexpected(GetLastError());
    }
    answer.resize(bytes / sizeof(char16_t));
    const auto reply = parse_reply(answer);
    if (!reply) return std::unexpected(ERROR_INVALID_DATA);
    return *reply;
}

void print(const std::u16string& text) {
    const auto* wide = reinterpret_cast<const wchar_t*>(text.data());
    const int units = static_cast<int>(text.size());
    std::string utf8(text.size() * 3, '\0');
    utf8.resize(static_cast<std::size_t>(WideCharToMultiByte(
        CP_UTF8, 0, wide, units, utf8.data(), static_cast<int>(utf8.size()), nullptr, nullptr)));
    std::puts(utf8.c_str());
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    const auto request = read_arguments(argc, argv);
    if (!request) {
        std::fputs(
            "usage: launchctl-x64 start CLASS INSTANCE [ARGUMENT]... | stop CLASS INSTANCE | info CLASS "
            "INSTANCE | list\n",
            stderr);
        return kUsageError;
    }
    const auto reply = call(request_message(*request));
    const DWORD error = reply ? reply->error : reply.error();
    if (error != 0) {
        std::printf("KO %lu\n", error);
        return static_cast<int>(error);
    }
    std::puts("OK");
    const auto texts = split_texts(reply->data);
    if (request->command == Command::kList) {
        for (std::size_t i = 0; i + 1 < texts.size(); i += 2)
            print(texts[i] + u" " + texts[i + 1]);
    } else {
        for (const auto& text : texts)
            print(text);
    }
    return 0;
}
