// Symbolic links: what they point at and whether that is a directory, which NT wants to know of the link
// itself.
#include <algorithm>

#include "guest/volume/link_target.h"
#include "guest/volume/names.h"
#include "guest/volume/volume_impl.h"

namespace guest {
namespace {

// As many as WinFsp follows; a link that leads further is no directory.
constexpr int kMostHops = 31;
constexpr std::size_t kMostComponents = 2048;  // of the path that a hostile host's links can make up
constexpr std::size_t kLinksAtOnce = 64;

}  // namespace

HostResult<std::string> Volume::Impl::target_of(const NodePin& link) {
    if (auto known = nodes().link_target(link)) return *std::move(known);
    // A node keeps its kind, but a file that was a link may be another node by now.
    if (kind_of(nodes().attributes(link).attr) != FileKind::kSymlink) {
        return std::unexpected(Failure(nt::Status::kNotAReparsePoint));
    }
    const auto id = walk_.id_of(link);
    if (!id) return std::unexpected(id.error());
    auto target = std::move(session_->read_links(std::span(&*id, 1)).front());
    if (target) nodes().learn_link_target(link, *target);
    return target;
}

void Volume::Impl::learn_targets(std::span<const NodePin> links) {
    std::vector<HostNodeId> ids;
    std::vector<const NodePin*> asked;
    for (const NodePin& link : links) {
        if (nodes().link_target(link)) continue;
        if (const auto id = walk_.id_of(link)) {
            ids.push_back(*id);
            asked.push_back(&link);
        }
    }
    if (ids.empty()) return;
    auto targets = session_->read_links(ids);
    for (std::size_t i = 0; i < targets.size(); ++i) {
        if (targets[i]) nodes().learn_link_target(*asked[i], *std::move(targets[i]));
    }
}

std::optional<std::vector<std::string>> Volume::Impl::path_of(NodePin directory) {
    std::vector<std::string> path;
    while (directory != nodes().root()) {
        auto home = nodes().home_of(directory);
        if (!home || path.size() == kMostComponents) return std::nullopt;  // a hostile host makes circles
        path.push_back(std::move(home->name));
        directory = std::move(home->directory);
    }
    std::ranges::reverse(path);
    return path;
}

bool Volume::Impl::leads_to_directory(const NodePin& link, std::span<const std::string> directory) {
    std::vector<std::string> base(directory.begin(), directory.end());
    std::vector<std::string> rest;  // of the path, after the link
    NodePin at = link;
    for (int hop = 0; hop < kMostHops; ++hop) {
        const auto target = target_of(at);
        if (!target) return false;
        auto path = follow(base, *target);
        if (!path || path->size() + rest.size() > kMostComponents) return false;
        path->insert(path->end(), rest.begin(), rest.end());
        auto met = walk_.to_link(*path);
        if (!met) return false;
        const FileKind kind = kind_of(met->reached.attr);
        if (kind != FileKind::kSymlink) return kind == FileKind::kDirectory;
        if (met->components == 0) return false;  // a hostile host's root
        const auto link_end = path->begin() + static_cast<std::ptrdiff_t>(met->components);
        rest.assign(link_end, path->end());
        base.assign(path->begin(), link_end - 1);
        at = std::move(met->reached.node);
    }
    return false;
}

bool Volume::Impl::leads_to_directory(const NodePin& link) {
    const auto home = nodes().home_of(link);
    if (!home) return false;
    const auto directory = path_of(home->directory);
    return directory && leads_to_directory(link, *directory);
}

nt::FileInfo Volume::Impl::info_of(const NodePin& node, const fuse::Attr& attr) {
    nt::FileInfo info = file_info_of(attr);
    if (kind_of(attr) == FileKind::kSymlink && leads_to_directory(node)) {
        info.attributes |= nt::file_attribute::kDirectory;
    }
    return info;
}

void Volume::Impl::show_links(std::span<const FoundLink> links, const NodePin& directory,
                              DirectorySnapshot& snapshot) {
    const auto path = path_of(directory);
    for (std::size_t at = 0; at < links.size(); at += kLinksAtOnce) {
        const auto batch = links.subspan(at, std::min(kLinksAtOnce, links.size() - at));
        std::vector<NodePin> pins(batch.size());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            auto walked = walk_.step(directory, batch[i].host_name, Trust::kKnown, false);
            if (walked && kind_of(walked->attr) == FileKind::kSymlink) pins[i] = std::move(walked->node);
        }
        std::vector<NodePin> known;
        std::ranges::copy_if(pins, std::back_inserter(known), [](const NodePin& pin) { return bool{pin}; });
        learn_targets(known);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            nt::FileInfo info = file_info_of(batch[i].attr);
            if (pins[i] && path && leads_to_directory(pins[i], *path)) {
                info.attributes |= nt::file_attribute::kDirectory;
            }
            snapshot.add(batch[i].guest_name, info);
        }
    }
}

nt::Result<std::vector<std::byte>> Volume::Impl::reparse_point_of(std::u16string_view path) {
    const auto components = host_path_of(path);
    if (!components) return nt::fail(components.error());
    const auto walked = walk_.to(*components, Trust::kKnown);
    if (!walked) return fail(walked.error());
    if (kind_of(walked->attr) != FileKind::kSymlink) return nt::fail(nt::Status::kNotAReparsePoint);
    const auto target = target_of(walked->node);
    if (!target) return fail(target.error());
    if (!follow(std::span(*components).first(components->size() - 1), *target)) {
        return nt::fail(nt::Status::kObjectPathNotFound);
    }
    auto shown = guest_target_of(*target);
    if (!shown) return nt::fail(shown.error());
    shown->shown.clear();  // nobody sees it
    return nt::make_symlink(*shown);
}

nt::Result<std::vector<std::byte>> Volume::Impl::reparse_point(const File& file) {
    const File::Subject& subject = file.subject();
    if (subject.kind != FileKind::kSymlink) return nt::fail(nt::Status::kNotAReparsePoint);
    const auto target = target_of(subject.node);
    if (!target) return fail(target.error());
    const auto shown = guest_target_of(*target);
    if (!shown) return nt::fail(shown.error());
    return nt::make_symlink(*shown);
}

}  // namespace guest
