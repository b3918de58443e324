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

// winsvc.h's service type, start type and error control.
constexpr unsigned kOwnProcess = 0x10;
constexpr unsigned kStartAutomatically = 2;
constexpr unsigned kErrorIsLogged = 1;

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

ProcessSpec Machine::wine(const std::string& program) const {
    ProcessSpec spec{.arguments = {kWine, options_.windows_binaries + "/" + program},
                     .environment = lab_variables(),
                     .log_file = ""};
    spec.environment.insert({{"WINEPREFIX", options_.prefix},
                             {"WINEDEBUG", getenv("LAB_WINEDEBUG") ? getenv("LAB_WINEDEBUG") : "-all"},
                             {"WINEARCH", "win64"},
                             {"WINEDLLOVERRIDES", std::string("mscoree,mshtml,winemenubuilder.exe=") +
                                                      (options_.has_services ? ";services.exe=n,b" : "")},
                             {"LC_ALL", "C.UTF-8"}});
    return spec;
}

ProcessSpec Machine::boot(const std::string& up_file) const {
    ProcessSpec spec = wine("lab-boot.exe");
    spec.arguments.push_back(windows_path(up_file));
    return spec;
}

ProcessSpec Machine::program_in(const std::string& directory,
                                const std::vector<std::string>& arguments) const {
    ProcessSpec spec = wine("launcher.exe");
    if (!directory.empty()) spec.arguments.insert(spec.arguments.end(), {"--cd", directory});
    spec.arguments.push_back("--");
    spec.arguments.insert(spec.arguments.end(), arguments.begin(), arguments.end());
    return spec;
}

std::expected<void, std::string> Machine::install_winfsp() const {
    const fs::path folder = fs::path(options_.prefix) / "drive_c/Program Files (x86)/WinFsp/bin";
    std::error_code error;
    fs::create_directories(folder, error);
    for (const char* file : {"winfsp-x64.dll", "launcher-x64.exe", "launchctl-x64.exe", "fsreg.bat"}) {
        if (!error) fs::create_symlink(options_.windows_binaries + "/" + file, folder / file, error);
    }
    if (error) return std::unexpected("cannot lay out WinFsp in " + folder.string() + ": " + error.message());
    return {};
}

std::expected<void, std::string> Machine::redirect_services() const {
    const fs::path windows = fs::path(options_.prefix) / "drive_c/windows";
    const fs::path manager = windows / "system32/services.exe";
    const fs::path folder = windows / "vfslab";
    std::error_code error;
    fs::create_directories(folder, error);
    if (!error) fs::copy_file(manager, folder / "services.exe", error);
    if (!error) fs::remove(manager, error);
    if (!error) fs::create_symlink(options_.windows_binaries + "/lab-services.exe", manager, error);
    if (!error)
        fs::create_symlink(options_.windows_binaries + "/vfsredirect.dll", folder / "vfsredirect.dll", error);
    if (error) return std::unexpected("cannot replace " + manager.string() + ": " + error.message());
    return {};
}

std::expected<void, std::string> Machine::install() const {
    if (auto done = install_winfsp(); !done) return done;
    std::vector<RegistryKey> keys;
    const std::string winfsp = "C:\\Program Files (x86)\\WinFsp\\";
    keys.push_back({"Software\\Wow6432Node\\WinFsp", {{"InstallDir", string_value(winfsp)}}});
    if (options_.has_services) {
        if (auto done = redirect_services(); !done) return done;
        keys.push_back({"System\\CurrentControlSet\\Services\\WinFsp.Launcher",
                        {{"ImagePath", string_value("\"" + winfsp + "bin\\launcher-x64.exe\"")},
                         {"DisplayName", string_value("WinFsp.Launcher")},
                         {"ObjectName", string_value("LocalSystem")},
                         {"Type", dword_value(kOwnProcess)},
                         {"Start", dword_value(kStartAutomatically)},
                         {"ErrorControl", dword_value(kErrorIsLogged)}}});
        // Services get the machine's environment, not their starter's.
        RegistryKey environment{"System\\CurrentControlSet\\Control\\Session Manager\\Environment", {}};
        for (const auto& [name, value] : lab_variables())
            environment.values.emplace_back(name, string_value(value));
        keys.push_back(environment);
    }
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
