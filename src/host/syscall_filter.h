// The system calls that the daemon may make (seccomp). Must never know: what they are made for.
#pragma once

#include <expected>
#include <string>

#include "host/process_options.h"

namespace host {

// Holds for this thread and those that it makes, for good. What is not on the list ends as the mode says.
// With `syslog` the system log's attempts to reconnect fail instead. What io_uring does for the daemon is not
// filtered by it: there, namespaces and capabilities alone hold.
std::expected<void, std::string> apply_syscall_filter(SeccompMode mode, bool syslog);

}  // namespace host
