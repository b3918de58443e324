// lab-run: any Windows program on a host directory as a drive, through the shipped Windows binaries under
// Wine.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "lab/channel/descriptor_limit.h"
#include "lab/device_host/protocol.h"
#include "lab/runner/kept_run.h"
#include "lab/runner/sandbox.h"
#include "lab/runner/session.h"

namespace {

constexpr int kUsageError = 2;

int usage_error(const std::string& what) {
    fmt::print(stderr, "lab/run: {}\n", what);
    return kUsageError;
}

std::string directories(const lab::SessionOptions& options) {
    std::string text;
    for (const auto& share : options.shares)
        text += (text.empty() ? "" : ", ") + share.directory;
    return text;
}

// Pairs the options that describe shares, each list in the order of the command line.
std::expected<std::vector<lab::SharedDirectory>, std::string> pair_shares(
    const std::vector<std::string>& directories, const std::vector<std::string>& tags,
    const std::vector<std::string>& drives) {
    namespace fs = std::filesystem;
    if (tags.size() > directories.size() || drives.size() > directories.size())
        return std::unexpected("there are more --tag or --drive than --share");
    if (directories.size() > lab::device_host::kMaxDevices)
        return std::unexpected(fmt::format("--share: at most {}", lab::device_host::kMaxDevices));
    std::vector<lab::SharedDirectory> shares;
    std::string taken;
    for (const auto& drive : drives) {
        if (drive.size() > 2 || drive.empty() || (drive.size() == 2 && drive[1] != ':') ||
            !isalpha(drive[0]) || toupper(drive[0]) == 'C' || toupper(drive[0]) == 'Z') {
            return std::unexpected("--drive " + drive + ": expected a letter from A: to Y: other than C:");
        }
        const char letter = static_cast<char>(toupper(drive[0]));
        if (taken.contains(letter)) return std::unexpected("--drive " + drive + ": given twice");
        taken += letter;
    }
    for (std::size_t i = 0; i < directories.size(); ++i) {
        std::error_code error;
        const fs::path path = fs::canonical(directories[i], error);
        if (error || !fs::is_directory(path))
            return std::unexpected("--share " + directories[i] + ": not a directory");
        const std::string tag = i < tags.size() ? tags[i] : i == 0 ? "lab" : fmt::format("lab{}", i + 1);
        if (tag.empty() || tag.size() > 36) return std::unexpected("--tag: 1 to 36 characters");
        if (i >= taken.size()) {
            constexpr std::string_view kLetters = "VWXYUTSRQPONMLKJIHGFED";
            taken += kLetters[kLetters.find_first_not_of(taken)];
        }
        shares.push_back({.directory = path.string(), .tag = tag, .drive = taken[i]});
    }
    return shares;
}

int end_run(const lab::KeptRuns& kept, pid_t id) {
    if (auto ended = kept.end(id); !ended) return usage_error("--end: " + ended.error());
    return 0;
}

int keep_run(const lab::KeptRuns& kept, const lab::SandboxMounts& mounts,
             const lab::SessionOptions& options) {
    return lab::run_in_background([&](const auto& hand_over) {
        const pid_t id = getpid();
        const auto keep = [&](int code) {
            const std::string what = directories(options);
            const bool unmounted = options.mounting == lab::Mounting::kNone;
            kept.add(id, what);
            fmt::print(stderr,
                       "lab/run: {} stays {}, as run {}\n"
                       "  run a program on it:  lab/run --in {} [--cd] -- PROGRAM [ARGS]\n"
                       "  end it:               lab/run --end {}\n",
                       what, unmounted ? "shared" : "mounted", id, id, id);
            hand_over(code);
        };
        const int code = lab::run_in_sandbox(
            mounts, [&] { return lab::run_kept_session(options, keep, [&] { return kept.told_to_end(); }); });
        kept.remove(id);
        return code;
    });
}

}  // namespace

