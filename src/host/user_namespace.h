// A user namespace of its own for a daemon that is not root (user_namespaces(7)).
// Must never know: mounts.
#pragma once

#include <expected>
#include <span>
#include <string>

#include "host/process_options.h"

namespace host {

// Enters a new user namespace, in which the process has all capabilities, with these ids mapped; an empty map
// is the process' own id as itself. Maps of more than the process' own id are made by newuidmap(1) and
// newgidmap(1) and need entries in /etc/subuid and /etc/subgid. Called while there is one thread.
std::expected<void, std::string> enter_user_namespace(std::span<const IdMapping> uids,
                                                      std::span<const IdMapping> gids);

// Becomes user and group 0 of the namespace where they are mapped, without supplementary groups.
std::expected<void, std::string> become_namespace_root();

// Whether the process' user namespace has one user or one group alone, so that nobody else can be acted as.
// Reads /proc.
bool is_alone_in_namespace();

}  // namespace host
