// The Windows machine's registry as the lab wants it, written into a Wine prefix that no wineserver is using
// yet.
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace lab {

// One key with its values, as Wine's system.reg spells them: key without HKEY_LOCAL_MACHINE and with single
// backslashes; each value already in file form (string_value, dword_value).
struct RegistryKey {
    std::string path;
    std::vector<std::pair<std::string, std::string>> values;  // name ("" = the default value), file form
};

std::string string_value(const std::string& text);
std::string dword_value(unsigned long number);

// "Name=value": a DWORD for decimal, 0x... or -1 values, otherwise a string. Fails with a sentence if there
// is no '='.
std::expected<std::pair<std::string, std::string>, std::string> parse_registry_setting(
    const std::string& setting);

// Adds keys to HKEY_LOCAL_MACHINE of the prefix.
std::expected<void, std::string> add_machine_keys(const std::string& prefix,
                                                  const std::vector<RegistryKey>& keys);

}  // namespace lab
