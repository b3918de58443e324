// Upper-casing of UTF-16 names as a case-insensitive NT volume compares them: one unit to one unit, no
// locale. Must never know: paths, volumes. Covers Latin, Greek, Cyrillic, Armenian and the full-width forms.
#pragma once

#include <string>
#include <string_view>

namespace lab::fsd {

// The unit's upper-case form, or the unit itself where there is none of one unit.
char16_t upcase(char16_t unit) noexcept;
std::u16string upcase(std::u16string_view text);
bool equal_ignoring_case(std::u16string_view a, std::u16string_view b) noexcept;

}  // namespace lab::fsd
