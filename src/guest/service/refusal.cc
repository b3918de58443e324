#include "guest/service/refusal.h"

#include <windows.h>
#include <winsvc.h>

#include <atomic>
#include <string>

#include "guest/service/console.h"
#include "guest/service/win32.h"

namespace guest::service {
namespace {

// The system's callbacks carry no context.
std::atomic<DWORD> refused_with{ERROR_GEN_FAILURE};

// Services have a window station of their own, which nobody sees; WinFsp decides by the same where messages
// go.
bool has_user() {
    USEROBJECTFLAGS flags{};
    DWORD bytes = 0;
    return GetUserObjectInformationW(GetProcessWindowStation(), UOI_FLAGS, &flags, sizeof flags, &bytes) &&
           (flags.dwFlags & WSF_VISIBLE) != 0;
}

void write_event(const std::wstring& text) {
    const HANDLE source = RegisterEventSourceW(nullptr, kServiceName);
    if (source == nullptr) return;
    const wchar_t* strings[] = {text.c_str()};
    ReportEventW(source, EVENTLOG_ERROR_TYPE, 0, 0, nullptr, 1, 0, strings, nullptr);
    DeregisterEventSource(source);
}

DWORD WINAPI on_control(DWORD, DWORD, PVOID, PVOID) {
    return ERROR_CALL_NOT_IMPLEMENTED;
}

void WINAPI service_main(DWORD, PWSTR*) {
    const SERVICE_STATUS_HANDLE handle = RegisterServiceCtrlHandlerExW(kServiceName, on_control, nullptr);
    if (handle == nullptr) return;
    SERVICE_STATUS status{};
    status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    status.dwCurrentState = SERVICE_STOPPED;
    status.dwWin32ExitCode = refused_with;
    SetServiceStatus(handle, &status);
}

}  // namespace

int refuse_to_start(ExitCode code, std::string_view message) {
    const std::string text = "virtiofs: " + std::string(message);
    print(Stream::kError, text + "\n");
    if (!has_user()) {
        write_event(to_wide(text));
        refused_with = static_cast<DWORD>(code);
        std::wstring name(kServiceName);
        const SERVICE_TABLE_ENTRYW table[] = {{name.data(), service_main}, {nullptr, nullptr}};
        // Fails at once where the service control manager did not start this process.
        StartServiceCtrlDispatcherW(table);
    }
    return static_cast<int>(code);
}

}  // namespace guest::service
