// A mount namespace that holds the shared directory alone. Must never know: processes and ids.
#pragma once

#include <expected>
#include <string>

#include "host/server_options.h"

namespace host {

// Makes the directory, with what is mounted below it, the root of the process' mount namespace, which must be
// new, and unmounts everything else. Mounts that the host adds or removes below it later appear and go; none
// reaches the host. Device files and set-user-id bits in it are dead for this process, and with `readonly`
// nothing can be written, as far as what is mounted now is concerned.
std::expected<ServerRoots, std::string> enter_mount_sandbox(const std::string& directory, bool readonly);

}  // namespace host
