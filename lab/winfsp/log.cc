// The exports that write: FspDebugLog and its kin, FspServiceLog, FspEventLog.
#include "lab/winfsp/log.h"

#include <windows.h>
#include <sddl.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>

#include "winfsp/winfsp.h"

namespace lab::winfsp {
namespace {

// The API has one log handle a process (FspDebugLogSetHandle).
std::atomic<HANDLE> debug_handle{INVALID_HANDLE_VALUE};

constexpr std::size_t kLongestLine = 1024;  // units that wvsprintf writes at most, the terminator included

void write_debug(std::string text) {
    const HANDLE handle = debug_handle;
    if (handle == INVALID_HANDLE_VALUE || handle == nullptr) {
        OutputDebugStringA(text.c_str());
        return;
    }
    DWORD written = 0;
    WriteFile(handle, text.data(), static_cast<DWORD>(text.size()), &written, nullptr);
}

// Wine keeps no event log: entries go, a line each, to the file that VFSLAB_EVENT_LOG names.
void keep_event(ULONG type, const wchar_t* text) {
    wchar_t path[MAX_PATH];
    const DWORD length = GetEnvironmentVariableW(L"VFSLAB_EVENT_LOG", path, MAX_PATH);
    if (length == 0 || length >= MAX_PATH) return;
    const HANDLE file = CreateFileW(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
                                    OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (file == INVALID_HANDLE_VALUE) return complain("winfsp-x64.dll (lab): cannot write VFSLAB_EVENT_LOG");
    const char* level = type == EVENTLOG_ERROR_TYPE     ? "Error: "
                        : type == EVENTLOG_WARNING_TYPE ? "Warning: "
                                                        : "Information: ";
    const std::string line = level + to_utf8(text) + "\n";
    DWORD written = 0;
    WriteFile(file, line.data(), static_cast<DWORD>(line.size()), &written, nullptr);
    CloseHandle(file);
}

// To the event log, too, where nobody sits before a screen.
void log_event(ULONG type, PWSTR format, va_list arguments) {
    wchar_t text[kLongestLine + 1];
    wvsprintfW(text, format, arguments);
    complain(to_utf8(text));
    if (FspServiceIsInteractive()) return;
    if (const HANDLE source = RegisterEventSourceW(nullptr, L"WinFsp")) {
        const wchar_t* strings[] = {L"winfsp-x64.dll", text};
        ReportEventW(source, static_cast<WORD>(type), 0, 0, nullptr, 2, 0, strings, nullptr);
        DeregisterEventSource(source);
    }
    keep_event(type, text);
}

}  // namespace

std::string to_utf8(std::wstring_view text) {
    const int units = static_cast<int>(text.size());
    const int bytes = WideCharToMultiByte(CP_UTF8, 0, text.data(), units, nullptr, 0, nullptr, nullptr);
    std::string result(static_cast<std::size_t>(bytes > 0 ? bytes : 0), '\0');
    WideCharToMultiByte(CP_UTF8, 0, text.data(), units, result.data(), bytes, nullptr, nullptr);
    return result;
}

void debug_log(const char* format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_debug(std::string(text) + "\n");
}

void complain(std::string_view line) {
    const std::string text = std::string(line) + "\n";
    DWORD written = 0;
    WriteFile(GetStdHandle(STD_ERROR_HANDLE), text.data(), static_cast<DWORD>(text.size()), &written,
              nullptr);
}

}  // namespace lab::winfsp

using namespace lab::winfsp;

extern "C" {

VOID FspDebugLogSetHandle(HANDLE handle) {
    debug_handle = handle;
}

VOID FspDebugLog(const char* format, ...) {
    char text[kLongestLine + 1];
    va_list arguments;
    va_start(arguments, format);
    wvsprintfA(text, format, arguments);
    va_end(arguments);
    write_debug(text);
}

VOID FspServiceLogV(ULONG type, PWSTR format, va_list arguments) {
    log_event(type, format, arguments);
}

VOID FspServiceLog(ULONG type, PWSTR format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_event(type, format, arguments);
    va_end(arguments);
}

VOID FspEventLogV(ULONG type, PWSTR format, va_list arguments) {
    log_event(type, format, arguments);
}

VOID FspEventLog(ULONG type, PWSTR format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_event(type, format, arguments);
    va_end(arguments);
}
}
