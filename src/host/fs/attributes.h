// What the host's kernel says of an inode, as FUSE says it. Must never know: nodes.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "fuse/protocol.h"
#include "host/fs/node_table.h"
#include "host/server_options.h"

namespace host {

// What statx is asked for a node: everything in fuse::Attr and in NodeInfo.
inline constexpr unsigned kNodeStatx = STATX_BASIC_STATS | STATX_MNT_ID | STATX_BTIME;

NodeKey key_of(const struct statx& status);
NodeInfo info_of(const struct statx& status, std::uint64_t parent_mount);

// Owners are translated for the guest.
fuse::Attr attr_of(const struct statx& status, const ServerOptions& options);
fuse::Attr attr_of(const struct stat& status, const ServerOptions& options);

fuse::Statx statx_of(const struct statx& status, const ServerOptions& options);

}  // namespace host
