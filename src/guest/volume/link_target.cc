#include "guest/volume/link_target.h"

#include <algorithm>

#include "guest/volume/names.h"

namespace guest {
namespace {

constexpr std::string_view kUp = "..";
// WinFsp's answers have no room for twice a longer name.
constexpr std::size_t kMaxShownUnits = 3900;

// Calls `use` with each component that is not empty; stops when it returns false, and returns that.
template <typename Char, typename Use>
bool for_each_component(std::basic_string_view<Char> path, std::basic_string_view<Char> separators, Use use) {
    while (!path.empty()) {
        const std::size_t end = std::min(path.find_first_of(separators), path.size());
        if (end != 0 && !use(path.substr(0, end))) return false;
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return true;
}

}  // namespace

nt::Result<nt::SymlinkTarget> guest_target_of(std::string_view host_target) {
    if (host_target.empty() || host_target.size() > kMaxLinkTargetBytes) {
        return nt::fail(nt::Status::kDeviceProtocolError);
    }
    std::u16string target;
    if (host_target.front() == '/') target += u'\\';
    const bool good = for_each_component<char>(host_target, "/", [&](std::string_view name) {
        const auto shown = guest_name_of(name);
        if (!shown) return false;
        if (!target.empty() && target.back() != u'\\') target += u'\\';
        target += *shown;
        return true;
    });
    if (!good) return nt::fail(nt::Status::kDeviceProtocolError);
    const bool fits = target.size() <= kMaxShownUnits;
    return nt::SymlinkTarget{.name = target, .shown = fits ? target : u"", .relative = true};
}

nt::Result<std::string> host_target_of(const nt::SymlinkTarget& target) {
    if (!target.relative) return nt::fail(nt::Status::kNotSupported);
    constexpr std::u16string_view kSeparators = u"\\/";  // programs that come from Unix write slashes
    if (target.name.empty() || target.name.starts_with(u"\\\\")) return nt::fail(nt::Status::kNotSupported);
    std::string host;
    if (kSeparators.find(target.name.front()) != std::u16string_view::npos) host += '/';
    const bool good =
        for_each_component<char16_t>(target.name, kSeparators, [&](std::u16string_view component) {
            if (!host.empty() && host.back() != '/') host += '/';
            if (component == u"." || component == u"..") {
                host.append(component.size(), '.');
                return true;
            }
            const auto name = host_name_of(component);
            if (name) host += *name;
            return name.has_value();
        });
    if (!good) return nt::fail(nt::Status::kObjectNameInvalid);
    if (host.size() > kMaxLinkTargetBytes) return nt::fail(nt::Status::kNameTooLong);
    return host;
}

std::optional<std::vector<std::string>> follow(std::span<const std::string> directory,
                                               std::string_view host_target) {
    std::vector<std::string> path;
    if (!host_target.starts_with('/')) path.assign(directory.begin(), directory.end());
    const bool inside = for_each_component<char>(host_target, "/", [&](std::string_view name) {
        if (name == ".") return true;
        if (name != kUp) {
            path.emplace_back(name);
        } else if (path.empty()) {
            return false;
        } else {
            path.pop_back();
        }
        return true;
    });
    if (!inside) return std::nullopt;
    return path;
}

}  // namespace guest
