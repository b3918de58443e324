// Values in words, for messages of failed expectations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "nt/file.h"
#include "nt/status.h"

namespace behaviour {

std::string describe(nt::Status status);
std::string describe(nt::CreateAction action);
std::string describe(std::u16string_view name);
std::string describe(std::string_view text);
inline std::string describe(const std::u16string& name) {
    return describe(std::u16string_view(name));
}
inline std::string describe(const std::string& text) {
    return describe(std::string_view(text));
}
inline std::string describe(bool value) {
    return value ? "true" : "false";
}

// Decimal and hexadecimal.
std::string describe_number(std::uint64_t value);

template <typename T>
requires std::is_integral_v<T> std::string describe(T value) {
    return describe_number(static_cast<std::uint64_t>(value));
}

template <typename T>
std::string describe(const std::vector<T>& values) {
    std::string text = "[";
    for (const T& value : values)
        text += (text.size() > 1 ? ", " : "") + describe(value);
    return text + "]";
}

}  // namespace behaviour
