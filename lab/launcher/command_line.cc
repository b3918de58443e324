#include "lab/launcher/command_line.h"

namespace lab::launcher {

std::u16string quoted(std::u16string_view argument) {
    std::u16string out = u"\"";
    std::size_t backslashes = 0;
    for (const char16_t c : argument) {
        // Backslashes count double before a quote.
        if (c == u'"') out.append(backslashes + 1, u'\\');
        backslashes = c == u'\\' ? backslashes + 1 : 0;
        out += c;
    }
    out.append(backslashes, u'\\');
    return out + u'"';
}

std::expected<std::u16string, std::u16string> expand(std::u16string_view command_line,
                                                     std::u16string_view executable,
                                                     std::span<const std::u16string> arguments) {
    std::u16string out;
    for (std::size_t i = 0; i < command_line.size(); ++i) {
        if (command_line[i] != u'%') {
            out += command_line[i];
            continue;
        }
        const char16_t name = ++i < command_line.size() ? command_line[i] : u'\0';
        if (name < u'0' || name > u'9')
            return std::unexpected(u"%" + (name ? std::u16string(1, name) : std::u16string()));
        const std::size_t number = name - u'0';
        if (number == 0) {
            out += quoted(executable);
        } else {
            out += quoted(number <= arguments.size() ? arguments[number - 1] : std::u16string());
        }
    }
    return out;
}

}  // namespace lab::launcher
