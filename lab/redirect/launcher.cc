// launcher.exe [--cd DIR] [--] PROGRAM ARGS...: runs a program that sees the emulated drives. Loads the
// redirection into itself, so that starting the program is like any other program starting a child. Must
// never know: what the redirection does.
#include <windows.h>

#include <cstdio>
#include <string>

namespace {

constexpr int kCannotStart = 125;

std::wstring message_of(DWORD error) {
    wchar_t text[512];
    const DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr,
                                        error, 0, text, 512, nullptr);
    std::wstring message(text, length);
    while (!message.empty() &&
           (message.back() == L'\n' || message.back() == L'\r' || message.back() == L'.')) {
        message.pop_back();
    }
    return message + L" (" + std::to_wstring(error) + L")";
}

int fail(const std::wstring& what, DWORD error) {
    std::fwprintf(stderr, L"launcher: %ls: %ls\n", what.c_str(), message_of(error).c_str());
    return kCannotStart;
}

std::wstring own_directory() {
    std::wstring path(32768, L'\0');
    path.resize(GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
    return path.substr(0, path.rfind(L'\\') + 1);
}

// One argument as CommandLineToArgvW reads it.
std::wstring quoted(const std::wstring& argument) {
    if (!argument.empty() && argument.find_first_of(L" \t\"") == std::wstring::npos) return argument;
    std::wstring out = L"\"";
    std::size_t backslashes = 0;
    for (wchar_t c : argument) {
        if (c == L'"') out.append(backslashes + 1, L'\\');
        backslashes = c == L'\\' ? backslashes + 1 : 0;
        out += c;
    }
    out.append(backslashes, L'\\');
    return out + L'"';
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    int at = 1;
    const wchar_t* directory = nullptr;
    if (at + 1 < argc && std::wstring_view(argv[at]) == L"--cd") {
        directory = argv[at + 1];
        at += 2;
    }
    if (at < argc && std::wstring_view(argv[at]) == L"--") ++at;
    if (at >= argc) {
        std::fwprintf(stderr, L"usage: launcher.exe [--cd DIR] [--] PROGRAM [ARGS...]\n");
        return kCannotStart;
    }
    const std::wstring dll = own_directory() + L"vfsredirect.dll";
    if (!LoadLibraryW(dll.c_str())) return fail(L"cannot load " + dll, GetLastError());
    if (directory && !SetCurrentDirectoryW(directory)) {
        return fail(std::wstring(L"cannot enter directory ") + directory, GetLastError());
    }

    std::wstring command;
    for (int i = at; i < argc; ++i) {
        if (i > at) command += L' ';
        command += quoted(argv[i]);
    }
    STARTUPINFOW startup{};
    startup.cb = sizeof(startup);
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    for (HANDLE handle : {startup.hStdInput, startup.hStdOutput, startup.hStdError}) {
        SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    }
    // Ctrl-C is for the program; its exit code tells how it ended.
    SetConsoleCtrlHandler([](DWORD) -> BOOL { return TRUE; }, TRUE);
    PROCESS_INFORMATION process{};
    if (!CreateProcessW(nullptr, command.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup,
                        &process)) {
        return fail(L"cannot start " + std::wstring(argv[at]), GetLastError());
    }
    CloseHandle(process.hThread);
    WaitForSingleObject(process.hProcess, INFINITE);
    DWORD code = kCannotStart;
    GetExitCodeProcess(process.hProcess, &code);
    return static_cast<int>(code);
}
