#include "lab/runner/wine_prefix.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <fstream>

namespace lab {

namespace {

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        out += c;
    }
    return out;
}

}  // namespace

std::string string_value(const std::string& text) {
    return '"' + escaped(text) + '"';
}

std::string dword_value(unsigned long number) {
    return fmt::format("dword:{:08x}", number & 0xffffffffUL);
}

std::expected<std::pair<std::string, std::string>, std::string> parse_registry_setting(
    const std::string& setting) {
    const auto equals = setting.find('=');
    if (equals == 0 || equals == std::string::npos) {
        return std::unexpected(fmt::format("--registry {}: expected Name=value", setting));
    }
    const std::string name = setting.substr(0, equals);
    const std::string value = setting.substr(equals + 1);
    if (value == "-1") return std::pair(name, dword_value(0xffffffffUL));
    const bool hexadecimal = value.starts_with("0x");
    std::uint32_t number = 0;
    const char* first = value.data() + (hexadecimal ? 2 : 0);
    const char* last = value.data() + value.size();
    const auto [end, error] = std::from_chars(first, last, number, hexadecimal ? 16 : 10);
    if (error == std::errc() && end == last && first != last) return std::pair(name, dword_value(number));
    return std::pair(name, string_value(value));
}

std::expected<void, std::string> add_machine_keys(const std::string& prefix,
                                                  const std::vector<RegistryKey>& keys) {
    const std::string file = prefix + "/system.reg";
    std::ofstream out(file, std::ios::app);
    for (const auto& key : keys) {
        out << "\n[" << escaped(key.path) << "] 1700000000\n";
        for (const auto& [name, value] : key.values) {
            out << (name.empty() ? "@" : string_value(name)) << '=' << value << '\n';
        }
    }
    out.flush();
    if (!out) return std::unexpected(fmt::format("cannot write the registry of the Wine prefix, {}", file));
    return {};
}

}  // namespace lab
