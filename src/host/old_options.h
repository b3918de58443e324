// The argument of -o, as QEMU's daemon and mount(8) have it: "NAME[=VALUE],...".
// Must never know: which names there are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/option_values.h"

namespace host {

struct OldOption {
    std::string name;  // as settings are called: with dashes
    std::string value;
    bool has_value = false;

    bool operator==(const OldOption&) const = default;
};

// In a value, ",," and "\," are a comma and "\\" a backslash. The error is a sentence for the user.
Parsed<std::vector<OldOption>> split_old_options(std::string_view text);

}  // namespace host
