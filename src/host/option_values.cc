#include "host/option_values.h"

#include <cap-ng.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace host {
namespace {

template <typename T>
struct Name {
    std::string_view name;
    T value;
};

// The value of a name; the error lists all names but aliases, which follow `documented` others.
template <typename T, std::size_t size>
Parsed<T> parse_name(std::string_view text, const std::array<Name<T>, size>& names, std::size_t documented) {
    const auto* const found = std::ranges::find(names, text, &Name<T>::name);
    if (found != names.end()) return found->value;
    std::string known;
    for (std::size_t i = 0; i < documented; ++i)
        known += (i == 0 ? "" : ", ") + std::string(names[i].name);
    return std::unexpected(fmt::format("\"{}\" is none of {}", text, known));
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        const int more = lead < 0x80                   ? 0
                         : lead >= 0xC2 && lead < 0xE0 ? 1
                         : lead >= 0xE0 && lead < 0xF0 ? 2
                                                       : 3;
        if (more == 3 && (lead < 0xF0 || lead > 0xF4)) return false;
        for (int k = 0; k < more; ++k, ++i) {
            if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return false;
        }
    }
    return true;
}

}  // namespace

Parsed<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value < least ||
        value > most) {
        return std::unexpected(fmt::format("\"{}\" is no number from {} to {}", text, least, most));
    }
    return value;
}

Parsed<std::chrono::nanoseconds> parse_seconds(std::string_view text) {
    constexpr double kYear = 366.0 * 86400;
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() ||
        !(value >= 0 && value <= kYear)) {
        return std::unexpected(fmt::format("\"{}\" is no number of seconds from 0 to {:.0f}", text, kYear));
    }
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(value));
}

Parsed<CachePolicy> parse_cache(std::string_view text) {
    static constexpr std::array<Name<CachePolicy>, 5> kNames{{{"never", CachePolicy::kNever},
                                                              {"metadata", CachePolicy::kMetadata},
                                                              {"auto", CachePolicy::kAuto},
                                                              {"always", CachePolicy::kAlways},
                                                              {"none", CachePolicy::kNever}}};
    return parse_name(text, kNames, 5);
}

Parsed<SandboxMode> parse_sandbox(std::string_view text) {
    static constexpr std::array<Name<SandboxMode>, 3> kNames{{{"namespace", SandboxMode::kNamespace},
                                                              {"chroot", SandboxMode::kChroot},
                                                              {"none", SandboxMode::kNone}}};
    return parse_name(text, kNames, 3);
}

Parsed<SeccompMode> parse_seccomp(std::string_view text) {
    static constexpr std::array<Name<SeccompMode>, 4> kNames{{{"none", SeccompMode::kNone},
                                                              {"kill", SeccompMode::kKill},
                                                              {"log", SeccompMode::kLog},
                                                              {"trap", SeccompMode::kTrap}}};
    return parse_name(text, kNames, 4);
}

Parsed<FileHandles> parse_file_handles(std::string_view text) {
    static constexpr std::array<Name<FileHandles>, 4> kNames{{{"never", FileHandles::kNever},
                                                              {"prefer", FileHandles::kPrefer},
                                                              {"mandatory", FileHandles::kMandatory},
                                                              {"fallback", FileHandles::kPrefer}}};
    return parse_name(text, kNames, 3);
}

Parsed<LogLevel> parse_log_level(std::string_view text) {
    static constexpr std::array<Name<LogLevel>, 7> kNames{{{"off", LogLevel::kOff},
                                                           {"error", LogLevel::kError},
                                                           {"warn", LogLevel::kWarning},
                                                           {"info", LogLevel::kInfo},
                                                           {"debug", LogLevel::kDebug},
                                                           {"trace", LogLevel::kTrace},
                                                           {"err", LogLevel::kError}}};
    return parse_name(text, kNames, 6);
}

Parsed<IdMapping> parse_id_mapping(std::string_view text) {
    const auto fail = [text](std::string_view why) {
        return std::unexpected(fmt::format("\"{}\" is no :INSIDE:OUTSIDE:COUNT:{}", text, why));
    };
    if (text.empty()) return fail("");
    const char separator = text.front();
    std::array<std::uint64_t, 3> fields{};
    auto rest = text.substr(1);
    for (auto& field : fields) {
        const auto end = rest.find(separator);
        if (end == std::string_view::npos) return fail("");
        const auto number = parse_number(rest.substr(0, end), 0, 0xFFFFFFFF);
        if (!number) return fail("; " + number.error());
        field = *number;
        rest.remove_prefix(end + 1);
    }
    const auto [inside, outside, count] = fields;
    if (!rest.empty()) return fail("");
    if (count == 0) return fail("; a count of 0 maps nothing");
    if (inside + count > 0xFFFFFFFF || outside + count > 0xFFFFFFFF) return fail("; ids end at 4294967294");
    return IdMapping{.inside = static_cast<std::uint32_t>(inside),
                     .outside = static_cast<std::uint32_t>(outside),
                     .count = static_cast<std::uint32_t>(count)};
}

Parsed<std::vector<CapabilityChange>> parse_capability_changes(std::string_view text) {
    std::vector<CapabilityChange> changes;
    while (true) {
        const auto item = text.substr(0, text.find(':'));
        if (item.size() < 2 || (item.front() != '+' && item.front() != '-')) {
            return std::unexpected(
                fmt::format("\"{}\" is no capability with + or - before it, e.g. +sys_admin:-chown", item));
        }
        std::string name(item.substr(1));
        std::ranges::transform(name, name.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
        if (name.starts_with("cap_")) name.erase(0, 4);
        const int capability = capng_name_to_capability(name.c_str());
        if (capability < 0)
            return std::unexpected(fmt::format("there is no capability \"{}\"", item.substr(1)));
        changes.push_back({.capability = static_cast<unsigned>(capability), .keep = item.front() == '+'});
        if (item.size() == text.size()) return changes;
        text.remove_prefix(item.size() + 1);
    }
}

Parsed<std::string> parse_tag(std::string_view text) {
    if (text.empty() || text.size() > 36 || !is_utf8(text)) {
        return std::unexpected(fmt::format("\"{}\" is not 1 to 36 bytes of UTF-8", text));
    }
    return std::string(text);
}

}  // namespace host
