#include "guest/service/options.h"

#include <limits>

#include "guest/service/text.h"

namespace guest::service {
namespace {

// Decimal or 0x-prefixed hexadecimal, all of the text, at most `limit`.
std::optional<std::uint64_t> parse_number(std::u16string_view text, std::uint64_t limit) {
    unsigned base = 10;
    if (text.starts_with(u"0x") || text.starts_with(u"0X")) {
        base = 16;
        text.remove_prefix(2);
    }
    if (text.empty()) return std::nullopt;
    std::uint64_t value = 0;
    for (const char16_t unit : text) {
        unsigned digit = base;
        if (unit >= u'0' && unit <= u'9') digit = unit - u'0';
        if (unit >= u'a' && unit <= u'f') digit = unit - u'a' + 10u;
        if (unit >= u'A' && unit <= u'F') digit = unit - u'A' + 10u;
        if (digit >= base) return std::nullopt;
        value = value * base + digit;
        if (value > limit) return std::nullopt;
    }
    return value;
}

std::unexpected<SettingsError> usage(std::string message) {
    return std::unexpected(SettingsError{.problem = Problem::kUsage, .message = std::move(message)});
}

std::string quoted(std::u16string_view text) {
    return "\"" + to_utf8(text) + "\"";
}

// Stores a parsed value, or says which option it was wrong for.
template <typename T, typename Target>
std::expected<void, SettingsError> store(std::u16string_view option, std::expected<T, std::string> value,
                                         Target& target) {
    if (!value) return usage("option " + to_utf8(option) + ": " + value.error());
    target = *std::move(value);
    return {};
}

std::expected<void, SettingsError> apply(char16_t letter, std::u16string_view option,
                                         std::u16string_view value, Settings& settings) {
    switch (letter) {
        case u'd':
            return store(option, parse_debug_flags(value), settings.debug_flags);
        case u'o':
            return store(option, parse_owner(value), settings.owner);
        case u'F':
            return store(option, parse_file_system_name(value), settings.file_system_name);
        case u't':
            return store(option, parse_tag(value), settings.tag);
        case u'D':
            settings.debug_log_file = value;
            break;
        default:
            settings.mount_point = parse_mount_point(value);
            break;  // m
    }
    return {};
}

}  // namespace

std::expected<std::uint32_t, std::string> parse_debug_flags(std::u16string_view text) {
    constexpr std::uint32_t kAll = std::numeric_limits<std::uint32_t>::max();
    if (text == u"-1") return kAll;
    if (const auto value = parse_number(text, kAll)) return static_cast<std::uint32_t>(*value);
    return std::unexpected("debug flags are a number up to 0xffffffff, or -1 for everything, not " +
                           quoted(text));
}

std::expected<HostOwner, std::string> parse_owner(std::u16string_view text) {
    // The greatest id means "leave as it is" to Linux and belongs to nobody.
    constexpr std::uint64_t kGreatestId = std::numeric_limits<std::uint32_t>::max() - 1;
    if (const std::size_t colon = text.find(u':'); colon != std::u16string_view::npos) {
        const auto uid = parse_number(text.substr(0, colon), kGreatestId);
        const auto gid = parse_number(text.substr(colon + 1), kGreatestId);
        if (uid && gid) {
            return HostOwner{.uid = static_cast<std::uint32_t>(*uid),
                             .gid = static_cast<std::uint32_t>(*gid)};
        }
    }
    return std::unexpected("an owner is UID:GID, two numbers from 0 to 4294967294, such as 1000:1000, not " +
                           quoted(text));
}

std::expected<std::u16string, std::string> parse_file_system_name(std::u16string_view text) {
    if (!text.empty() && text.size() <= kMaxFileSystemNameUnits) return std::u16string(text);
    return std::unexpected("a file system name has 1 to " + std::to_string(kMaxFileSystemNameUnits) +
                           " characters, unlike " + quoted(text));
}

std::expected<std::u16string, std::string> parse_tag(std::u16string_view text) {
    if (!text.empty() && text.size() <= kMaxTagUnits) return std::u16string(text);
    return std::unexpected("a mount tag has 1 to " + std::to_string(kMaxTagUnits) + " characters, unlike " +
                           quoted(text));
}

std::u16string parse_mount_point(std::u16string_view text) {
    return text == u"*" ? std::u16string() : std::u16string(text);
}

SettingsError case_insensitive_not_supported(std::string_view where) {
    return {.problem = Problem::kNotSupported,
            .message = std::string(where) +
                       ": case-insensitive names are not supported yet; leave it out to mount "
                       "with case-sensitive names"};
}

std::expected<CommandLine, SettingsError> parse_command_line(std::span<const std::u16string_view> arguments) {
    CommandLine result;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::u16string_view option = arguments[i];
        if (option == u"--help" || option == u"-h" || option == u"-?" || option == u"/?") {
            result.command = Command::kShowHelp;
            return result;
        }
        if (option == u"--version") {
            result.command = Command::kShowVersion;
            return result;
        }
        if (option == u"-i") return std::unexpected(case_insensitive_not_supported("option -i"));

        constexpr std::u16string_view kWithValue = u"dDFmto";
        if (option.size() != 2 || option[0] != u'-' || !kWithValue.contains(option[1])) {
            return usage("unknown option " + quoted(option));
        }
        if (i + 1 == arguments.size()) return usage("option " + to_utf8(option) + " needs a value");
        if (auto applied = apply(option[1], option, arguments[++i], result.settings); !applied) {
            return std::unexpected(std::move(applied.error()));
        }
    }
    return result;
}

std::string_view help_text() {
    return "usage: virtiofs [OPTION VALUE]...\n"
           "Mounts a directory that the host shares over virtio-fs as a drive.\n"
           "\n"
           "    -t Tag             [mount tag, at most 36 symbols; the first device without it]\n"
           "    -m MountPoint      [X:, a directory, or * for the first free letter from Z: down]\n"
           "    -o UID:GID         [host owner for new files and folders]\n"
           "    -F FileSystemName  [file system name reported to the OS]\n"
           "    -i                 [case insensitive file system; not supported yet]\n"
           "    -d DebugFlags      [-1: all debug logs]\n"
           "    -D DebugLogFile    [file path; - for stderr]\n"
           "    --help, --version\n"
           "\n"
           "Without arguments the same settings are read from the registry, HKLM\\Software\\virtiofs or\n"
           "HKLM\\Software\\VirtIO-FS: MountPoint, Owner, FileSystemName, DebugFlags, DebugLogFile.\n"
           "Stop it with Ctrl-C. It waits for the device when that is not there yet.\n"
           "\n"
           "Exit codes are Win32 error codes: 87 wrong options or settings, 50 a setting that is not "
           "supported,\n"
           "126 WinFsp is not installed, 85 the mount point is taken, 59 the host does not answer as it "
           "should,\n"
           "31 any other failure.\n";
}

std::string_view version_text() {
    return "virtiofs " VIRTIOFS_VERSION
           "\n"
           "WinFsp - Windows File System Proxy, Copyright (C) Bill Zissimopoulos\n"
           "https://github.com/winfsp/winfsp\n";
}

}  // namespace guest::service
