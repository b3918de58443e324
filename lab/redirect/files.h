// Opening and closing files of an emulated volume for the other parts of the redirection.
// Must never know: what programs do with them.
#pragma once

#include "lab/redirect/completion.h"
#include "lab/redirect/names.h"

namespace lab::redirect {

struct OpenRequest {
    ACCESS_MASK access = 0;
    std::uint64_t allocation_size = 0;
    ULONG attributes = 0;
    ULONG share = 0;
    ULONG disposition = FILE_OPEN;
    ULONG options = 0;
    ULONG handle_attributes = 0;
    bool has_ea = false;
};

// Puts the target's name into the call and says how many bytes; relative names set `related`.
struct NamePlaced {
    NTSTATUS status;
    std::size_t bytes;
};
class ServerCall;
NamePlaced place_name(ServerCall& call, const Target& target);

struct OpenedFile {
    NTSTATUS status;
    HANDLE handle;
    std::uint64_t information;
};
OpenedFile open_on_volume(const Target& target, const OpenRequest& request);

// Tells the server that a handle of the file was closed; waits for its cleanup.
void handle_closed(Tag file);

// The process is about to end: closes its files, so that whoever sees it ended finds them closed, as with NT.
// Needs no lock and no slot of a channel, which threads that are gone may hold.
void close_files_at_exit();
// A different process has ended: the same for its files.
void report_dead_process();

// Blocking transfers of any length between a file and memory of ours or of the program; nullopt: current
// position.
struct Transfer {
    NTSTATUS status;
    std::uint64_t bytes;
};
Transfer read_file(Tag file, void* buffer, std::uint64_t bytes, std::optional<std::uint64_t> offset);
Transfer write_file(Tag file, const void* buffer, std::uint64_t bytes, std::optional<std::uint64_t> offset);

// One information structure of an open file, into memory of ours.
NTSTATUS query_file(Tag file, ULONG information_class, void* buffer, ULONG bytes);
NTSTATUS set_end_of_file(Tag file, std::uint64_t bytes);

}  // namespace lab::redirect
