// A class's command line with an instance's arguments put in. Must never know: windows.h, where either comes
// from.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace lab::launcher {

// An argument as a program's command line spells it, always in quotes: CommandLineToArgvW reads the same
// text.
std::u16string quoted(std::u16string_view argument);

// Replaces %0 by the program's path and %1 to %9 by the arguments, each quoted; a number without an argument
// becomes
// "". The error is the substitution that is not modelled (WinFsp has more than these).
std::expected<std::u16string, std::u16string> expand(std::u16string_view command_line,
                                                     std::u16string_view executable,
                                                     std::span<const std::u16string> arguments);

}  // namespace lab::launcher
