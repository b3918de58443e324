// Stands in for Wine's services.exe in a lab run: starts the real one under the redirection, so that every
// service sees the emulated drives and the virtio-fs devices. Ends when that one is ready, as wineboot waits
// for either. Must never know: what the redirection does, which services there are.
#include <windows.h>

#include <cstdio>
#include <cwchar>

namespace {

constexpr wchar_t kRedirection[] = L"C:\\windows\\vfslab\\vfsredirect.dll";
constexpr wchar_t kRealManager[] = L"C:\\windows\\vfslab\\services.exe";
constexpr wchar_t kReadyEvent[] = L"__wine_SvcctlStarted";  // wineboot waits for it, too

int fail(const wchar_t* what) {
    std::fwprintf(stderr, L"services.exe (lab): %ls: error %lu\n", what, GetLastError());
    return 1;
}

}  // namespace

int wmain() {
    const HANDLE ready = CreateEventW(nullptr, TRUE, FALSE, kReadyEvent);
    if (!ready) return fail(L"cannot wait for the real service control manager");
    if (!LoadLibraryW(kRedirection)) return fail(L"cannot load the redirection");
    wchar_t command[] = L"C:\\windows\\vfslab\\services.exe";
    STARTUPINFOW startup{};
    startup.cb = sizeof(startup);
    PROCESS_INFORMATION process{};
    // It inherits what wineboot gave it to keep: the event that says that the machine is up.
    if (!CreateProcessW(kRealManager, command, nullptr, nullptr, TRUE, DETACHED_PROCESS, nullptr, nullptr,
                        &startup, &process)) {
        return fail(L"cannot start the real service control manager");
    }
    const HANDLE either[] = {ready, process.hProcess};
    return WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0
               ? 0
               : fail(L"the real service control manager ended");
}
