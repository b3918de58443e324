// The host's numbers for nodes and open files together with the epoch in which they mean something. Requests
// take these and no bare numbers, so that one of an old epoch is never sent. Must never know: what they name.
#pragma once

#include "fuse/ids.h"
#include "guest/volume/channel.h"

namespace guest {

struct HostNodeId {
    Epoch epoch{};
    fuse::NodeId id = fuse::kNoNode;
    explicit operator bool() const { return id != fuse::kNoNode; }
    friend bool operator==(const HostNodeId&, const HostNodeId&) = default;
};

struct HostFileHandle {
    Epoch epoch{};
    fuse::FileHandle fh{};
};

}  // namespace guest
