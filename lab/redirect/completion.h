// How a finished operation is told to the program: IO_STATUS_BLOCK, event, APC or completion port.
// Must never know: which operation it was.
#pragma once

#include "lab/redirect/nt.h"
#include "lab/redirect/tag.h"

namespace lab::redirect {

// What a program passed for that purpose.
struct Notice {
    HANDLE event = nullptr;
    PIO_APC_ROUTINE apc = nullptr;
    void* apc_context = nullptr;
    IO_STATUS_BLOCK* io = nullptr;
};

// Tells and returns the status to return; STATUS_ACCESS_VIOLATION if the status block cannot be written.
// `file` is the handle's tag.
NTSTATUS complete(Tag file, const Notice& notice, NTSTATUS status, std::uint64_t information);

// Only the status block; null is none.
NTSTATUS complete(IO_STATUS_BLOCK* io, NTSTATUS status, std::uint64_t information);

// FileCompletionInformation on a stand-in.
NTSTATUS associate_port(HANDLE handle, Tag file, const void* buffer, ULONG bytes);
// FileIoCompletionNotificationInformation on a stand-in.
NTSTATUS set_port_flags(Tag file, const void* buffer, ULONG bytes);
// One handle more or less of a file with a port: it is forgotten with the last.
void retain_port(Tag file);
void forget_port(Tag file);

}  // namespace lab::redirect
