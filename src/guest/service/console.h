// Text to the standard streams, as UTF-8 or, on a console, as UTF-16. Must never know: what it says.
#pragma once

#include <string_view>

namespace guest::service {

enum class Stream { kOut, kError };

// Nothing happens where there is no such stream. Errors are ignored: there is nowhere to tell them.
void print(Stream stream, std::string_view utf8);

}  // namespace guest::service
