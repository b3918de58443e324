#include "guest/volume/path_walk.h"

#include "guest/volume/attributes.h"

namespace guest {

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
    switch (kind_of(walked->attr)) {
        case FileKind::kDirectory:
            return std::move(walked->node);
        case FileKind::kSymlink:
            return std::unexpected(Failure(nt::Status::kNotSupported));
        default:
            return std::unexpected(Failure(nt::Status::kObjectPathNotFound));
    }
}

HostResult<Walked> PathWalk::walk(std::span<const std::string> path, Trust trust, bool needs_attributes) {
    if (path.empty()) {
        if (needs_attributes) return attributes_of_root();
        NodePin root = session_.nodes().root();
        const fuse::Attr attr = session_.nodes().attributes(root).attr;
        return Walked{.node = std::move(root), .attr = attr};
    }
    const auto parent = to_parent(path, trust);
    if (!parent) return std::unexpected(parent.error());
    return step(*parent, path.back(), trust, needs_attributes);
}

HostResult<Walked> PathWalk::attributes_of_root() {
    NodePin root = session_.nodes().root();
    const KnownAttributes known = session_.nodes().attributes(root);
    if (known.fresh) return Walked{.node = std::move(root), .attr = known.attr};
    const Asked asked = session_.nodes().ask_now();
    const auto reply = session_.get_attributes(root.id(), std::nullopt);
    if (!reply) return std::unexpected(reply.error());
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
    if (const HostNodeId id = node.id()) return id;
    const Failure gone(fuse::Errno::kESTALE);
    const auto home = session_.nodes().home_of(node);
    if (!home) return std::unexpected(gone);
    const auto directory = id_of(home->directory);
    if (!directory) return std::unexpected(directory.error());
    const Asked asked = session_.nodes().ask_now();
    const auto entry = session_.lookup(*directory, home->name);
    if (!entry) return std::unexpected(entry.error().is_gone() ? gone : entry.error());
    if (entry->node == fuse::kNoNode) return std::unexpected(gone);
    session_.nodes().adopt(home->directory, home->name, *entry, asked);
    if (const HostNodeId id = node.id()) return id;
    return std::unexpected(gone);  // the name is another file's now
}

}  // namespace guest
