// lab-run: any Windows program on a host directory as a drive, through the shipped Windows binaries under
// Wine.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "lab/channel/descriptor_limit.h"
#include "lab/runner/sandbox.h"
#include "lab/runner/session.h"

namespace {

constexpr int kUsageError = 2;

int usage_error(const std::string& what) {
    fmt::print(stderr, "lab/run: {}\n", what);
    return kUsageError;
}

}  // namespace

int main(int argc, char** argv) {
    namespace fs = std::filesystem;
    lab::SessionOptions options;
    std::string drive = "V:";
    std::string virtiofs_arguments;
    std::string daemon_arguments;
    std::string build;

    CLI::App app(
        "Runs a Windows program under Wine with a host directory as a drive and returns its exit code.",
        "lab/run");
    app.add_option("--share", options.share, "The host directory")->required();
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
    app.add_option("program", options.program, "The Windows program and its arguments, after --")->required();
    app.positionals_at_end();
    CLI11_PARSE(app, argc, argv);
    lab::raise_descriptor_limit();

    std::error_code error;
    const fs::path share = fs::canonical(options.share, error);
    if (error || !fs::is_directory(share))
        return usage_error("--share " + options.share + ": not a directory");
    options.share = share.string();
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
    for (const auto& directory : {options.scratch, options.prefix}) {
        fs::create_directories(directory, error);
        if (error) return usage_error("cannot make " + directory + ": " + error.message());
    }
    const std::string prefix_template = (root / "wine-prefix").string();
    for (const auto& needed : {prefix_template + "/system.reg", options.windows_binaries + "/virtiofs.exe"}) {
        if (!fs::exists(needed)) return usage_error(needed + " is missing; run `make lab` first");
    }
    return lab::run_in_sandbox(
        {.scratch = options.scratch, .prefix_lower = prefix_template, .prefix = options.prefix},
        [&] { return lab::run_session(options); });
}
