// WinFsp's service framework: the same program as a Windows service or in a console (winfsp-contract 13).
#include <windows.h>
#include <shellapi.h>
#include <winsvc.h>

#include <atomic>
#include <cwchar>
#include <new>
#include <string>
#include <string_view>

#include "lab/winfsp/log.h"
#include "nt/status.h"
#include "winfsp/winfsp.h"

namespace lab::winfsp {
namespace {

constexpr DWORD kStopWaitHint = 30000;  // ms

// The object behind FSP_SERVICE; the name follows the API's structure in one allocation.
struct Service {
    FSP_SERVICE api;  // first: programs hold a pointer to it
    wchar_t name[256];
    HANDLE stopped;
    std::atomic<bool> stopping;
    DWORD checkpoint;
};

// The system's callbacks carry no context, so the service whose loop runs is the process's.
std::atomic<Service*> looping{nullptr};

Service& of(FSP_SERVICE* service) {
    return *reinterpret_cast<Service*>(service);
}

void report(Service& service, DWORD state, DWORD wait_hint = 0) {
    EnterCriticalSection(&service.api.ServiceStatusGuard);
    SERVICE_STATUS& status = service.api.ServiceStatus;
    const bool pending = state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING;
    status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    status.dwCurrentState = state;
    status.dwControlsAccepted = state == SERVICE_RUNNING ? service.api.AcceptControl : 0;
    status.dwWin32ExitCode = service.api.ExitCode;
    status.dwCheckPoint = pending ? ++service.checkpoint : 0;
    status.dwWaitHint = pending ? wait_hint : 0;
    if (service.api.StatusHandle != nullptr) SetServiceStatus(service.api.StatusHandle, &status);
    LeaveCriticalSection(&service.api.ServiceStatusGuard);
}

bool start(Service& service, ULONG argc, PWSTR* argv) {
    const NTSTATUS status = service.api.OnStart(&service.api, argc, argv);
    if (status >= 0) return true;
    service.api.ExitCode = FspWin32FromNtStatus(status);
    FspServiceLog(EVENTLOG_ERROR_TYPE, const_cast<PWSTR>(L"The service %s has failed to start (Status=%lx)."),
                  service.name, status);
    return false;
}

DWORD WINAPI on_service_control(DWORD control, DWORD event_type, PVOID event_data, PVOID context) {
    auto& service = *static_cast<Service*>(context);
    switch (control) {
        case SERVICE_CONTROL_STOP:
        case SERVICE_CONTROL_SHUTDOWN:
            FspServiceStop(&service.api);
            return NO_ERROR;
        case SERVICE_CONTROL_INTERROGATE:
            report(service, service.api.ServiceStatus.dwCurrentState);
            return NO_ERROR;
        default:
            break;
    }
    if (service.api.OnControl == nullptr) return ERROR_CALL_NOT_IMPLEMENTED;
    const NTSTATUS status = service.api.OnControl(&service.api, control, event_type, event_data);
    return status < 0 ? FspWin32FromNtStatus(status) : NO_ERROR;
}

void WINAPI service_main(DWORD argc, PWSTR* argv) {
    Service& service = *looping.load();
    service.api.StatusHandle = RegisterServiceCtrlHandlerExW(service.name, on_service_control, &service);
    if (service.api.StatusHandle == nullptr) return;
    report(service, SERVICE_START_PENDING, kStopWaitHint);
    if (start(service, argc, argv)) {
        report(service, SERVICE_RUNNING);
        WaitForSingleObject(service.stopped, INFINITE);
    }
    report(service, SERVICE_STOPPED);
}

BOOL WINAPI on_console_control(DWORD) {
    Service* service = looping;
    if (service == nullptr) return FALSE;
    FspServiceStop(&service->api);
    return TRUE;
}

// Whether the service control manager started this process. Asking StartServiceCtrlDispatcher, as on Windows,
// makes a console program under Wine wait ten seconds for a pipe that is not meant for it.
bool started_by_service_manager() {
    PROCESS_BASIC_INFORMATION self{};
    if (NtQueryInformationProcess(GetCurrentProcess(), ProcessBasicInformation, &self, sizeof self,
                                  nullptr) != 0) {
        return true;
    }
    const auto parent_id = static_cast<DWORD>(self.InheritedFromUniqueProcessId);
    const HANDLE parent = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, parent_id);
    if (parent == nullptr) return false;
    wchar_t path[MAX_PATH];
    DWORD length = MAX_PATH;
    const bool known = QueryFullProcessImageNameW(parent, 0, path, &length) != 0;
    CloseHandle(parent);
    constexpr std::wstring_view kManager = L"\\services.exe";
    const std::wstring_view name(path, known ? length : 0);
    return name.size() >= kManager.size() &&
           _wcsnicmp(name.data() + name.size() - kManager.size(), kManager.data(), kManager.size()) == 0;
}

void run_in_console(Service& service) {
    SetConsoleCtrlHandler(on_console_control, TRUE);
    int argc = 0;
    PWSTR* argv = CommandLineToArgvW(GetCommandLineW(), &argc);
    report(service, SERVICE_RUNNING);
    if (start(service, static_cast<ULONG>(argc), argv)) WaitForSingleObject(service.stopped, INFINITE);
    report(service, SERVICE_STOPPED);
    LocalFree(argv);
    SetConsoleCtrlHandler(on_console_control, FALSE);
}

}  // namespace
}  // namespace lab::winfsp

