// The daemon at work: transport and FUSE server joined. Must never know: how the process was confined.
#pragma once

#include "host/process_options.h"
#include "host/server_options.h"
#include "vhost_user/fd.h"

namespace host {

// Serves one front-end on the listening socket until it disconnects or `stop_fd` is readable. The process'
// exit code.
int serve(const ProcessOptions& options, vhost_user::Fd listener, ServerRoots roots, int stop_fd);

}  // namespace host
