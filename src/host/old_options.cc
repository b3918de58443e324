#include "host/old_options.h"

#include <fmt/format.h>

#include <algorithm>

namespace host {

Parsed<std::vector<OldOption>> split_old_options(std::string_view text) {
    std::vector<OldOption> options;
    std::size_t at = 0;
    do {
        OldOption option;
        for (; at < text.size() && text[at] != ',' && text[at] != '='; ++at) {
            option.name += text[at] == '_' ? '-' : text[at];
        }
        if (option.name.empty())
            return std::unexpected(fmt::format("an option without name in \"{}\"", text));
        if (at < text.size() && text[at] == '=') {
            option.has_value = true;
            for (++at; at < text.size(); ++at) {
                const char c = text[at];
                const char next = at + 1 < text.size() ? text[at + 1] : '\0';
                const bool escaped =
                    (c == ',' && next == ',') || (c == '\\' && (next == ',' || next == '\\'));
                if (c == ',' && !escaped) break;
                if (escaped) ++at;
                option.value += escaped ? next : c;
            }
        }
        options.push_back(std::move(option));
        ++at;  // the comma
    } while (at <= text.size());
    return options;
}

}  // namespace host
