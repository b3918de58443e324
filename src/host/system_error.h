// Failed system calls as sentences. Must never know: what they were for.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>

namespace host {

// "cannot open /srv: No such file or directory" of "cannot open /srv" and ENOENT.
inline std::unexpected<std::string> system_error(std::string_view attempt, int error = errno) {
    return std::unexpected(fmt::format("{}: {}", attempt, std::generic_category().message(error)));
}

}  // namespace host
