// Where the stand-in's words go: the debug log that FspDebugLogSetHandle names, and stderr. Must never know:
// what they say.
#pragma once

#include <windows.h>

#include <string>
#include <string_view>

namespace lab::winfsp {

std::string to_utf8(std::wstring_view text);

// One line, printf-style, to the debug log.
void debug_log(const char* format, ...) __attribute__((format(gnu_printf, 1, 2)));

// One UTF-8 line to stderr, whatever is redirected.
void complain(std::string_view line);

}  // namespace lab::winfsp
