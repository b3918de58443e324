#include "lab/runner/session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <random>

#include "lab/device_host/registry.h"
#include "lab/runner/process.h"
#include "lab/runner/wine_prefix.h"

namespace lab {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kLabFailed = 125;
constexpr auto kStartTimeout = 60s;  // for each part; a loaded machine starts Wine slowly
constexpr auto kStopTimeout = 10s;
constexpr const char* kIdFile = "session-id";  // in the scratch directory
constexpr const char* kWine = "/usr/lib/wine/wine64";

// A host path as programs under Wine spell it.
std::string windows_path(const std::string& path) {
    std::string out = "Z:" + path;
    for (char& c : out) {
        if (c == '/') c = '\\';
    }
    return out;
}

std::string random_id() {
    std::random_device random;
    return fmt::format("{:08x}", static_cast<std::uint32_t>(random()));
}

// The sandbox's processes that run a Windows program of that file name.
std::vector<pid_t> wine_processes(const std::string& name) {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const pid_t pid = atoi(entry.path().filename().c_str());
        if (pid <= 0) continue;
        std::ifstream in(entry.path() / "cmdline");
        std::string program;
        std::getline(in, program, '\0');
        if (program.ends_with("\\" + name)) found.push_back(pid);
    }
    return found;
}

// One part of the lab that runs beside the program.
struct Part {
    std::string name;
    std::string log;
    Process process;
};

class Session {
  public:
    Session(const SessionOptions& options, std::string id) : options_(options), id_(std::move(id)) {}

    int run(const std::function<void(int)>& keep, const std::function<bool()>& told_to_end) {
        std::ofstream(scratch(kIdFile)) << id_;
        if (auto ready = start_parts(); !ready) {
            fmt::print(stderr, "lab/run: {}\n", ready.error());
            return kLabFailed;
        }
        const int code = run_program();
        if (keep && code != kLabFailed) {
            keep(code);
            while (!told_to_end() && ended_part() == nullptr)
                parts_.back().process.wait_for(200ms);
        }
        stop_service();
        return code;
    }

    // Runs the program in this session; its parts are watched only if they are this process' own.
    int run_program() {
        ProcessSpec spec{.arguments = {kWine, options_.windows_binaries + "/launcher.exe"},
                         .environment = wine_environment(),
                         .log_file = "",
                         .inherit_stdin = true};
        if (options_.in_drive) {
            spec.arguments.insert(spec.arguments.end(), {"--cd", fmt::format("{}:\\", mounted_drive())});
        }
        spec.arguments.push_back("--");
        spec.arguments.insert(spec.arguments.end(), options_.program.begin(), options_.program.end());
        auto program = Process::start(spec);
        if (!program) {
            fmt::print(stderr, "lab/run: {}\n", program.error());
            return kLabFailed;
        }
        for (;;) {
            if (const auto code = program->wait_for(200ms)) return *code;
            if (Part* part = ended_part()) {
                fmt::print(stderr, "lab/run: {} ended with exit code {} while the program ran:\n{}",
                           part->name, *part->process.poll(), tail_of(part->log, 20));
                program->wait_for(kStopTimeout);
                return kLabFailed;
            }
        }
    }

  private:
    std::string scratch(const std::string& name) const { return options_.scratch + "/" + name; }

    std::map<std::string, std::string> wine_environment() const {
        return {{"WINEPREFIX", options_.prefix},
                {"WINEDEBUG", getenv("LAB_WINEDEBUG") ? getenv("LAB_WINEDEBUG") : "-all"},
                {"WINEARCH", "win64"},
                {"WINEDLLOVERRIDES", "mscoree,mshtml,winemenubuilder.exe="},
                {"LC_ALL", "C.UTF-8"},
                {"VFSLAB_SESSION", id_},
                {"VFSLAB_MOUNTED", windows_path(scratch("mounted"))}};
    }

    // Starts a part and waits until it is ready; the error says what it printed.
    std::expected<void, std::string> start_part(const std::string& name, ProcessSpec spec,
                                                const std::function<bool()>& ready) {
        spec.log_file = scratch(name + ".log");
        auto process = Process::start(spec);
        if (!process) return std::unexpected(process.error());
        parts_.push_back({name, spec.log_file, std::move(*process)});
        Part& part = parts_.back();
        const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
        while (!ready()) {
            if (const auto code = part.process.wait_for(5ms)) {
                return std::unexpected(fmt::format("{} ended with exit code {} before it was ready:\n{}",
                                                   name, *code, tail_of(part.log, 20)));
            }
            if (std::chrono::steady_clock::now() > deadline) {
                return std::unexpected(
                    fmt::format("{} was not ready in time:\n{}", name, tail_of(part.log, 20)));
            }
        }
        return {};
    }

