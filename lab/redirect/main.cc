// The DLL in every process of a lab run: start-up.
#include <cstring>

#include "lab/redirect/calls.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/imports.h"
#include "lab/redirect/injection.h"
#include "lab/redirect/kernelbase.h"
#include "lab/redirect/notifications.h"
#include "lab/redirect/originals.h"
#include "lab/redirect/processes.h"

namespace lab::redirect {
namespace {

void set_current_directory(std::u16string_view path) {
    UNICODE_STRING text{};
    text.Length = text.MaximumLength = static_cast<USHORT>(path.size() * 2);
    text.Buffer = const_cast<wchar_t*>(reinterpret_cast<const wchar_t*>(path.data()));
    RtlSetCurrentDirectory_U(&text);
}

bool attach(HMODULE self) {
    const std::optional<StartupNote> note = own_note();
    // The parent's session goes over an environment that was made for the child.
    Session session;
    if (note) {
        session.add(note->session);
    } else {
        session = session_from_environment();
    }
    MountTable* table = open_mount_table(session);
    if (!table || !set_own_path(self) || !start_handles(session)) return false;
    start_calls(table);
    start_processes(session);
    if (!install_hooks()) return false;
    replace_kernelbase_functions();
    supply_device_notifications();
    if (!note) return true;
    if (note->inherits_handles) find_inherited_handles();
    if (!note->current_directory.empty()) set_current_directory(note->current_directory);
    return true;
}

}  // namespace
}  // namespace lab::redirect

extern "C" {

// What the import that brings this DLL into a process names.
__declspec(dllexport) void lab_redirect_marker() {}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, void*) {
    return reason != DLL_PROCESS_ATTACH || lab::redirect::attach(self);
}
}
