// A class of file systems as it stands in WinFsp's part of the registry (winfsp-contract 13). Must never
// know: instances.
#pragma once

#include <windows.h>

#include <expected>
#include <string>

namespace lab::launcher {

struct ServiceClass {
    std::wstring executable;
    std::wstring command_line;    // with %1 to %9
    std::wstring work_directory;  // empty: the launcher's
    bool job_control = true;      // its instances end with the launcher
};

// HKLM\Software\WinFsp\Services\<name> of the 32-bit view. A Win32 error when there is no such class, or it
// has values that are not modelled.
std::expected<ServiceClass, DWORD> read_class(const std::wstring& name);

}  // namespace lab::launcher
