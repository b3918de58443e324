#include "guest/volume/path_walk.h"

#include <optional>
#include <vector>

#include "guest/volume/attributes.h"

namespace guest {
namespace {

// Why a path does not go on from here; nothing for a directory.
std::optional<Failure> refuse_as_directory(const fuse::Attr& attr) {
    switch (kind_of(attr)) {
        case FileKind::kDirectory:
            return std::nullopt;
        case FileKind::kSymlink:
            return Failure(nt::Status::kReparse);
        default:
            return Failure(nt::Status::kObjectPathNotFound);
    }
}

}  // namespace

HostResult<Walked> PathWalk::to(std::span<const std::string> path, Trust trust) {
    auto walked = walk(path, trust, true);
    if (!walked && walked.error().is(fuse::Errno::kESTALE) && trust == Trust::kKnown) {
        return walk(path, Trust::kFresh, true);
    }
    return walked;
}

HostResult<NodePin> PathWalk::to_parent(std::span<const std::string> path, Trust trust) {
    const auto parent = path.first(path.size() - 1);
    auto walked = walk(parent, trust, false);
    if (!walked && walked.error().is(fuse::Errno::kESTALE) && trust == Trust::kKnown) {
        walked = walk(parent, Trust::kFresh, false);
    }
    if (!walked) return std::unexpected(walked.error().on_the_way());
    if (const auto refused = refuse_as_directory(walked->attr)) return std::unexpected(*refused);
    return std::move(walked->node);
}

// From the root in a loop: programs choose how deep a path is, threads' stacks are small.
HostResult<Walked> PathWalk::walk(std::span<const std::string> path, Trust trust, bool needs_attributes) {
    if (path.empty() && needs_attributes) return attributes_of_root();
    NodePin root = session_.nodes().root();
    const fuse::Attr root_attr = session_.nodes().attributes(root).attr;
    Walked at{.node = std::move(root), .attr = root_attr};
    for (std::size_t i = 0; i < path.size(); ++i) {
        const bool is_last = i + 1 == path.size();
        if (const auto refused = refuse_as_directory(at.attr)) return std::unexpected(*refused);
        auto next = step(at.node, path[i], trust, is_last && needs_attributes);
        if (!next) {
            // ESTALE of what was believed: the caller walks again, asking the host.
            const bool tries_again = trust == Trust::kKnown && next.error().is(fuse::Errno::kESTALE);
            return std::unexpected(is_last || tries_again ? next.error() : next.error().on_the_way());
        }
        at = *std::move(next);
    }
    return at;
}

HostResult<PathWalk::UpToLink> PathWalk::to_link(std::span<const std::string> path) {
    NodePin root = session_.nodes().root();
    const fuse::Attr root_attr = session_.nodes().attributes(root).attr;
    UpToLink so_far{.reached = {.node = std::move(root), .attr = root_attr}};
    for (const std::string& name : path) {
        if (kind_of(so_far.reached.attr) == FileKind::kSymlink) break;
        if (const auto refused = refuse_as_directory(so_far.reached.attr)) return std::unexpected(*refused);
        auto next = step(so_far.reached.node, name, Trust::kKnown, false);
        if (!next) return std::unexpected(next.error());
        so_far.reached = *std::move(next);
        ++so_far.components;
    }
    return so_far;
}

HostResult<Walked> PathWalk::attributes_of_root() {
    NodePin root = session_.nodes().root();
    const KnownAttributes known = session_.nodes().attributes(root);
    // Callers take it that what has no name is a directory.
    const Failure no_directory(nt::Status::kDeviceProtocolError);
    if (known.fresh) {
        if (kind_of(known.attr) != FileKind::kDirectory) return std::unexpected(no_directory);
        return Walked{.node = std::move(root), .attr = known.attr};
    }
    const Asked asked = session_.nodes().ask_now();
    const auto reply = session_.get_attributes(root.id(), std::nullopt);
    if (!reply) return std::unexpected(reply.error());
    if (kind_of(reply->attr) != FileKind::kDirectory) return std::unexpected(no_directory);
    session_.nodes().learn_attributes(root, *reply, asked);
    return Walked{.node = std::move(root), .attr = reply->attr};
}

HostResult<Walked> PathWalk::step(const NodePin& directory, const std::string& name, Trust trust,
                                  bool needs_attributes) {
    NodeTable& nodes = session_.nodes();
    if (trust == Trust::kKnown) {
        KnownName known = nodes.find(directory, name);
        if (known.state == KnownName::State::kMissing) return std::unexpected(Failure(fuse::Errno::kENOENT));
        if (known.state == KnownName::State::kPresent && (known.attributes.fresh || !needs_attributes)) {
            return Walked{.node = std::move(known.node), .attr = known.attributes.attr};
        }
    }
    const auto directory_id = id_of(directory);
    if (!directory_id) return std::unexpected(directory_id.error());
    const Asked asked = nodes.ask_now();
    const auto entry = session_.lookup(*directory_id, name);
    if (entry && entry->node != fuse::kNoNode) {
        FoundNode found = nodes.adopt(directory, name, *entry, asked);
        return Walked{.node = std::move(found.node), .attr = found.attr};
    }
    if (!entry && !entry.error().is_gone()) return std::unexpected(entry.error());
    nodes.learn_missing(directory, name, entry ? *entry : fuse::EntryOut{}, asked);
    return std::unexpected(entry ? Failure(fuse::Errno::kENOENT) : entry.error());
}

HostResult<HostNodeId> PathWalk::id_of(const NodePin& node) {
    // Up to what the host still knows, then down again by name. A hostile host can make the way up a circle.
    constexpr std::size_t kDeepest = 32768;  // no path of NT has more components
    const Failure gone(fuse::Errno::kESTALE);
    struct Forgotten {
        NodePin node;
        NodeHome home;
    };
    std::vector<Forgotten> way;
    for (NodePin at = node; !at.id();) {
        auto home = session_.nodes().home_of(at);
        if (!home) return std::unexpected(gone);
        if (way.size() == kDeepest) return std::unexpected(Failure(nt::Status::kDeviceProtocolError));
        way.push_back({.node = at, .home = *home});
        at = std::move(home->directory);
    }
    for (; !way.empty(); way.pop_back()) {
        const auto& [lost, home] = way.back();
        const HostNodeId directory = home.directory.id();
        if (!directory) return std::unexpected(gone);
        const Asked asked = session_.nodes().ask_now();
        const auto entry = session_.lookup(directory, home.name);
        if (!entry) return std::unexpected(entry.error().is_gone() ? gone : entry.error());
        if (entry->node == fuse::kNoNode) return std::unexpected(gone);
        session_.nodes().adopt(home.directory, home.name, *entry, asked);
        if (!lost.id()) return std::unexpected(gone);  // the name is another file's now
    }
    if (const HostNodeId id = node.id()) return id;
    return std::unexpected(gone);
}

}  // namespace guest
