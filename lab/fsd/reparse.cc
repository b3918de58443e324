#include "lab/fsd/reparse.h"

#include <algorithm>

#include "lab/fsd/names.h"
#include "nt/bytes.h"

namespace lab::fsd {
namespace {

using nt::Status;

constexpr int kMostHops = 31;
constexpr std::size_t kMaxPathUnits = 32767;  // a UNICODE_STRING holds no more

std::vector<std::u16string> split(std::u16string_view path) {
    std::vector<std::u16string> components;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find(u'\\'), path.size());
        if (end != 0) components.emplace_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return components;
}

std::u16string joined(const std::vector<std::u16string>& components, std::size_t count) {
    std::u16string path;
    for (std::size_t i = 0; i < count; ++i)
        path += u'\\' + components[i];
    return path.empty() ? u"\\" : path;
}

// The path with its `at`th component, a link, replaced by where it leads; "." and ".." taken by name alone,
// and above the root is the root.
std::vector<std::u16string> spliced(const std::vector<std::u16string>& path, std::size_t at,
                                    std::u16string_view target) {
    std::vector<std::u16string> result;
    const auto link = path.begin() + static_cast<std::ptrdiff_t>(at);
    if (!target.starts_with(u'\\')) result.assign(path.begin(), link);
    for (std::u16string& name : split(target)) {
        if (name == u".") continue;
        if (name != u"..") {
            result.push_back(std::move(name));
        } else if (!result.empty()) {
            result.pop_back();
        }
    }
    result.insert(result.end(), link + 1, path.end());
    return result;
}

nt::Result<Resolved> as_link(std::u16string path, bool relative) {
    auto data = nt::make_symlink({.name = std::move(path), .relative = relative});
    if (!data) return nt::fail(Status::kObjectNameInvalid);
    return Resolved{.tag = nt::kReparseTagSymlink, .data = *std::move(data)};
}

}  // namespace

std::optional<std::uint32_t> find_reparse_point(const ReparsePointByName& lookup, std::u16string_view path) {
    for (std::size_t start = 1; start < path.size();) {
        const std::size_t end = std::min(path.find(u'\\', start), path.size());
        if (lookup(path.substr(0, end), end < path.size())) return static_cast<std::uint32_t>(start);
        start = end + 1;
    }
    return std::nullopt;
}

nt::Result<Resolved> resolve_reparse_points(const ReparsePointByName& lookup, std::u16string_view path,
                                            std::uint32_t index, bool resolve_last) {
    std::vector<std::u16string> components = split(path);
    std::size_t at = split(path.substr(0, std::min<std::size_t>(index, path.size()))).size();
    int hops = 0;
    while (at < components.size()) {
        const bool is_last = at + 1 == components.size();
        if (is_last && !resolve_last) break;
        const std::u16string name = joined(components, at + 1);
        if (name.size() > kMaxPathUnits) return nt::fail(Status::kObjectNameInvalid);
        const auto data = lookup(name, !is_last);
        if (!data) {
            if (data.error() == Status::kNotAReparsePoint) {
                ++at;
                continue;
            }
            if (data.error() != Status::kObjectNameNotFound) return nt::fail(Status::kObjectPathNotFound);
            if (!is_last) return nt::fail(Status::kObjectNameNotFound);
            break;
        }
        const auto link = nt::parse_symlink(*data);
        if (!link) {
            if (data->size() < nt::kReparseHeaderBytes) return nt::fail(Status::kIoReparseDataInvalid);
            return Resolved{.tag = nt::get<std::uint32_t>(*data, 0), .data = *data};
        }
        if (!link->relative) {
            std::u16string rest;
            for (std::size_t i = at + 1; i < components.size(); ++i)
                rest += u'\\' + components[i];
            return as_link(link->name + rest, false);
        }
        if (++hops > kMostHops) return nt::fail(Status::kReparsePointNotResolved);
        const std::vector<std::u16string> before = std::move(components);
        components = spliced(before, at, link->name);
        // What was looked at before need not be again.
        const auto [same, unused] =
            std::mismatch(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(at),
                          components.begin(), components.end());
        at = static_cast<std::size_t>(same - before.begin());
    }
    std::u16string resolved = joined(components, components.size());
    if (resolved.size() > kMaxPathUnits) return nt::fail(Status::kObjectNameInvalid);
    return as_link(std::move(resolved), true);
}

nt::Result<void> can_replace_reparse_point(std::span<const std::byte> present,
                                           std::span<const std::byte> replacement) {
    if (present.empty()) return {};
    if (present.size() < nt::kReparseHeaderBytes || replacement.size() < nt::kReparseHeaderBytes) {
        return nt::fail(Status::kIoReparseDataInvalid);
    }
    const auto tag = nt::get<std::uint32_t>(present, 0);
    if (tag != nt::get<std::uint32_t>(replacement, 0)) {
        return nt::fail(Status::kIoReparseTagMismatch);
    }
    if (!nt::has_guid(tag)) return {};
    constexpr std::size_t kGuidBytes = nt::kReparseGuidHeaderBytes - nt::kReparseHeaderBytes;
    if (present.size() < nt::kReparseGuidHeaderBytes || replacement.size() < nt::kReparseGuidHeaderBytes ||
        !std::ranges::equal(present.subspan(nt::kReparseHeaderBytes, kGuidBytes),
                            replacement.subspan(nt::kReparseHeaderBytes, kGuidBytes))) {
        return nt::fail(Status::kReparseAttributeConflict);
    }
    return {};
}

}  // namespace lab::fsd
