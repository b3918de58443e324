// What the native programs share: a case's name and failures in GoogleTest's terms.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "tests/behaviour/case.h"

namespace behaviour {

inline std::string name_of_case(const testing::TestParamInfo<Case>& info) {
    return std::string(info.param.name);
}

inline void expect_no_failures(const std::vector<std::string>& failures) {
    for (const std::string& failure : failures)
        ADD_FAILURE() << failure;
}

// How GoogleTest shows the parameter.
inline void PrintTo(const Case& which, std::ostream* out) {
    *out << which.name;
}

}  // namespace behaviour
