// The values of options: text into what it stands for. Errors are sentences for the user, without the
// option's name. Must never know: the options' names, command lines.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "host/process_options.h"

namespace host {

template <typename T>
using Parsed = std::expected<T, std::string>;

// Decimal, without sign or space around.
Parsed<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most);
// Seconds with an optional fraction, at most a year.
Parsed<std::chrono::nanoseconds> parse_seconds(std::string_view text);

Parsed<CachePolicy> parse_cache(std::string_view text);
Parsed<SandboxMode> parse_sandbox(std::string_view text);
Parsed<SeccompMode> parse_seccomp(std::string_view text);
Parsed<FileHandles> parse_file_handles(std::string_view text);
// The levels of both existing daemons: error or err, warn, info, debug, trace, off.
Parsed<LogLevel> parse_log_level(std::string_view text);
// ":INSIDE:OUTSIDE:COUNT:" with any separator.
Parsed<IdMapping> parse_id_mapping(std::string_view text);
// "+sys_admin:-chown".
Parsed<std::vector<CapabilityChange>> parse_capability_changes(std::string_view text);
// What the device shows its guest: 1 to 36 bytes of UTF-8.
Parsed<std::string> parse_tag(std::string_view text);

}  // namespace host
