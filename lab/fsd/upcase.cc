#include "lab/fsd/upcase.h"

#include <algorithm>

namespace lab::fsd {
namespace {

bool within(char16_t unit, char16_t first, char16_t last) {
    return unit >= first && unit <= last;
}

}  // namespace

char16_t upcase(char16_t unit) noexcept {
    const auto shifted = [unit](int by) { return static_cast<char16_t>(unit + by); };
    if (unit < 0x80) return within(unit, u'a', u'z') ? shifted(-0x20) : unit;
    if (within(unit, 0xE0, 0xFE)) return unit == 0xF7 ? unit : shifted(-0x20);
    if (unit == 0xFF) return 0x178;
    // Latin Extended-A: pairs with the capital at an even number, then (0x139-0x148, 0x179-0x17E) at an odd
    // one.
    const bool even_pairs =
        within(unit, 0x100, 0x12F) || within(unit, 0x132, 0x137) || within(unit, 0x14A, 0x177);
    if (even_pairs) return unit % 2 == 1 ? shifted(-1) : unit;
    const bool odd_pairs = within(unit, 0x139, 0x148) || within(unit, 0x179, 0x17E);
    if (odd_pairs) return unit % 2 == 0 ? shifted(-1) : unit;
    // Greek.
    if (unit == 0x3AC) return 0x386;
    if (within(unit, 0x3AD, 0x3AF)) return shifted(-0x25);
    if (within(unit, 0x3B1, 0x3CB)) return unit == 0x3C2 ? unit : shifted(-0x20);
    if (unit == 0x3CC) return 0x38C;
    if (within(unit, 0x3CD, 0x3CE)) return shifted(-0x3F);
    // Cyrillic and Armenian.
    if (within(unit, 0x430, 0x44F)) return shifted(-0x20);
    if (within(unit, 0x450, 0x45F)) return shifted(-0x50);
    if (within(unit, 0x460, 0x481) || within(unit, 0x48A, 0x4BF)) return unit % 2 == 1 ? shifted(-1) : unit;
    if (within(unit, 0x561, 0x586)) return shifted(-0x30);
    // Latin Extended Additional, full-width Latin.
    if (within(unit, 0x1E00, 0x1E95) || within(unit, 0x1EA0, 0x1EFF))
        return unit % 2 == 1 ? shifted(-1) : unit;
    if (within(unit, 0xFF41, 0xFF5A)) return shifted(-0x20);
    return unit;
}

std::u16string upcase(std::u16string_view text) {
    std::u16string result(text);
    for (char16_t& unit : result)
        unit = upcase(unit);
    return result;
}

bool equal_ignoring_case(std::u16string_view a, std::u16string_view b) noexcept {
    return std::ranges::equal(a, b, [](char16_t x, char16_t y) { return upcase(x) == upcase(y); });
}

}  // namespace lab::fsd
