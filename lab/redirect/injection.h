// How this DLL gets into a new process before any of its code runs: as the first entry of the program's
// import table. Must never know: why processes are started.
#pragma once

#include <string_view>

#include "lab/redirect/mounts.h"

namespace lab::redirect {

// What a parent tells the copy of this DLL in its child.
struct StartupNote {
    std::u16string_view session;
    std::u16string_view current_directory;  // DOS path on an emulated volume; empty: leave it
    std::u16string_view image_path;         // DOS path of a program on an emulated volume; empty: leave it
    bool inherits_handles = false;
};

// The path of this DLL as an import names it. False: it cannot be one (not ASCII, too long).
bool set_own_path(HMODULE self);

// Into a process that has not run yet.
NTSTATUS inject(HANDLE process, const StartupNote& note);

// The note left in this process; nullopt if it was not injected. Views last as long as the process.
std::optional<StartupNote> own_note();

}  // namespace lab::redirect
