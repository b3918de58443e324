// Any UTF-16 as a file name, a relative name and a directory pattern: what is accepted keeps the promises of
// names.h.
#include <cstdlib>
#include <cstring>

#include "lab/fsd/name_expression.h"
#include "lab/fsd/names.h"
#include "lab/fsd/upcase.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check(const lab::fsd::ParsedName& parsed, const lab::fsd::NameRules& rules) {
    using namespace lab::fsd;
    require(parsed.path.starts_with(u'\\'));
    require(is_root(parsed.path) || !parsed.path.ends_with(u'\\'));
    if (is_root(parsed.path)) return;
    const std::u16string_view name = last_component(parsed.path);
    require(is_legal_component(name, rules.max_component_length));
    require(join(parent_of(parsed.path), name) == parsed.path);
    // What was made of a name is a name itself, and nothing is made of it again.
    const auto again = parse_name(std::nullopt, parsed.path, rules);
    require(again && again->path == parsed.path && again->stream.empty() && !again->trailing_backslash);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace lab::fsd;
    if (size < 2) return 0;
    const NameRules rules{.max_component_length = data[0] == 0 ? 255U : data[0],
                          .named_streams = data[1] % 2 == 1};
    std::u16string text((size - 2) / 2, u'\0');
    if (!text.empty()) std::memcpy(text.data(), data + 2, text.size() * 2);
    if (const auto parsed = parse_name(std::nullopt, text, rules)) check(*parsed, rules);
    if (const auto parsed = parse_name(u"\\dir", text, rules)) check(*parsed, rules);
    require(upcase(upcase(text)) == upcase(text));
    require(equal_ignoring_case(text, upcase(text)));
    const std::u16string_view pattern = std::u16string_view(text).substr(0, text.size() / 2);
    const std::u16string_view name = std::u16string_view(text).substr(text.size() / 2);
    if (pattern.size() > 255) return 0;
    const bool matches = is_name_in_expression(pattern, name);
    if (!has_wildcards(pattern)) require(matches == (pattern == name));
    require(is_name_in_expression(u"*", name));
    return 0;
}
