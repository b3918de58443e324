#include "host/serve.h"

#include <spdlog/spdlog.h>

namespace host {

int serve(const ProcessOptions& options, vhost_user::Fd, ServerRoots, int) {
    spdlog::error("{} cannot be served: this build has no server", options.shared_directory);
    return 1;
}

}  // namespace host
