#include "lab/fsd/names.h"

#include "lab/fsd/upcase.h"

namespace lab::fsd {
namespace {

constexpr std::size_t kMaxNameUnits = 32767;  // a UNICODE_STRING holds no more

// The ASCII units NTFS allows in a name, and everything beyond ASCII.
bool is_legal_unit(char16_t unit, bool wildcards) {
    if (unit < 0x20) return false;
    switch (unit) {
        case u'"':
        case u'*':
        case u'<':
        case u'>':
        case u'?':
            return wildcards;
        case u'/':
        case u'\\':
        case u'|':
        case u':':
            return false;
        default:
            return true;
    }
}

bool is_legal(std::u16string_view text, bool wildcards) {
    for (const char16_t unit : text) {
        if (!is_legal_unit(unit, wildcards)) return false;
    }
    return true;
}

// Splits "name:stream:type" in the last component; the type is always $DATA.
nt::Result<void> split_stream(ParsedName& parsed, const NameRules& rules) {
    const std::size_t last = parsed.path.rfind(u'\\') + 1;
    const std::size_t colon = parsed.path.find(u':', last);
    if (colon == std::u16string::npos) return {};
    if (!rules.named_streams || parsed.trailing_backslash) return nt::fail(nt::Status::kObjectNameInvalid);
    if (parsed.path.size() - last > rules.max_component_length)
        return nt::fail(nt::Status::kObjectNameInvalid);
    std::u16string_view rest = std::u16string_view(parsed.path).substr(colon + 1);
    const std::size_t type = rest.find(u':');
    if (type != std::u16string_view::npos) {
        if (!equal_ignoring_case(rest.substr(type + 1), u"$DATA"))
            return nt::fail(nt::Status::kObjectNameInvalid);
        rest = rest.substr(0, type);
    } else if (rest.empty()) {
        return nt::fail(nt::Status::kObjectNameInvalid);
    }
    if (!is_legal(rest, false)) return nt::fail(nt::Status::kObjectNameInvalid);
    parsed.stream = rest;
    parsed.stream_syntax = true;
    parsed.path.resize(colon);
    return {};
}

}  // namespace

bool is_legal_component(std::u16string_view name, std::size_t max_length) noexcept {
    return !name.empty() && name.size() <= max_length && is_legal(name, false);
}

bool is_legal_pattern(std::u16string_view pattern, std::size_t max_length) noexcept {
    return !pattern.empty() && pattern.size() <= max_length && is_legal(pattern, true);
}

nt::Result<ParsedName> parse_name(std::optional<std::u16string_view> related, std::u16string_view name,
                                  const NameRules& rules) {
    if (name.starts_with(u"\\\\")) name.remove_prefix(1);
    ParsedName parsed;
    if (related) {
        if (name.starts_with(u'\\')) return nt::fail(nt::Status::kInvalidParameter);
        parsed.path = *related;
        if (!name.empty() && !name.starts_with(u':') && !parsed.path.ends_with(u'\\')) parsed.path += u'\\';
        parsed.path += name;
    } else {
        if (!name.starts_with(u'\\')) return nt::fail(nt::Status::kObjectNameInvalid);
        parsed.path = name;
    }
    if (parsed.path.size() > kMaxNameUnits) return nt::fail(nt::Status::kObjectNameInvalid);
    if (parsed.path.size() > 1 && parsed.path.ends_with(u'\\')) {
        parsed.path.pop_back();
        parsed.trailing_backslash = true;
    }
    if (const auto split = split_stream(parsed, rules); !split) return nt::fail(split.error());
    if (is_root(parsed.path)) return parsed;
    std::u16string_view rest = std::u16string_view(parsed.path).substr(1);
    for (;;) {
        const std::size_t end = rest.find(u'\\');
        if (!is_legal_component(rest.substr(0, end), rules.max_component_length)) {
            return nt::fail(nt::Status::kObjectNameInvalid);
        }
        if (end == std::u16string_view::npos) return parsed;
        rest.remove_prefix(end + 1);
    }
}

bool is_root(std::u16string_view path) noexcept {
    return path == u"\\";
}

std::u16string_view parent_of(std::u16string_view path) noexcept {
    const std::size_t separator = path.rfind(u'\\');
    return path.substr(0, separator == 0 ? 1 : separator);
}

std::u16string_view last_component(std::u16string_view path) noexcept {
    return path.substr(path.rfind(u'\\') + 1);
}

std::u16string join(std::u16string_view directory, std::u16string_view name) {
    std::u16string path(directory);
    if (!path.ends_with(u'\\')) path += u'\\';
    path += name;
    return path;
}

}  // namespace lab::fsd
