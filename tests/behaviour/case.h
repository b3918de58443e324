// The table of behaviour cases and how one is run: each in a fresh directory of its own.
// Must never know: which System it runs on, which test framework reports.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/behaviour/context.h"
#include "tests/behaviour/system.h"

namespace behaviour {

struct Case {
    std::string_view name;  // a sentence, unique in the table: Rename_OntoOpenFile_IsRefused
    void (*run)(Context&);
    Offers needs = Offers::kNothing;
};

// Every case that a system offering this can run, in the table's order.
std::vector<Case> cases_for(Offers offered);

// Runs one case and returns what failed, one message each. Its directory is left for the caller to remove.
std::vector<std::string> run_case(const Case& which, System& system);

// Removes a directory and all below it through the system; false if something stayed.
bool remove_tree(System& system, const std::u16string& path);

// The tables of the parts.
std::span<const Case> create_cases();
std::span<const Case> share_cases();
std::span<const Case> delete_cases();
std::span<const Case> rename_cases();
std::span<const Case> directory_cases();
std::span<const Case> read_write_cases();
std::span<const Case> size_cases();
std::span<const Case> basic_information_cases();
std::span<const Case> information_cases();
std::span<const Case> name_cases();
std::span<const Case> symlink_cases();
std::span<const Case> host_cases();
std::span<const Case> host_symlink_cases();

}  // namespace behaviour
