// One lab run, inside its sandbox: for each shared directory a daemon, a device host and the real
// virtiofs.exe under Wine, and a Windows program that sees the shares as drives.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lab {

struct SharedDirectory {
    std::string directory;  // on the host, absolute
    std::string tag;
    char drive = 'V';
};

// What runs virtiofs.exe.
enum class Mounting {
    kConsole,  // the lab, as a console program for each share
    kService,  // Windows' service control manager: a service for each share, made and started through sc
    kNone,     // nothing but the program itself
};

struct SessionOptions {
    std::vector<SharedDirectory> shares;          // none: of a session that is there already
    std::string daemon;                           // a virtiofsd
    std::vector<std::string> daemon_arguments;    // after the socket and the source
    std::vector<std::string> virtiofs_arguments;  // after -t and -m
    std::vector<std::string> registry;  // "Name=value" under HKLM\Software\virtiofs; numbers become DWORDs
    Mounting mounting = Mounting::kConsole;
    bool in_drive = false;             // the program starts with the first drive as its current directory
    std::vector<std::string> program;  // a Windows program and its arguments
    std::string control;               // path of a socket for orders while it runs; empty: none

    std::string
        windows_binaries;         // where virtiofs.exe, winfsp-x64.dll, launcher.exe and the redirect DLL are
    std::string native_binaries;  // where device-host is
    std::string scratch;          // private, empty, gone afterwards
    std::string prefix;           // private Wine prefix
    std::string event_log;  // a file for the service's event log entries; empty: in the scratch directory
};

// Runs it and returns the program's exit code (its low 8 bits; 1 where those are 0 and the rest is not). 125
// when the lab itself failed, after a message on stderr that says which part and shows the end of its log.
int run_session(const SessionOptions& options);

// The same, but when the program has ended the drive stays mounted until `told_to_end` says so or a part
// ends. `keep` is called once, with the program's exit code, when only that is left to do.
int run_kept_session(const SessionOptions& options, const std::function<void(int)>& keep,
                     const std::function<bool()>& told_to_end);

// Runs a program on the drive of the session that owns this sandbox, and returns its exit code.
int run_in_session(const SessionOptions& options);

}  // namespace lab
