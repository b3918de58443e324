// What the user can set: the command line of virtiofs.exe and the settings it results in. The options are
// those of the documented system, one letter each with its value as the next argument. Must never know:
// windows.h, where the registry is.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "guest/volume/volume.h"

namespace guest::service {

// The longest mount tag in UTF-16 units (virtio 1.2, 5.11.4: 36 bytes).
inline constexpr std::size_t kMaxTagUnits = 36;
// The longest file system name that WinFsp reports, in UTF-16 units.
inline constexpr std::size_t kMaxFileSystemNameUnits = 15;

struct Settings {
    std::uint32_t debug_flags = 0;  // one bit per WinFsp request kind; all ones: everything
    std::u16string debug_log_file;  // empty: the debugger's output; "-": stderr
    std::u16string file_system_name = u"virtiofs";
    std::u16string mount_point;        // empty: the first free drive letter from Z: downwards
    std::u16string tag;                // empty: the first device
    std::optional<HostOwner> owner;    // who new files belong to; without: the owner of the share's root
    HostOwner overflow{65534, 65534};  // ids that the host shows for owners it cannot name
};

enum class Command { kRun, kShowHelp, kShowVersion };

struct CommandLine {
    Command command = Command::kRun;
    Settings settings;
};

enum class Problem { kUsage, kNotSupported };

// Why there are no settings, as a sentence for the user.
struct SettingsError {
    Problem problem = Problem::kUsage;
    std::string message;
};

// `arguments` without the program's name.
std::expected<CommandLine, SettingsError> parse_command_line(std::span<const std::u16string_view> arguments);

// The values of single settings, also as they stand in the registry. Errors are sentences that say what was
// expected.
std::expected<std::uint32_t, std::string> parse_debug_flags(std::u16string_view text);
std::expected<HostOwner, std::string> parse_owner(std::u16string_view text);
std::expected<std::u16string, std::string> parse_file_system_name(std::u16string_view text);
std::expected<std::u16string, std::string> parse_tag(std::u16string_view text);
// "*" and "" become "".
std::u16string parse_mount_point(std::u16string_view text);

// What -i and CaseInsensitive are answered with.
SettingsError case_insensitive_not_supported(std::string_view where);

// UTF-8, with line ends.
std::string_view help_text();
std::string_view version_text();

}  // namespace guest::service
