#include "lab/runner/session.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "lab/runner/machine.h"
#include "lab/runner/orders.h"
#include "lab/runner/parts.h"

namespace lab {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kLabFailed = 125;
constexpr auto kStopTimeout = 10s;
constexpr std::size_t kLinesTold = 20;          // of a log
constexpr const char* kIdFile = "session-id";   // in the scratch directory
constexpr const char* kServicesLog = "sc.log";  // there, too

std::string random_id() {
    std::random_device random;
    return fmt::format("{:08x}", static_cast<std::uint32_t>(random()));
}

// What the parts of a share are called: the first one's have no number.
std::string numbered(const std::string& name, std::size_t index) {
    return index == 0 ? name : fmt::format("{}-{}", name, index + 1);
}

// A path as a value of virtiofsd's -o, where commas separate.
std::string with_doubled_commas(const std::string& path) {
    std::string text;
    for (const char c : path)
        text += c == ',' ? std::string(",,") : std::string(1, c);
    return text;
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

class Session {
  public:
    Session(const SessionOptions& options, const std::string& id)
        : options_(options),
          id_(id),
          event_log_(options.event_log.empty() ? scratch("event.log") : options.event_log),
          machine_({.session = id,
                    .prefix = options.prefix,
                    .scratch = options.scratch,
                    .windows_binaries = options.windows_binaries,
                    .event_log = event_log_,
                    .devices = static_cast<unsigned>(options.shares.size()),
                    .has_services = options.mounting != Mounting::kConsole,
                    .settings = settings(options)}),
          parts_(options.scratch),
          orders_(parts_) {}

    int run(const std::function<void(int)>& keep, const std::function<bool()>& told_to_end) {
        std::ofstream(scratch(kIdFile)) << id_;
        auto ready = start_parts();
        if (ready && !options_.control.empty()) ready = orders_.listen(options_.control);
        if (!ready) {
            fmt::print(stderr, "lab/run: {}\n", ready.error());
            if (getenv("LAB_VERBOSE")) parts_.show_logs();
            return kLabFailed;
        }
        const int code = run_program();
        if (keep && code != kLabFailed) {
            keep(code);
            while (!told_to_end() && parts_.ended() == nullptr)
                std::this_thread::sleep_for(carry_out_orders());
        }
        if (options_.mounting == Mounting::kConsole) stop_console_programs();
        if (options_.mounting == Mounting::kService) stop_services();
        if (getenv("LAB_VERBOSE")) parts_.show_logs();
        return code;
    }

    // Runs the program in this session; its parts are watched only if they are this process' own.
    int run_program() {
        const std::string directory = options_.in_drive ? fmt::format("{}:\\", mounted_drive()) : "";
        ProcessSpec spec = machine_.program_in(directory, options_.program);
        spec.inherit_stdin = true;
        auto program = Process::start(spec);
        if (!program) {
            fmt::print(stderr, "lab/run: {}\n", program.error());
            return kLabFailed;
        }
        for (;;) {
            if (const auto code = program->wait_for(carry_out_orders())) return *code;
            if (Part* part = parts_.ended()) {
                fmt::print(stderr, "lab/run: {} ended with exit code {} while the program ran:\n{}",
                           part->name, *part->process.poll(), tail_of(part->log, kLinesTold));
                program->wait_for(kStopTimeout);
                return kLabFailed;
            }
        }
    }

  private:
    static std::vector<std::string> settings(const SessionOptions& options) {
        std::vector<std::string> result = options.registry;
        const bool mount_point =
            std::ranges::any_of(result, [](const auto& text) { return text.starts_with("MountPoint="); });
        if (!result.empty() && !mount_point)
            result.push_back(fmt::format("MountPoint={}:", options.shares.front().drive));
        return result;
    }

    std::string scratch(const std::string& name) const { return options_.scratch + "/" + name; }

    std::expected<void, std::string> start_parts() {
        if (auto done = machine_.install(); !done) return done;
        for (std::size_t i = 0; i < options_.shares.size(); ++i) {
            if (auto done = start_device(i); !done) return done;
        }
        if (options_.mounting != Mounting::kConsole) {
            const std::string up = scratch("up");
            const auto booted = parts_.start("windows", machine_.boot(up), [&] { return fs::exists(up); });
            if (!booted) return std::unexpected(booted.error());
        }
        for (std::size_t i = 0; i < options_.shares.size(); ++i) {
            if (auto done = mount(i); !done) return done;
        }
        return {};
    }

    std::expected<void, std::string> mount(std::size_t index) {
        switch (options_.mounting) {
            case Mounting::kConsole:
                return start_in_console(index);
            case Mounting::kService:
                return start_service(index);
            case Mounting::kNone:
                return {};
        }
        return {};
    }

    // What has been ordered meanwhile. Returns how long to wait before the next look at it and at the parts.
    std::chrono::milliseconds carry_out_orders() {
        if (!orders_.is_listening()) return 200ms;
        orders_.serve_waiting();
        return 20ms;
    }

    // A share's host side: its daemon, and the device of the same number.
    std::expected<void, std::string> start_device(std::size_t index) {
        const SharedDirectory& share = options_.shares[index];
        const std::string socket = scratch(numbered("daemon", index) + ".sock");
        const ProcessSpec daemon{
            .arguments = daemon_command(share, socket), .environment = {}, .log_file = ""};
        const auto listening =
            parts_.start(numbered("virtiofsd", index), daemon, [&] { return fs::exists(socket); });
        if (!listening) return std::unexpected(listening.error());

        const std::string control = scratch(numbered("device", index) + ".control");
        orders_.add({.daemon = *listening,
                     .daemon_command = daemon,
                     .daemon_socket = socket,
                     .device_control = control});
        const std::string device_ready = scratch(numbered("device-ready", index));
        const ProcessSpec device{
            .arguments = {options_.native_binaries + "/device-host", "--socket", socket, "--tag", share.tag,
                          "--session", id_, "--index", std::to_string(index), "--ready-file", device_ready,
                          "--control", control},
            .environment = {},
            .log_file = ""};
        const auto plugged =
            parts_.start(numbered("device-host", index), device, [&] { return fs::exists(device_ready); });
        if (!plugged) return std::unexpected(plugged.error());
        return {};
    }

    std::vector<std::string> daemon_command(const SharedDirectory& share, const std::string& socket) const {
        std::vector<std::string> command{options_.daemon, "--socket-path=" + socket, "-f"};
        if (options_.daemon.ends_with("/qemu/virtiofsd")) {
            command.insert(command.end(), {"-o", "source=" + with_doubled_commas(share.directory)});
        } else {
            command.push_back("--shared-dir=" + share.directory);
        }
        command.insert(command.end(), options_.daemon_arguments.begin(), options_.daemon_arguments.end());
        return command;
    }

    // What virtiofs.exe is started with.
    std::vector<std::string> service_command(const SharedDirectory& share) const {
        std::vector<std::string> command{machine_.binary("virtiofs.exe")};
        if (options_.registry.empty())
            command.insert(command.end(), {"-t", share.tag, "-m", fmt::format("{}:", share.drive)});
        command.insert(command.end(), options_.virtiofs_arguments.begin(), options_.virtiofs_arguments.end());
        return command;
    }

    std::expected<void, std::string> start_in_console(std::size_t index) {
        const auto service = parts_.start(numbered("virtiofs.exe", index),
                                          machine_.program(service_command(options_.shares[index])),
                                          [&] { return take_mount_note(index); });
        if (!service) return std::unexpected(service.error());
        console_programs_.push_back(*service);
        return {};
    }

    // Runs sc.exe to its end.
    std::expected<void, std::string> control_services(std::vector<std::string> arguments) const {
        const std::string what = fmt::format("sc {} {}", arguments[0], arguments[1]);
        arguments.insert(arguments.begin(), "sc");
        ProcessSpec spec = machine_.program(arguments);
        spec.log_file = scratch(kServicesLog);
        auto program = Process::start(spec);
        if (!program) return std::unexpected(program.error());
        if (const int code = program->wait(); code != 0) {
            return std::unexpected(fmt::format("{} ended with exit code {}:\n{}", what, code,
                                               tail_of(spec.log_file, kLinesTold)));
        }
        return {};
    }

    std::expected<void, std::string> start_service(std::size_t index) {
        const std::string name = numbered("VirtioFsSvc", index);
        std::string command;
        for (const auto& argument : service_command(options_.shares[index])) {
            const bool plain = argument.find_first_of(" \t") == std::string::npos;
            command += (command.empty() ? "" : " ") + (plain ? argument : '"' + argument + '"');
        }
        if (auto done =
                control_services({"create", name, "binPath=" + command, "start=auto", "depend=VirtioFsDrv"});
            !done) {
            return done;
        }
        if (auto done = control_services({"start", name}); !done) return why_stopped(name);
        bool mounted = false;
        const auto settled = [&] {
            const bool running = wine_processes("virtiofs.exe").size() > index;
            mounted = mounted || take_mount_note(index);
            return mounted || !running;
        };
        if (auto done = parts_.wait_until(settled, name + " did not mount in time", event_log_); !done)
            return done;
        if (!mounted) return why_stopped(name);
        return {};
    }

    std::unexpected<std::string> why_stopped(const std::string& name) const {
        (void)control_services({"query", name});
        return std::unexpected(fmt::format("{} stopped:\n{}{}", name, tail_of(event_log_, kLinesTold),
                                           tail_of(scratch(kServicesLog), kLinesTold)));
    }

    // Whether a share has been mounted; the note of where becomes that share's.
    bool take_mount_note(std::size_t index) const {
        std::error_code missing;
        fs::rename(machine_.mounted_file(), scratch(numbered("mounted-at", index)), missing);
        return !missing;
    }

    // The letter of the first share, as the stand-in wrote it.
    char mounted_drive() const {
        std::ifstream in(scratch(numbered("mounted-at", 0)));
        char letter = 'V';
        in >> letter;
        return letter;
    }

    // Ends virtiofs.exe as Ctrl-C would, so that it closes its files in order; the sandbox ends whatever
    // remains.
    void stop_console_programs() {
        for (const pid_t pid : wine_processes("virtiofs.exe"))
            kill(pid, SIGINT);
        for (Part* program : console_programs_) {
            if (program->process.wait_for(kStopTimeout)) continue;
            fmt::print(stderr, "lab/run: {} did not stop in time:\n{}", program->name,
                       tail_of(program->log, kLinesTold));
        }
    }

    // The program may have stopped or deleted some already.
    void stop_services() {
        for (std::size_t i = 0; i < options_.shares.size(); ++i)
            (void)control_services({"stop", numbered("VirtioFsSvc", i)});
        const auto deadline = std::chrono::steady_clock::now() + kStopTimeout;
        while (!wine_processes("virtiofs.exe").empty()) {
            if (std::chrono::steady_clock::now() > deadline) {
                fmt::print(stderr, "lab/run: virtiofs.exe did not stop in time:\n{}",
                           tail_of(event_log_, kLinesTold));
                return;
            }
            std::this_thread::sleep_for(5ms);
        }
    }

    SessionOptions options_;
    std::string id_;
    std::string event_log_;
    Machine machine_;
    Parts parts_;
    Orders orders_;
    std::vector<Part*> console_programs_;  // those of the parts that are virtiofs.exe
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