using namespace lab::winfsp;

extern "C" {

NTSTATUS FspServiceCreate(PWSTR name, FSP_SERVICE_START* on_start, FSP_SERVICE_STOP* on_stop,
                          FSP_SERVICE_CONTROL* on_control, FSP_SERVICE** result) {
    *result = nullptr;
    if (std::wcslen(name) >= std::size(Service{}.name))
        return static_cast<NTSTATUS>(nt::Status::kInvalidParameter);
    auto* service = new (std::nothrow) Service{};
    if (service == nullptr) return static_cast<NTSTATUS>(nt::Status::kInsufficientResources);
    service->api.Version = sizeof service->api;
    service->api.OnStart = on_start;
    service->api.OnStop = on_stop;
    service->api.OnControl = on_control;
    service->api.AcceptControl = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN;
    InitializeCriticalSection(&service->api.ServiceStatusGuard);
    InitializeCriticalSection(&service->api.ServiceStopGuard);
    std::wcscpy(service->name, name);
    service->stopped = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    *result = &service->api;
    return 0;
}

VOID FspServiceDelete(FSP_SERVICE* api) {
    Service* service = &of(api);
    CloseHandle(service->stopped);
    DeleteCriticalSection(&api->ServiceStatusGuard);
    DeleteCriticalSection(&api->ServiceStopGuard);
    delete service;
}

VOID FspServiceAllowConsoleMode(FSP_SERVICE* service) {
    service->AllowConsoleMode = TRUE;
}

VOID FspServiceAcceptControl(FSP_SERVICE* service, ULONG control) {
    service->AcceptControl |= control;
}

VOID FspServiceRequestTime(FSP_SERVICE* service, ULONG ms) {
    report(of(service), service->ServiceStatus.dwCurrentState, ms);
}

VOID FspServiceSetExitCode(FSP_SERVICE* service, ULONG code) {
    service->ExitCode = code;
}

ULONG FspServiceGetExitCode(FSP_SERVICE* service) {
    return service->ExitCode;
}

NTSTATUS FspServiceLoop(FSP_SERVICE* api) {
    Service& service = of(api);
    Service* none = nullptr;
    if (!looping.compare_exchange_strong(none, &service))
        return static_cast<NTSTATUS>(nt::Status::kInvalidParameter);
    NTSTATUS status = 0;
    SERVICE_TABLE_ENTRYW table[] = {{service.name, service_main}, {nullptr, nullptr}};
    if (api->AllowConsoleMode && !started_by_service_manager()) {
        run_in_console(service);
    } else if (!StartServiceCtrlDispatcherW(table)) {
        const DWORD error = GetLastError();
        if (error == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT && api->AllowConsoleMode) {
            run_in_console(service);
        } else {
            status = FspNtStatusFromWin32(error);
        }
    }
    looping = nullptr;
    return status;
}

VOID FspServiceStop(FSP_SERVICE* api) {
    Service& service = of(api);
    // Twice is once: the second caller must not run OnStop again while the first is in it.
    if (service.stopping.exchange(true)) return;
    report(service, SERVICE_STOP_PENDING, kStopWaitHint);
    if (api->OnStop != nullptr) {
        const NTSTATUS status = api->OnStop(api);
        if (status < 0) {
            FspServiceLog(EVENTLOG_ERROR_TYPE,
                          const_cast<PWSTR>(L"The service %s has failed to stop (Status=%lx)."), service.name,
                          status);
        }
    }
    SetEvent(service.stopped);
}

ULONG FspServiceRunEx(PWSTR name, FSP_SERVICE_START* on_start, FSP_SERVICE_STOP* on_stop,
                      FSP_SERVICE_CONTROL* on_control, PVOID context) {
    FSP_SERVICE* service = nullptr;
    NTSTATUS status = FspServiceCreate(name, on_start, on_stop, on_control, &service);
    if (status < 0) return FspWin32FromNtStatus(status);
    service->UserContext = context;
    FspServiceAllowConsoleMode(service);
    status = FspServiceLoop(service);
    const ULONG code = status < 0 ? FspWin32FromNtStatus(status) : FspServiceGetExitCode(service);
    if (status < 0) {
        FspServiceLog(EVENTLOG_ERROR_TYPE,
                      const_cast<PWSTR>(L"The service %s has failed to run (Status=%lx)."), name, status);
    }
    FspServiceDelete(service);
    return code;
}

VOID FspFileSystemStopServiceIfNecessary(FSP_FILE_SYSTEM*, BOOLEAN normally) {
    Service* service = looping;
    if (!normally && service != nullptr) FspServiceStop(&service->api);
}

BOOLEAN FspServiceIsInteractive(VOID) {
    USEROBJECTFLAGS flags{};
    DWORD bytes = 0;
    return GetUserObjectInformationW(GetProcessWindowStation(), UOI_FLAGS, &flags, sizeof flags, &bytes) &&
           (flags.dwFlags & WSF_VISIBLE) != 0;
}
}
