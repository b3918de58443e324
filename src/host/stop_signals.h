// The signals that end the daemon, as a descriptor. Must never know: what there is to end.
#pragma once

#include <expected>
#include <string>

#include "vhost_user/fd.h"

namespace host {

// Blocks SIGTERM, SIGINT and SIGHUP in this thread and those that it makes, and ignores SIGPIPE. The
// descriptor is readable once one of them has come. Called before there are other threads; holds across
// fork().
std::expected<vhost_user::Fd, std::string> catch_stop_signals();

}  // namespace host
