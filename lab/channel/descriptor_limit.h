// The limit on open files that a daemon inherits.
#pragma once

#include <sys/resource.h>

namespace lab {

// Raises this process' limit on open files as far as is allowed; programs it starts later inherit it. A
// daemon keeps a descriptor for each file the guest knows, and without CAP_SYS_RESOURCE it cannot raise its
// own limit.
inline void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace lab
