// The Windows machine of a lab run: a Wine prefix with WinFsp's stand-in installed, the virtio-fs devices,
// and the service's settings. Must never know: daemons, which programs run.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "lab/runner/process.h"

namespace lab {

// A host path as programs under Wine spell it.
std::string windows_path(const std::string& path);

struct MachineOptions {
    std::string session;                // what the run is called, see VFSLAB_SESSION
    std::string prefix;                 // private Wine prefix
    std::string scratch;                // private directory
    std::string windows_binaries;       // where virtiofs.exe, winfsp-x64.dll, launcher.exe are
    std::string event_log;              // a host file that the service's event log entries go to
    unsigned devices = 0;               // virtio-fs devices
    bool has_services = false;          // services see the drives and devices; WinFsp.Launcher is one
    std::vector<std::string> settings;  // "Name=value" under HKLM\Software\virtiofs; numbers become DWORDs
};

class Machine {
  public:
    explicit Machine(MachineOptions options) : options_(std::move(options)) {}

    // Writes the registry and lays out files, before any program runs.
    std::expected<void, std::string> install() const;
    // A program that sees the emulated drives, with the lab's environment: "NAME" or a Windows path.
    ProcessSpec program(const std::vector<std::string>& arguments) const;
    // The same, started in that directory.
    ProcessSpec program_in(const std::string& directory, const std::vector<std::string>& arguments) const;
    // Boots the machine and keeps it up, with its services; creates that host file when it is up. (With its
    // last program a machine goes down.)
    ProcessSpec boot(const std::string& up_file) const;
    // A Windows path of one of the project's programs.
    std::string binary(const std::string& name) const;

    // The file, a host path, into which WinFsp's stand-in writes each mount point when it is mounted.
    std::string mounted_file() const { return options_.scratch + "/mounted"; }

  private:
    // One of the project's programs with the lab's environment, outside the redirection.
    ProcessSpec wine(const std::string& program) const;
    // WinFsp's stand-in, where its installer puts WinFsp.
    std::expected<void, std::string> install_winfsp() const;
    // Services see the emulated drives and the devices, as other programs do.
    std::expected<void, std::string> redirect_services() const;
    // What the parts of the lab that run under Wine need to know.
    std::map<std::string, std::string> lab_variables() const;

    MachineOptions options_;
};

}  // namespace lab
