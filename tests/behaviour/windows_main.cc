// behaviour.exe DIRECTORY: the table of cases as a Windows program on a directory of any drive.
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/behaviour/case.h"
#include "tests/behaviour/windows_system.h"

namespace {

constexpr std::string_view kUsage =
    "usage: behaviour [--list] [--filter TEXT] DRIVE:\\DIRECTORY\n"
    "Runs every case whose name contains TEXT in a fresh directory below DIRECTORY, which must exist.\n";

struct Arguments {
    std::u16string directory;
    std::string filter;
    bool list = false;
};

std::u16string_view units_of(const wchar_t* text) {
    return reinterpret_cast<const char16_t*>(text);
}

std::optional<Arguments> parse(int count, wchar_t** values) {
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::u16string_view value = units_of(values[i]);
        if (value == u"--list") {
            arguments.list = true;
        } else if (value == u"--filter" && i + 1 < count) {
            const std::u16string_view text = units_of(values[++i]);
            arguments.filter.assign(text.begin(), text.end());
        } else if (arguments.directory.empty() && value.size() >= 2 && value[1] == u':') {
            arguments.directory = value;
        } else {
            return std::nullopt;
        }
    }
    if (arguments.directory.empty() && !arguments.list) return std::nullopt;
    return arguments;
}

// Removes what an earlier run left of this case, runs it and prints its line; true if it passed.
bool run(const behaviour::Case& which, behaviour::System& system) {
    const std::u16string directory =
        system.test_root() + u'\\' + std::u16string(which.name.begin(), which.name.end());
    behaviour::remove_tree(system, directory);
    const std::vector<std::string> failures = behaviour::run_case(which, system);
    behaviour::remove_tree(system, directory);
    if (failures.empty()) {
        std::printf("ok %s\n", which.name.data());
    } else {
        std::printf("FAIL %s: %s\n", which.name.data(), failures.front().c_str());
        for (std::size_t i = 1; i < failures.size(); ++i)
            std::printf("  and %s\n", failures[i].c_str());
    }
    std::fflush(stdout);
    return failures.empty();
}

}  // namespace

int wmain(int count, wchar_t** values) {
    const std::optional<Arguments> arguments = parse(count, values);
    if (!arguments) {
        std::fwrite(kUsage.data(), 1, kUsage.size(), stderr);
        return 2;
    }
    std::vector<behaviour::Case> cases = behaviour::cases_for(behaviour::WindowsSystem::kOffered);
    std::erase_if(cases, [&](const behaviour::Case& which) {
        return which.name.find(arguments->filter) == std::string_view::npos;
    });
    if (arguments->list) {
        for (const behaviour::Case& which : cases)
            std::printf("%s\n", which.name.data());
        return 0;
    }
    behaviour::WindowsSystem system(arguments->directory);
    std::size_t passed = 0;
    std::size_t failed = 0;
    for (const behaviour::Case& which : cases)
        ++(run(which, system) ? passed : failed);
    std::printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
