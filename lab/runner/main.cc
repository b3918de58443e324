// lab-run: any Windows program on a host directory as a drive, through the shipped Windows binaries under
// Wine.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "lab/channel/descriptor_limit.h"
#include "lab/runner/kept_run.h"
#include "lab/runner/sandbox.h"
#include "lab/runner/session.h"

namespace {

constexpr int kUsageError = 2;

int usage_error(const std::string& what) {
    fmt::print(stderr, "lab/run: {}\n", what);
    return kUsageError;
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
            kept.add(id, options.share);
            fmt::print(stderr,
                       "lab/run: {} stays mounted, as run {}\n"
                       "  run a program on it:  lab/run --in {} [--cd] -- PROGRAM [ARGS]\n"
                       "  end it:               lab/run --end {}\n",
                       options.share, id, id, id);
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
    std::string drive = "V:";
    std::string virtiofs_arguments;
    std::string daemon_arguments;
    std::string build;
    bool keep = false;
    pid_t in_kept = 0;
    pid_t end_kept = 0;

    CLI::App app(
        "Runs a Windows program under Wine with a host directory as a drive and returns its exit code.",
        "lab/run");
    auto* share_option = app.add_option("--share", options.share, "The host directory");
    app.add_option("--drive", drive, "Drive letter")->capture_default_str();
    app.add_option("--tag", options.tag, "Mount tag")->capture_default_str();
    app.add_option("--daemon", options.daemon, "The virtiofsd to use")->capture_default_str();
    app.add_option("--daemon-args", daemon_arguments,
                   "Its further arguments, separated by spaces (default -o cache=auto)");
    app.add_option("--virtiofs-args", virtiofs_arguments,
                   "Further arguments of virtiofs.exe, separated by spaces");
    app.add_option("--registry", options.registry,
                   "Name=value under HKLM\\Software\\virtiofs, several allowed; virtiofs.exe then reads its "
                   "configuration from there instead of -t and -m");
    app.add_flag("--cd", options.in_drive, "Start the program with the drive as its current directory");
    app.add_option("--build", build, "Build folder with the presets' folders in it")->group("");
    app.add_flag("--keep", keep, "Leave the drive mounted when the program has ended, for --in and --end");
    auto* in_option =
        app.add_option("--in", in_kept, "Run the program on the drive of a run that was kept: ID")
            ->excludes(share_option);
    auto* end_option = app.add_option("--end", end_kept, "End a run that was kept: ID");
    end_option->excludes(share_option)->excludes(in_option);
    app.add_option("program", options.program, "The Windows program and its arguments, after --");
    app.positionals_at_end();
    CLI11_PARSE(app, argc, argv);
    if (!*share_option && !*in_option && !*end_option)
        return usage_error("one of --share, --in and --end is needed; --help tells more");
    if (options.program.empty() != static_cast<bool>(*end_option))
        return usage_error(*end_option ? "--end takes no program" : "a program is needed, after --");
    lab::raise_descriptor_limit();

    std::error_code error;
    if (*share_option) {
        const fs::path share = fs::canonical(options.share, error);
        if (error || !fs::is_directory(share))
            return usage_error("--share " + options.share + ": not a directory");
        options.share = share.string();
    }
    if (drive.size() > 2 || drive.empty() || (drive.size() == 2 && drive[1] != ':') || !isalpha(drive[0]) ||
        toupper(drive[0]) == 'C' || toupper(drive[0]) == 'Z') {
        return usage_error("--drive " + drive + ": expected a letter from A: to Y: other than C:");
    }
    options.drive = static_cast<char>(toupper(drive[0]));
    if (options.tag.empty() || options.tag.size() > 36) return usage_error("--tag: 1 to 36 characters");
    options.virtiofs_arguments = CLI::detail::split_up(virtiofs_arguments);
    options.daemon_arguments =
        CLI::detail::split_up(daemon_arguments.empty() ? "-o cache=auto" : daemon_arguments);

    const fs::path own = fs::canonical("/proc/self/exe", error);
    const fs::path root = build.empty() ? own.parent_path().parent_path().parent_path() : fs::path(build);
    options.native_binaries = own.parent_path().string();
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