    std::expected<void, std::string> start_parts() {
        parts_.reserve(3);  // references to parts stay valid
        if (auto done = write_registry(); !done) return done;
        const std::string socket = scratch("daemon.sock");
        ProcessSpec daemon{.arguments = {options_.daemon, "--socket-path=" + socket, "-f"},
                           .environment = {},
                           .log_file = ""};
        const bool ours = !options_.daemon.ends_with("/qemu/virtiofsd");
        std::string source = options_.share;
        if (ours) {
            daemon.arguments.push_back("--shared-dir=" + source);
        } else {
            for (std::size_t at = 0; (at = source.find(',', at)) != std::string::npos; at += 2)
                source.insert(at, ",");
            daemon.arguments.insert(daemon.arguments.end(), {"-o", "source=" + source});
        }
        daemon.arguments.insert(daemon.arguments.end(), options_.daemon_arguments.begin(),
                                options_.daemon_arguments.end());
        if (auto done = start_part("virtiofsd", daemon, [&] { return fs::exists(socket); }); !done)
            return done;

        const std::string device_ready = scratch("device-ready");
        ProcessSpec device{
            .arguments = {options_.native_binaries + "/device-host", "--socket", socket, "--tag",
                          options_.tag, "--session", id_, "--ready-file", device_ready},
            .environment = {},
            .log_file = ""};
        if (auto done = start_part("device-host", device, [&] { return fs::exists(device_ready); }); !done)
            return done;

        ProcessSpec service{.arguments = {kWine, options_.windows_binaries + "/launcher.exe",
                                          windows_path(options_.windows_binaries + "/virtiofs.exe")},
                            .environment = wine_environment(),
                            .log_file = ""};
        if (options_.registry.empty()) {
            service.arguments.insert(service.arguments.end(),
                                     {"-t", options_.tag, "-m", fmt::format("{}:", options_.drive)});
        }
        service.arguments.insert(service.arguments.end(), options_.virtiofs_arguments.begin(),
                                 options_.virtiofs_arguments.end());
        return start_part("virtiofs.exe", service, [&] { return fs::exists(scratch("mounted")); });
    }

    std::expected<void, std::string> write_registry() const {
        const std::string winfsp = scratch("winfsp");
        std::error_code error;
        fs::create_directories(winfsp + "/bin", error);
        fs::create_symlink(options_.windows_binaries + "/winfsp-x64.dll", winfsp + "/bin/winfsp-x64.dll",
                           error);
        if (error)
            return std::unexpected("cannot lay out WinFsp's folder in " + winfsp + ": " + error.message());
        std::vector<RegistryKey> keys;
        keys.push_back(
            {"Software\\Wow6432Node\\WinFsp", {{"InstallDir", string_value(windows_path(winfsp) + "\\")}}});
        if (!options_.registry.empty()) {
            RegistryKey settings{"Software\\virtiofs", {}};
            bool mount_point = false;
            for (const auto& text : options_.registry) {
                auto setting = parse_registry_setting(text);
                if (!setting) return std::unexpected(setting.error());
                mount_point = mount_point || setting->first == "MountPoint";
                settings.values.push_back(*setting);
            }
            if (!mount_point) {
                settings.values.emplace_back("MountPoint", string_value(fmt::format("{}:", options_.drive)));
            }
            keys.push_back(settings);
        }
        if (auto added = device_host::add_devices(options_.prefix, 1); !added) return added;
        return add_machine_keys(options_.prefix, keys);
    }

    // A part that is not there any more, or null.
    Part* ended_part() {
        const auto part = std::ranges::find_if(parts_, [](Part& p) { return p.process.poll().has_value(); });
        return part == parts_.end() ? nullptr : &*part;
    }

    // The letter the service chose, as the stand-in wrote it.
    char mounted_drive() const {
        std::ifstream in(scratch("mounted"));
        char letter = options_.drive;
        in >> letter;
        return letter;
    }

    // Ends the service as Ctrl-C would, so that it closes its files in order; the sandbox ends whatever
    // remains.
    void stop_service() {
        Part& service = parts_.back();
        for (const pid_t pid : wine_processes("virtiofs.exe"))
            kill(pid, SIGINT);
        if (!service.process.wait_for(kStopTimeout)) {
            fmt::print(stderr, "lab/run: virtiofs.exe did not stop in time:\n{}", tail_of(service.log, 20));
        }
        if (getenv("LAB_VERBOSE")) {
            for (const Part& part : parts_)
                fmt::print(stderr, "-- {}\n{}", part.name, tail_of(part.log, 40));
        }
    }

    SessionOptions options_;
    std::string id_;
    std::vector<Part> parts_;
};

}  // namespace

int run_session(const SessionOptions& options) {
    return Session(options, random_id()).run(nullptr, nullptr);
}

int run_kept_session(const SessionOptions& options, const std::function<void(int)>& keep,
                     const std::function<bool()>& told_to_end) {
    return Session(options, random_id()).run(keep, told_to_end);
}

int run_in_session(const SessionOptions& options) {
    std::string id;
    std::ifstream(options.scratch + "/" + kIdFile) >> id;
    return Session(options, id).run_program();
}

}  // namespace lab