int main(int argc, char** argv) {
    namespace fs = std::filesystem;
    lab::SessionOptions options;
    std::vector<std::string> share_directories;
    std::vector<std::string> tags;
    std::vector<std::string> drives;
    std::string virtiofs_arguments;
    std::string daemon_arguments;
    std::string build;
    bool as_service = false;
    bool unmounted = false;
    bool keep = false;
    pid_t in_kept = 0;
    pid_t end_kept = 0;

    CLI::App app(
        "Runs a Windows program under Wine with a host directory as a drive and returns its exit code.",
        "lab/run");
    auto* share_option = app.add_option("--share", share_directories,
                                        "The host directory; several allowed, each a device and a drive");
    app.add_option("--drive", drives, "Drive letter, one for each share in turn (default V:, W: and on)");
    app.add_option("--tag", tags, "Mount tag, one for each share in turn (default lab, lab2 and on)");
    app.add_option("--daemon", options.daemon, "The virtiofsd to use (default: the project's own)")
        ->envname("VIRTIOFSD");
    app.add_option("--daemon-args", daemon_arguments,
                   "Its further arguments, separated by spaces (default -o cache=auto)");
    app.add_option("--virtiofs-args", virtiofs_arguments,
                   "Further arguments of virtiofs.exe, separated by spaces");
    auto* registry_option = app.add_option(
        "--registry", options.registry,
        "Name=value under HKLM\\Software\\virtiofs, several allowed; virtiofs.exe then reads its "
        "configuration from there instead of -t and -m");
    app.add_flag("--service", as_service,
                 "Make virtiofs.exe a service through sc and start it, instead of running it in a console");
    app.add_flag("--unmounted", unmounted,
                 "Start no virtiofs.exe: the devices are there, and mounting is the program's business")
        ->excludes("--service");
    app.add_option("--event-log", options.event_log, "A file for the event log entries of virtiofs.exe");
    app.add_flag("--cd", options.in_drive,
                 "Start the program with the (first) drive as its current directory");
    app.add_option(
        "--control", options.control,
        "A socket to be made, outside of the shares, where lab/tell gives orders to devices and daemons");
    app.add_option("--build", build, "Build folder with the presets' folders in it")->group("");
    app.add_flag("--keep", keep, "Leave the drive mounted when the program has ended, for --in and --end");
    auto* in_option =
        app.add_option("--in", in_kept, "Run the program on the drive of a run that was kept: ID")
            ->excludes(share_option);
    auto* end_option = app.add_option("--end", end_kept, "End a run that was kept: ID");
    end_option->excludes(share_option)->excludes(in_option);
    app.add_option("program", options.program, "The Windows program and its arguments, after --");
    app.positionals_at_end();
    for (const char* name : {"--share", "--drive", "--tag", "--registry"})
        app.get_option(name)->allow_extra_args(false);
    registry_option->needs(share_option);
    CLI11_PARSE(app, argc, argv);
    if (!*share_option && !*in_option && !*end_option)
        return usage_error("one of --share, --in and --end is needed; --help tells more");
    if (options.program.empty() != static_cast<bool>(*end_option))
        return usage_error(*end_option ? "--end takes no program" : "a program is needed, after --");
    lab::raise_descriptor_limit();

    std::error_code error;
    auto shares = pair_shares(share_directories, tags, drives);
    if (!shares) return usage_error(shares.error());
    options.shares = *std::move(shares);
    if (*registry_option && options.shares.size() > 1)
        return usage_error("--registry configures one virtiofs.exe, and so goes with one --share only");
    if (unmounted && options.in_drive) return usage_error("--cd needs a drive, and --unmounted makes none");
    if (as_service) options.mounting = lab::Mounting::kService;
    if (unmounted) options.mounting = lab::Mounting::kNone;
    if (!options.control.empty()) options.control = fs::absolute(options.control).string();
    if (!options.event_log.empty()) options.event_log = fs::absolute(options.event_log).string();
    options.virtiofs_arguments = CLI::detail::split_up(virtiofs_arguments);
    options.daemon_arguments =
        CLI::detail::split_up(daemon_arguments.empty() ? "-o cache=auto" : daemon_arguments);

    const fs::path own = fs::canonical("/proc/self/exe", error);
    const fs::path root = build.empty() ? own.parent_path().parent_path().parent_path() : fs::path(build);
    options.native_binaries = own.parent_path().string();
    if (options.daemon.empty()) options.daemon = options.native_binaries + "/virtiofsd";
    options.windows_binaries = (root / "windows-release" / "bin").string();
    // Mount points only: what is mounted on them is private to each run.
    const fs::path mount_points = root / "lab";
    options.scratch = (mount_points / "scratch").string();
    options.prefix = (mount_points / "prefix").string();
    const lab::KeptRuns kept{.directory = (mount_points / "kept").string(), .scratch = options.scratch};
    for (const auto& directory : {options.scratch, options.prefix, kept.directory}) {
        fs::create_directories(directory, error);
        if (error) return usage_error("cannot make " + directory + ": " + error.message());
    }
    const std::string prefix_template = (root / "wine-prefix").string();
    for (const auto& needed : {prefix_template + "/system.reg", options.windows_binaries + "/virtiofs.exe"}) {
        if (!fs::exists(needed)) return usage_error(needed + " is missing; run `make lab` first");
    }
    const lab::SandboxMounts mounts{
        .scratch = options.scratch, .prefix_lower = prefix_template, .prefix = options.prefix};
    if (*end_option) return end_run(kept, end_kept);
    if (*in_option) {
        if (auto known = kept.check(in_kept); !known) return usage_error("--in: " + known.error());
        return lab::run_inside(in_kept, [&] { return lab::run_in_session(options); });
    }
    if (keep) return keep_run(kept, mounts, options);
    return lab::run_in_sandbox(mounts, [&] { return lab::run_session(options); });
}
