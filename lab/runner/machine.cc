#include "lab/runner/machine.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "lab/device_host/registry.h"
#include "lab/runner/wine_prefix.h"

namespace lab {

namespace {

namespace fs = std::filesystem;

constexpr const char* kWine = "/usr/lib/wine/wine64";

}  // namespace

std::string windows_path(const std::string& path) {
    std::string out = "Z:" + path;
    std::ranges::replace(out, '/', '\\');
    return out;
}

std::map<std::string, std::string> Machine::lab_variables() const {
    return {{"VFSLAB_SESSION", options_.session},
            {"VFSLAB_MOUNTED", windows_path(mounted_file())},
            {"VFSLAB_EVENT_LOG", windows_path(options_.event_log)}};
}

std::string Machine::binary(const std::string& name) const {
    return windows_path(options_.windows_binaries + "/" + name);
}

ProcessSpec Machine::program(const std::vector<std::string>& arguments) const {
    return program_in("", arguments);
}

ProcessSpec Machine::program_in(const std::string& directory,
                                const std::vector<std::string>& arguments) const {
    ProcessSpec spec{.arguments = {kWine, options_.windows_binaries + "/launcher.exe"},
                     .environment = lab_variables(),
                     .log_file = ""};
    spec.environment.insert({{"WINEPREFIX", options_.prefix},
                             {"WINEDEBUG", getenv("LAB_WINEDEBUG") ? getenv("LAB_WINEDEBUG") : "-all"},
                             {"WINEARCH", "win64"},
                             {"WINEDLLOVERRIDES", "mscoree,mshtml,winemenubuilder.exe="},
                             {"LC_ALL", "C.UTF-8"}});
    if (!directory.empty()) spec.arguments.insert(spec.arguments.end(), {"--cd", directory});
    spec.arguments.push_back("--");
    spec.arguments.insert(spec.arguments.end(), arguments.begin(), arguments.end());
    return spec;
}

std::expected<void, std::string> Machine::install() const {
    const std::string winfsp = options_.scratch + "/winfsp";
    std::error_code error;
    fs::create_directories(winfsp + "/bin", error);
    fs::create_symlink(options_.windows_binaries + "/winfsp-x64.dll", winfsp + "/bin/winfsp-x64.dll", error);
    if (error)
        return std::unexpected("cannot lay out WinFsp's folder in " + winfsp + ": " + error.message());
    std::vector<RegistryKey> keys;
    keys.push_back(
        {"Software\\Wow6432Node\\WinFsp", {{"InstallDir", string_value(windows_path(winfsp) + "\\")}}});
    // Services get the machine's environment, not their starter's.
    RegistryKey environment{"System\\CurrentControlSet\\Control\\Session Manager\\Environment", {}};
    for (const auto& [name, value] : lab_variables())
        environment.values.emplace_back(name, string_value(value));
    keys.push_back(environment);
    if (!options_.settings.empty()) {
        RegistryKey settings{"Software\\virtiofs", {}};
        for (const auto& text : options_.settings) {
            auto setting = parse_registry_setting(text);
            if (!setting) return std::unexpected(setting.error());
            settings.values.push_back(*setting);
        }
        keys.push_back(settings);
    }
    if (auto added = device_host::add_devices(options_.prefix, options_.devices); !added) return added;
    return add_machine_keys(options_.prefix, keys);
}

}  // namespace lab
