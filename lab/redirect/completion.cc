#include "lab/redirect/completion.h"

#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/originals.h"
#include "lab/transport/host_os.h"

namespace lab::redirect {
namespace {

constexpr ULONG kSkipPortOnSuccess = 1;

struct Port {
    std::uint64_t file = 0;  // shared tag bits; 0: free entry
    HANDLE port = nullptr;
    void* key = nullptr;
    ULONG flags = 0;
    ULONG handles = 1;  // of this process
};

// Few files have a port: a short list, searched only for those that do.
constexpr std::size_t kMaxPorts = 4096;
struct PortState {
    transport::os::Mutex lock;
    std::size_t used = 0;  // entries from here on were never used
    Port ports[kMaxPorts];
};
constinit PortState g_ports;

Port* find_port(Tag file) {
    for (std::size_t i = 0; i < g_ports.used; ++i) {
        if (g_ports.ports[i].file == file.shared().bits()) return &g_ports.ports[i];
    }
    return nullptr;
}

void post(Tag file, void* context, NTSTATUS status, std::uint64_t information) {
    transport::os::Guard guard(g_ports.lock);
    const Port* port = find_port(file);
    if (!port || (port->flags & kSkipPortOnSuccess)) return;
    NtSetIoCompletion(port->port, reinterpret_cast<ULONG_PTR>(port->key),
                      reinterpret_cast<ULONG_PTR>(context), status, information);
}

}  // namespace

NTSTATUS complete(IO_STATUS_BLOCK* io, NTSTATUS status, std::uint64_t information) {
    if (!io) return status;
    IO_STATUS_BLOCK block{};
    block.Status = status;
    block.Information = information;
    return guarded_write(io, block) ? status : STATUS_ACCESS_VIOLATION;
}

NTSTATUS complete(Tag file, const Notice& notice, NTSTATUS status, std::uint64_t information) {
    const NTSTATUS result = complete(notice.io, status, information);
    if (notice.event) NtSetEvent(notice.event, nullptr);
    if (is_error(result)) return result;
    if (notice.apc) {
        NtQueueApcThread(current_thread(), reinterpret_cast<void*>(notice.apc),
                         reinterpret_cast<ULONG_PTR>(notice.apc_context),
                         reinterpret_cast<ULONG_PTR>(notice.io), 0);
    } else if (file.has_port() && notice.apc_context) {
        post(file, notice.apc_context, status, information);
    }
    return result;
}

NTSTATUS associate_port(HANDLE handle, Tag file, const void* buffer, ULONG bytes) {
    CompletionInformation wanted{};
    if (bytes < sizeof(wanted)) return STATUS_INFO_LENGTH_MISMATCH;
    if (!guarded_read(wanted, buffer)) return STATUS_ACCESS_VIOLATION;
    if (file.synchronous()) return STATUS_INVALID_PARAMETER;
    HANDLE port = nullptr;
    const NTSTATUS status = originals().NtDuplicateObject(current_process(), wanted.port, current_process(),
                                                          &port, 0, 0, DUPLICATE_SAME_ACCESS);
    if (is_error(status)) return status;
    transport::os::Guard guard(g_ports.lock);
    Port* entry = nullptr;
    for (std::size_t i = 0; i < g_ports.used && !entry; ++i) {
        if (g_ports.ports[i].file == 0) entry = &g_ports.ports[i];
    }
    if (find_port(file) || (!entry && g_ports.used == kMaxPorts)) {
        originals().NtClose(port);
        return find_port(file) ? STATUS_INVALID_PARAMETER : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!entry) entry = &g_ports.ports[g_ports.used++];
    *entry = {.file = file.shared().bits(), .port = port, .key = wanted.key};
    set_tag(handle, file.with_port());
    return STATUS_SUCCESS;
}

NTSTATUS set_port_flags(Tag file, const void* buffer, ULONG bytes) {
    ULONG flags = 0;
    if (bytes < sizeof(flags)) return STATUS_INFO_LENGTH_MISMATCH;
    if (!guarded_read(flags, buffer)) return STATUS_ACCESS_VIOLATION;
    transport::os::Guard guard(g_ports.lock);
    if (Port* port = find_port(file)) port->flags = flags;
    return STATUS_SUCCESS;
}

void retain_port(Tag file) {
    transport::os::Guard guard(g_ports.lock);
    if (Port* port = find_port(file)) ++port->handles;
}

void forget_port(Tag file) {
    transport::os::Guard guard(g_ports.lock);
    Port* port = find_port(file);
    if (!port || --port->handles != 0) return;
    originals().NtClose(port->port);
    *port = {};
}

}  // namespace lab::redirect
