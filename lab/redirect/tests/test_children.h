// What redirect_test_client.exe does when a case or the test script starts it with --NAME ARGS.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lab::redirect::test {

// The exit code; nothing if the arguments are no child's.
std::optional<int> run_child(const std::vector<std::wstring>& arguments);

}  // namespace lab::redirect::test
