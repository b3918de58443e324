// Directory patterns: NT's wildcards * and ? and the DOS ones < > " (FsRtlIsNameInExpression's documented
// meaning). Must never know: directories, case rules (callers upper-case both sides).
#pragma once

#include <string_view>

namespace lab::fsd {

// Any of * ? < > " occurs.
bool has_wildcards(std::u16string_view pattern) noexcept;

// Whether the whole name matches:
//   *  any units, none too            ?  exactly one unit
//   <  as *, but never over the name's last dot
//   >  one unit that is no dot, or nothing before a dot or at the end
//   "  a dot, or nothing at the end
bool is_name_in_expression(std::u16string_view pattern, std::u16string_view name);

}  // namespace lab::fsd
