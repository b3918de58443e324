// The place that the daemon works in: namespaces of its own or a changed root, nothing but the shared
// directory in it. Must never know: capabilities and system call filters, what the daemon serves.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "host/process_options.h"
#include "host/server_options.h"
#include "host/supervisor.h"

namespace host {

// In the modes namespace and chroot, two processes do the daemon's work: a parent that keeps the process
// number and stays outside, and a child, of namespaces made here, that is to enter the sandbox. nullopt in
// mode none: the process stays alone. Checks that the directory is one and that the user may have what the
// options say; leaves supplementary groups. Called while there is one thread.
std::expected<std::optional<Fork>, std::string> fork_for_sandbox(const ProcessOptions& options);

// In the child, or in the process that stayed alone: confines it as the options say. In the modes namespace
// and chroot it sees nothing but the shared directory, as its root, with whatever is mounted in it now or
// later. Descriptors stay open.
std::expected<ServerRoots, std::string> enter_sandbox(const ProcessOptions& options,
                                                      const std::optional<Fork>& fork);

}  // namespace host
