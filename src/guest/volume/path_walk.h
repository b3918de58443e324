// From a path to a node: what is known within the host's lifetimes, and LOOKUPs for the rest. Must never
// know: what the node is wanted for.
#pragma once

#include <span>
#include <string>

#include "guest/volume/session.h"

namespace guest {

// kFresh asks the host about every component; for a second try after what was known proved wrong.
enum class Trust { kKnown, kFresh };

// For operations that find a symlink on the way which was not there when WinFsp asked: they do not follow it.
constexpr nt::Status not_followed(nt::Status status) {
    return status == nt::Status::kReparse ? nt::Status::kObjectPathNotFound : status;
}

struct Walked {
    NodePin node;
    fuse::Attr attr;
};

class PathWalk {
  public:
    explicit PathWalk(Session& session) : session_(session) {}

    // Fails with kObjectPathNotFound for what is missing on the way, kObjectNameNotFound for the last
    // component, kReparse for a symlink on the way: following it is the caller's business.
    HostResult<Walked> to(std::span<const std::string> path, Trust trust);
    // The directory that holds the last component.
    HostResult<NodePin> to_parent(std::span<const std::string> path, Trust trust);
    // As far as the first symlink, which may be the last component; otherwise to the end.
    struct UpToLink {
        Walked reached;
        std::size_t components = 0;  // of the path, that led there
    };
    HostResult<UpToLink> to_link(std::span<const std::string> path);
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
