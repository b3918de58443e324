// What the daemon is told at its start about itself: where it listens, how it is confined, what it logs.
// Must never know: how options are spelt.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/server_options.h"

namespace host {

enum class SandboxMode : std::uint8_t {
    kNamespace,  // namespaces of its own, the shared directory as root
    kChroot,     // the shared directory as root
    kNone,
};

// What comes of a system call that the daemon has no use for.
enum class SeccompMode : std::uint8_t { kNone, kKill, kLog, kTrap };

// Messages of this level and of those before it are written.
enum class LogLevel : std::uint8_t { kOff, kError, kWarning, kInfo, kDebug, kTrace };

// Ids [inside, inside + count) of the daemon's user namespace are [outside, outside + count) of its parent.
struct IdMapping {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;

    bool operator==(const IdMapping&) const = default;
};

// --modcaps: a capability (CAP_...) that is kept or given up against the rule; a later change overrules an
// earlier.
struct CapabilityChange {
    unsigned capability = 0;
    bool keep = false;

    bool operator==(const CapabilityChange&) const = default;
};

struct ProcessOptions {
    std::string shared_directory;
    std::string tag;           // empty: the device has the front-end's
    std::string socket_path;   // empty: listener_fd is given
    std::string socket_group;  // empty: the socket is its owner's alone
    int listener_fd = -1;      // a listening UNIX socket inherited

    SandboxMode sandbox = SandboxMode::kNamespace;
    SeccompMode seccomp = SeccompMode::kKill;
    std::vector<CapabilityChange> capability_changes;
    std::vector<IdMapping> uid_map;  // of the user namespace; empty: the caller's own id
    std::vector<IdMapping> gid_map;
    std::optional<std::uint64_t> descriptor_limit;  // nullopt: a generous one; 0: as it is
    std::uint32_t thread_pool_size = 0;  // threads that wait for disks at once; 0: the kernel's choice

    LogLevel log_level = LogLevel::kInfo;
    bool syslog = false;

    ServerOptions server;
};

}  // namespace host
