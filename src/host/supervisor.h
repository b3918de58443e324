// Two processes that are one to the outside: a parent with the number that others know, and the child that
// works. Must never know: what the child does.
#pragma once

#include <linux/capability.h>
#include <sys/types.h>

#include <array>
#include <expected>
#include <string>

#include "vhost_user/fd.h"

namespace host {

// What a parent needs to hand on signals to a child with other ids, and to remove a socket from a foreign
// directory.
inline constexpr std::array<unsigned, 2> kSupervisorCapabilities{CAP_KILL, CAP_DAC_OVERRIDE};

// Which of two processes this is.
struct Fork {
    pid_t child = 0;        // in the parent; 0 in the child
    vhost_user::Fd parent;  // in the child: at its end (readable) once the parent is gone
};

// Forks. The parent goes on to supervise(); the child calls die_with() when its ids are final.
std::expected<Fork, std::string> fork_supervised();

// The child is killed when its parent dies, or now if it has. Of the calling thread, which lives as long as
// the process and never changes its ids.
std::expected<void, std::string> die_with_parent(const Fork& fork);

// In the parent: hands SIGTERM, SIGINT and SIGHUP on to the child, waits for its end and returns what a shell
// would say of it: its exit code, or 128 and the signal that killed it.
int supervise(const Fork& fork);

}  // namespace host
