// From a path to a node: what is known within the host's lifetimes, and LOOKUPs for the rest. Must never
// know: what the node is wanted for.
#pragma once

#include <span>
#include <string>

#include "guest/volume/session.h"

namespace guest {

// kFresh asks the host about every component; for a second try after what was known proved wrong.
enum class Trust { kKnown, kFresh };

struct Walked {
    NodePin node;
    fuse::Attr attr;
};

class PathWalk {
  public:
    explicit PathWalk(Session& session) : session_(session) {}

    // Fails with kObjectPathNotFound for what is missing on the way, kObjectNameNotFound for the last
    // component, kNotSupported for a symlink on the way (following them is not supported yet).
    HostResult<Walked> to(std::span<const std::string> path, Trust trust);
    // The directory that holds the last component.
    HostResult<NodePin> to_parent(std::span<const std::string> path, Trust trust);
    // One component.
    HostResult<Walked> step(const NodePin& directory, const std::string& name, Trust trust,
                            bool needs_attributes);

    // The host's id of a node, which is looked up again if its reference was given back. ESTALE: no longer
    // there.
    HostResult<HostNodeId> id_of(const NodePin& node);

  private:
    HostResult<Walked> walk(std::span<const std::string> path, Trust trust, bool needs_attributes);
    HostResult<Walked> attributes_of_root();

    Session& session_;
};

}  // namespace guest
