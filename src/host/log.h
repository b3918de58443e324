// Where messages go: spdlog's default logger, one line a message, on stderr or in the system log.
// Must never know: who has something to say.
#pragma once

#include <string>
#include <string_view>

#include "host/process_options.h"

namespace host {

// Replaces spdlog's default logger. Called before the process is confined: the system log is opened here.
void start_log(LogLevel level, bool syslog);

// One line, ended by a newline: the level's name, then the text with everything that would break the line or
// speak to a terminal as \xNN.
std::string log_line(std::string_view level, std::string_view text);

}  // namespace host
