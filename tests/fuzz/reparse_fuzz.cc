// Reparse points as any program may give them, and link targets as any host may: what is accepted names
// places in the share only, and comes back as it was.
#include "guest/volume/link_target.h"
#include "nt/reparse.h"
#include "tests/fuzz/input.h"

namespace {

using tests::require;

// As the host would walk it: one slash between names, none at the end.
std::string normalized(std::string_view target) {
    std::string result;
    if (target.starts_with('/')) result += '/';
    while (!target.empty()) {
        const std::size_t end = std::min(target.find('/'), target.size());
        if (end != 0) {
            if (!result.empty() && result.back() != '/') result += '/';
            result += target.substr(0, end);
        }
        target.remove_prefix(std::min(end + 1, target.size()));
    }
    return result;
}

void check_host_target(std::string_view target) {
    const auto shown = guest::guest_target_of(target);
    const bool possible = !target.empty() && target.size() <= guest::kMaxLinkTargetBytes &&
                          target.find('\0') == std::string_view::npos;
    require(shown.has_value() == possible);
    const std::vector<std::string> directory{"a", "b"};
    if (const auto path = guest::follow(directory, target)) {
        for (const std::string& name : *path)
            require(!name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos);
    }
    if (!shown) return;
    const auto data = nt::make_symlink(*shown);
    require(data.has_value() && data->size() <= nt::kMaxReparseBytes);
    require(nt::parse_symlink(*data) == *shown);
    // Names longer than a host's can be are shown, but not made.
    const auto back = guest::host_target_of(*shown);
    if (back) require(*back == normalized(target));
}

void check_reparse_point(std::span<const std::byte> data) {
    const auto header = nt::parse_reparse_header(data);
    const auto link = nt::parse_symlink(data);
    if (!link) return;
    require(header.has_value() && header->tag == nt::kReparseTagSymlink && !link->name.empty());
    const auto again = nt::make_symlink(*link);
    if (again) require(nt::parse_symlink(*again)->name == link->name);
    const auto target = guest::host_target_of(*link);
    if (!target) return;
    require(link->relative && !target->empty() && target->size() <= guest::kMaxLinkTargetBytes);
    require(target->find('\0') == std::string::npos);
    check_host_target(*target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    check_reparse_point(bytes);
    check_host_target({reinterpret_cast<const char*>(data), size});
    // A well-formed link with these characters, which chance would take long to find.
    std::u16string name(size / 2, u'\0');
    if (!name.empty()) std::memcpy(name.data(), data, name.size() * 2);
    for (std::u16string text : {name, std::u16string(data, data + size)}) {
        const auto link = nt::make_symlink({.name = std::move(text), .relative = size % 8 != 0});
        if (link) check_reparse_point(*link);
    }
    return 0;
}
