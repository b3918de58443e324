// virtiofs.exe: settings from the command line or the registry, WinFsp's library, then the program proper.
#include <windows.h>

#include <expected>
#include <string>
#include <vector>

#include "guest/service/console.h"
#include "guest/service/options.h"
#include "guest/service/program.h"
#include "guest/service/refusal.h"
#include "guest/service/registry.h"
#include "guest/service/registry_key.h"
#include "guest/service/win32.h"
#include "winfsp/winfsp.h"

namespace {

using namespace guest::service;

std::expected<CommandLine, SettingsError> read_settings(int argc, wchar_t** argv) {
    const SoftwareKey documented(kDocumentedKey);
    const SoftwareKey released(kReleasedKey);
    const RegistrySettings registry(documented, released);
    if (argc <= 1) {
        auto settings = registry.all();
        if (!settings) return std::unexpected(std::move(settings.error()));
        return CommandLine{.command = Command::kRun, .settings = *std::move(settings)};
    }
    std::vector<std::u16string_view> arguments;
    for (int i = 1; i < argc; ++i)
        arguments.push_back(as_utf16(argv[i]));
    auto line = parse_command_line(arguments);
    if (!line || line->command != Command::kRun) return line;
    const auto overflow = registry.overflow();
    if (!overflow) return std::unexpected(overflow.error());
    line->settings.overflow = *overflow;
    return line;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    auto line = read_settings(argc, argv);
    if (!line) {
        if (line.error().problem == Problem::kNotSupported) {
            return refuse_to_start(ExitCode::kNotSupported, line.error().message);
        }
        return refuse_to_start(ExitCode::kUsage,
                               line.error().message + "; virtiofs --help lists the options");
    }
    switch (line->command) {
        case Command::kShowHelp:
            print(Stream::kOut, help_text());
            return 0;
        case Command::kShowVersion:
            print(Stream::kOut, version_text());
            return 0;
        case Command::kRun:
            break;
    }
    if (FspLoad(nullptr) < 0) {
        return refuse_to_start(
            ExitCode::kNoWinFsp,
            "WinFsp is missing (its winfsp-x64.dll cannot be loaded); install WinFsp 2.0 or later from "
            "https://winfsp.dev/rel/ and start virtiofs again");
    }
    return static_cast<int>(Program(std::move(line->settings)).run());
}
