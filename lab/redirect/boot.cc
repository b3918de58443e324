// boot.exe FILE: waits until the services that start with the machine have been started, creates the file,
// and stays until it is killed: with its last program a machine under Wine goes down. Must never know: which
// services there are.
#include <windows.h>
#include <winsvc.h>

#include <cstdio>
#include <cwchar>
#include <string>
#include <vector>

namespace {

constexpr ULONGLONG kLongestBoot =
    30'000;                   // ms; a service that cannot be started may look as if nobody tried
constexpr DWORD kPause = 10;  // ms

int fail(const std::wstring& what) {
    std::fwprintf(stderr, L"boot: %ls: error %lu\n", what.c_str(), GetLastError());
    return 1;
}

bool starts_with_the_machine(SC_HANDLE manager, const wchar_t* name) {
    const SC_HANDLE service = OpenServiceW(manager, name, SERVICE_QUERY_CONFIG);
    if (service == nullptr) return false;
    std::vector<BYTE> buffer(8192);  // the most it can be
    auto* config = reinterpret_cast<QUERY_SERVICE_CONFIGW*>(buffer.data());
    DWORD bytes = 0;
    const bool automatic = QueryServiceConfigW(service, config, static_cast<DWORD>(buffer.size()), &bytes) &&
                           config->dwStartType == SERVICE_AUTO_START;
    CloseServiceHandle(service);
    return automatic;
}

// Whether every service that starts with the machine has been started once.
bool is_up(SC_HANDLE manager) {
    std::vector<BYTE> buffer(64 * 1024);
    DWORD bytes = 0;
    DWORD count = 0;
    DWORD resume = 0;
    if (!EnumServicesStatusW(manager, SERVICE_WIN32, SERVICE_INACTIVE, nullptr, 0, &bytes, &count, &resume) &&
        GetLastError() == ERROR_MORE_DATA) {
        buffer.resize(bytes + 4096);
    }
    resume = 0;
    auto* services = reinterpret_cast<ENUM_SERVICE_STATUSW*>(buffer.data());
    if (!EnumServicesStatusW(manager, SERVICE_WIN32, SERVICE_INACTIVE, services,
                             static_cast<DWORD>(buffer.size()), &bytes, &count, &resume)) {
        return false;
    }
    for (DWORD i = 0; i < count; ++i) {
        if (services[i].ServiceStatus.dwWin32ExitCode == ERROR_SERVICE_NEVER_STARTED &&
            starts_with_the_machine(manager, services[i].lpServiceName)) {
            return false;
        }
    }
    return true;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    if (argc != 2) {
        std::fwprintf(stderr, L"usage: boot.exe FILE\n");
        return 2;
    }
    const SC_HANDLE manager = OpenSCManagerW(nullptr, nullptr, SC_MANAGER_ALL_ACCESS);
    if (manager == nullptr) return fail(L"cannot reach the service control manager");
    const ULONGLONG deadline = GetTickCount64() + kLongestBoot;
    while (!is_up(manager) && GetTickCount64() < deadline)
        Sleep(kPause);
    CloseServiceHandle(manager);
    const HANDLE note =
        CreateFileW(argv[1], GENERIC_WRITE, FILE_SHARE_READ, nullptr, CREATE_ALWAYS, 0, nullptr);
    if (note == INVALID_HANDLE_VALUE) return fail(std::wstring(L"cannot create ") + argv[1]);
    CloseHandle(note);
    for (;;)
        Sleep(INFINITE);
}
