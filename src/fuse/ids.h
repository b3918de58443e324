// The numbers by which a FUSE host names its objects, as types of their own so that they cannot be mixed up.
// Must never know: epochs and lifetimes, which are the session's business.
#pragma once

#include <cstdint>

namespace fuse {

// An inode of the host, valid from the reply that gave it until it was forgotten. 0 in an EntryOut: no such
// name.
enum class NodeId : std::uint64_t {};
inline constexpr NodeId kNoNode{0};
inline constexpr NodeId kRootNodeId{1};

// An open file or directory of the host, valid until RELEASE or RELEASEDIR. All values are legal, 0 included.
enum class FileHandle : std::uint64_t {};

// How many references to a node a message gives or takes back.
using LookupCount = std::uint64_t;

}  // namespace fuse
