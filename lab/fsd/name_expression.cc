#include "lab/fsd/name_expression.h"

#include <cstddef>
#include <vector>

namespace lab::fsd {
namespace {

constexpr char16_t kDosStar = u'<';
constexpr char16_t kDosQuestion = u'>';
constexpr char16_t kDosDot = u'"';

// What stands at one place of the name.
struct Here {
    bool end = false;
    char16_t unit = 0;
    bool last_dot = false;
};

// The pattern may go on to its next element without consuming anything of the name.
bool may_skip(char16_t element, const Here& here) {
    switch (element) {
        case u'*':
        case kDosStar:
            return true;
        case kDosQuestion:
            return here.end || here.unit == u'.';
        case kDosDot:
            return here.end;
        default:
            return false;
    }
}

// Marks every pattern position reachable without consuming the name's unit.
void close_over_skips(std::u16string_view pattern, std::vector<bool>& at, const Here& here) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (at[i] && may_skip(pattern[i], here)) at[i + 1] = true;
    }
}

}  // namespace

bool has_wildcards(std::u16string_view pattern) noexcept {
    return pattern.find_first_of(u"*?<>\"") != std::u16string_view::npos;
}

bool is_name_in_expression(std::u16string_view pattern, std::u16string_view name) {
    const std::size_t last_dot = name.rfind(u'.');
    std::vector<bool> at(pattern.size() + 1);  // the positions of the pattern that are possible here
    at[0] = true;
    for (std::size_t n = 0; n < name.size(); ++n) {
        const Here here{.end = false, .unit = name[n], .last_dot = n == last_dot};
        close_over_skips(pattern, at, here);
        std::vector<bool> next(pattern.size() + 1);
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            if (!at[i]) continue;
            switch (pattern[i]) {
                case u'*':
                    next[i] = true;
                    break;
                case kDosStar:
                    if (!here.last_dot) next[i] = true;
                    break;
                case u'?':
                    next[i + 1] = true;
                    break;
                case kDosQuestion:
                    if (here.unit != u'.') next[i + 1] = true;
                    break;
                case kDosDot:
                    if (here.unit == u'.') next[i + 1] = true;
                    break;
                default:
                    if (pattern[i] == here.unit) next[i + 1] = true;
                    break;
            }
        }
        at.swap(next);
    }
    close_over_skips(pattern, at, Here{.end = true});
    return at[pattern.size()];
}

}  // namespace lab::fsd
