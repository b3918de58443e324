// virtiofs.exe between WinFsp's service framework and the share: start, stop, what the user is told, the exit
// code. Must never know: how options were given, what a mount is made of.
#pragma once

#include <windows.h>

#include <memory>

#include "guest/service/options.h"
#include "guest/service/share.h"
#include "guest/service/win32.h"
#include "winfsp/winfsp.h"

namespace guest::service {

// The service's documented name.
inline constexpr wchar_t kServiceName[] = L"VirtioFsSvc";

// Win32 codes, so that the service control manager's users read sense in them; all below 256.
enum class ExitCode : DWORD {
    kSuccess = ERROR_SUCCESS,
    kFailure = ERROR_GEN_FAILURE,               // 31
    kNotSupported = ERROR_NOT_SUPPORTED,        // 50
    kHostFailure = ERROR_UNEXP_NET_ERR,         // 59
    kMountPointTaken = ERROR_ALREADY_ASSIGNED,  // 85
    kUsage = ERROR_INVALID_PARAMETER,           // 87
    kNoWinFsp = ERROR_MOD_NOT_FOUND,            // 126
};

class Program {
  public:
    explicit Program(Settings settings) : settings_(std::move(settings)) {}

    // Runs as a service, or in a console until Ctrl-C. WinFsp's library must be loaded.
    ExitCode run();

  private:
    static NTSTATUS on_start(FSP_SERVICE* service, ULONG argc, PWSTR* argv);
    static NTSTATUS on_stop(FSP_SERVICE* service);
    void start(FSP_SERVICE* service);

    const Settings settings_;
    UniqueHandle debug_log_;
    std::unique_ptr<Share> share_;
};

}  // namespace guest::service
