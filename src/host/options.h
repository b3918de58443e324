// The daemon's command line, in the form of QEMU's old daemon (-o ...) and of today's (--...), mixed as one
// likes. Must never know: what is done with the options.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <variant>

#include "host/process_options.h"

namespace host {

// A command line that asks for a text on stdout instead of a daemon.
struct Answer {
    std::string text;
};

// The arguments, argv[0] among them, as options or an answer. The error is a sentence for the user.
std::expected<std::variant<ProcessOptions, Answer>, std::string> parse_command_line(int argc,
                                                                                    const char* const* argv);

}  // namespace host
