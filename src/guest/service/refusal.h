// The end of a program that cannot begin: wrong settings, WinFsp missing. Whoever started it learns why. Uses
// nothing of WinFsp's. Must never know: what the reasons are.
#pragma once

#include <string_view>

#include "guest/service/program.h"

namespace guest::service {

// Writes the message to stderr. Where nobody sits before a console, it goes to the event log (Application,
// source VirtioFsSvc), too; and a service control manager that waits for this process sees the service stop
// with `code` instead of waiting in vain. Returns the process's exit code. Once, on the main thread.
int refuse_to_start(ExitCode code, std::string_view message);

}  // namespace guest::service
