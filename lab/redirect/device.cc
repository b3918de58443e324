#include "lab/redirect/device.h"

#include <atomic>
#include <cstring>
#include <new>

#include "ioctl/contract.h"
#include "lab/device_host/protocol.h"
#include "lab/redirect/device_link.h"
#include "lab/redirect/device_name.h"
#include "lab/redirect/guarded.h"
#include "lab/transport/client.h"
#include "lab/transport/host_os.h"

extern "C" NTSTATUS NTAPI NtResetEvent(HANDLE, LONG*);

namespace lab::redirect::device {
namespace {

namespace host = lab::device_host;
namespace os = lab::transport::os;

constexpr NTSTATUS kRemoved = to_ntstatus(nt::Status::kDeviceRemoved);
constexpr NTSTATUS kNoMemory = to_ntstatus(nt::Status::kInsufficientResources);
constexpr ULONG kSynchronousIo = 0x30;  // FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT
constexpr ULONG kFileDeviceUnknown = 0x22;
constexpr std::size_t kMaxHandles = 256;
constexpr ULONG kSkipSetEventOnHandle = 2;

struct Pending;

// One open of a device by this process.
struct Open {
    Link* link = nullptr;
    std::uint32_t number = 0;  // the host's
    ACCESS_MASK access = 0;
    bool synchronous = false;
    bool signalled = false;   // its handles are, as the latest call has ended
    unsigned handles = 0;     // that stand for it
    unsigned references = 0;  // its handles and what is in flight; 0: to be freed
    HANDLE port = nullptr;
    void* port_key = nullptr;
    ULONG port_flags = 0;
    Pending* first = nullptr;  // in flight
};

// One control call in flight. Its starter and its completion each have a reference.
struct Pending : transport::AsyncCall {
    Open* open = nullptr;
    HANDLE handle = nullptr;  // signalled if the caller has no event of its own
    Notice notice;
    HANDLE apc_thread = nullptr;
    DWORD thread = 0;
    ULONG code = 0;
    void* out = nullptr;
    ULONG out_length = 0;
    void* direct_buffer = nullptr;  // kReadDirect's
    std::uint32_t direct_length = 0;
    bool begun = false;
    bool cancel_wanted = false;
    unsigned references = 2;
    Pending* next = nullptr;
    Pending** link_to_this = nullptr;
    NTSTATUS status = STATUS_PENDING;
    std::atomic<std::uint32_t> finished{0};
};

struct Entry {
    HANDLE handle = nullptr;
    Open* open = nullptr;
};

// Everything this file changes, under one lock that is held for a few instructions only, never over a call to
// the host.
struct State {
    os::Mutex lock;
    Entry entries[kMaxHandles];
};
constinit State g_state;

template <typename T>
T* allocate() {
    void* memory = HeapAlloc(GetProcessHeap(), 0, sizeof(T));
    return memory == nullptr ? nullptr : new (memory) T;
}
template <typename T>
void release_memory(T* object) {
    object->~T();
    HeapFree(GetProcessHeap(), 0, object);
}

// The next functions need the lock.

Entry* find_entry(HANDLE handle) {
    for (Entry& entry : g_state.entries) {
        if (entry.open != nullptr && entry.handle == handle) return &entry;
    }
    return nullptr;
}

Open* find_open(HANDLE handle) {
    Entry* entry = handle != nullptr ? find_entry(handle) : nullptr;
    return entry != nullptr ? entry->open : nullptr;
}

bool add_entry(HANDLE handle, Open* open) {
    for (Entry& entry : g_state.entries) {
        if (entry.open != nullptr) continue;
        entry = {handle, open};
        ++open->handles;
        ++open->references;
        return true;
    }
    return false;
}

void link_pending(Open& open, Pending& pending) {
    pending.next = open.first;
    pending.link_to_this = &open.first;
    if (open.first != nullptr) open.first->link_to_this = &pending.next;
    open.first = &pending;
    ++open.references;
}

void unlink_pending(Pending& pending) {
    if (pending.link_to_this == nullptr) return;
    *pending.link_to_this = pending.next;
    if (pending.next != nullptr) pending.next->link_to_this = pending.link_to_this;
    pending.link_to_this = nullptr;
}

void cancel_pending(Pending& pending) {
    pending.cancel_wanted = true;
    if (pending.begun) pending.open->link->client().cancel(pending);
}

// The others take it themselves.

void drop(Open* open) {
    {
        const os::Guard guard(g_state.lock);
        if (--open->references != 0) return;
    }
    if (open->port != nullptr) NtClose(open->port);
    release_link(open->link);
    release_memory(open);
}

void drop(Pending* pending) {
    {
        const os::Guard guard(g_state.lock);
        if (--pending->references != 0) return;
    }
    if (pending->apc_thread != nullptr) NtClose(pending->apc_thread);
    release_memory(pending);
}

// The status last: a program may poll it and read the rest at once.
NTSTATUS write_status(IO_STATUS_BLOCK* io, NTSTATUS status, std::uint64_t information) {
    if (io == nullptr) return status;
    const bool written =
        guarded_write(&io->Information, ULONG_PTR{information}) && guarded_write(&io->Status, status);
    return written ? status : STATUS_ACCESS_VIOLATION;
}

ACCESS_MASK map_generic(ACCESS_MASK access) {
    if (access & GENERIC_READ) access |= FILE_GENERIC_READ;
    if (access & GENERIC_WRITE) access |= FILE_GENERIC_WRITE;
    if (access & (GENERIC_ALL | MAXIMUM_ALLOWED)) access |= FILE_ALL_ACCESS;
    return access;
}

// Puts a reply where the program wants it. Returns the status of the whole and sets the information.
NTSTATUS deliver(Pending& pending, const transport::ReplyView& view, std::uint64_t& information) {
    host::ReplyHead head;
    if (view.head.size() != sizeof(head)) return to_ntstatus(nt::Status::kDeviceProtocolError);
    std::memcpy(&head, view.head.data(), sizeof(head));
    const auto status = static_cast<NTSTATUS>(head.status);
    if (is_error(status)) return status;
    if (head.payload_offset > view.payload.size() && !view.payload.empty()) {
        return to_ntstatus(nt::Status::kDeviceProtocolError);
    }
    const auto data = view.payload.empty() ? view.payload : view.payload.subspan(head.payload_offset);
    information = head.information;
    if (pending.code != ioctl::kReadDirect) {
        if (data.size() > pending.out_length || information > pending.out_length) {
            return to_ntstatus(nt::Status::kDeviceProtocolError);
        }
        return guarded_copy(pending.out, data.data(), data.size()) ? status : STATUS_ACCESS_VIOLATION;
    }
    constexpr std::size_t kHeaderBytes = offsetof(ioctl::ReadDirect, buffer);
    if (data.size() < kHeaderBytes || data.size() - kHeaderBytes > pending.direct_length) {
        return to_ntstatus(nt::Status::kDeviceProtocolError);
    }
    const bool copied =
        guarded_copy(pending.direct_buffer, data.data() + kHeaderBytes, data.size() - kHeaderBytes) &&
        guarded_copy(pending.out, data.data(), kHeaderBytes);
    return copied ? status : STATUS_ACCESS_VIOLATION;
}

// Tells the end of a call: status block first, then what the program may wait for.
void tell(Pending& pending, NTSTATUS status, std::uint64_t information) {
    HANDLE port = nullptr;
    {
        const os::Guard guard(g_state.lock);
        unlink_pending(pending);
        // While the handle still stands for this open it may be signalled; the lock keeps it from being
        // closed.
        const bool open = find_open(pending.handle) == pending.open;
        write_status(pending.notice.io, status, information);
        if (pending.notice.event != nullptr) {
            NtSetEvent(pending.notice.event, nullptr);
        } else if (open && !pending.open->signalled && !(pending.open->port_flags & kSkipSetEventOnHandle)) {
            pending.open->signalled = true;
            NtSetEvent(pending.handle, nullptr);
        }
        port = pending.open->port;
    }
    if (pending.notice.apc != nullptr && pending.apc_thread != nullptr) {
        NtQueueApcThread(pending.apc_thread, reinterpret_cast<void*>(pending.notice.apc),
                         reinterpret_cast<ULONG_PTR>(pending.notice.apc_context),
                         reinterpret_cast<ULONG_PTR>(pending.notice.io), 0);
    } else if (port != nullptr && pending.notice.apc_context != nullptr) {
        NtSetIoCompletion(port, reinterpret_cast<ULONG_PTR>(pending.open->port_key),
                          reinterpret_cast<ULONG_PTR>(pending.notice.apc_context), status, information);
    }
    pending.status = status;
    pending.finished.store(1);
    os::wake(pending.finished, os::kAllWaiters);
    drop(pending.open);
}

void completed(transport::AsyncCall& call,
               const std::expected<transport::ReplyView, transport::Failure>& reply) noexcept {
    auto& pending = static_cast<Pending&>(call);
    std::uint64_t information = 0;
    NTSTATUS status = kRemoved;
    if (reply) status = deliver(pending, *reply, information);
    tell(pending, status, is_error(status) ? 0 : information);
    drop(&pending);
}

// Builds the request in the shared memory. STATUS_SUCCESS: `lengths` says how long it is.
NTSTATUS build(Pending& pending, transport::Lease& lease, const void* in, ULONG in_length,
               transport::Lengths& lengths) {
    host::RequestHead head = {.operation = host::Operation::kControl,
                              .open = pending.open->number,
                              .code = pending.code,
                              .in_length = in_length,
                              .out_length = pending.out_length};
    if (pending.code == ioctl::kReadDirect) {
        ioctl::ReadDirect direct{};
        if (pending.out_length < sizeof(direct)) return STATUS_BUFFER_TOO_SMALL;
        if (!guarded_copy(&direct, pending.out, sizeof(direct))) return STATUS_ACCESS_VIOLATION;
        pending.direct_buffer = reinterpret_cast<void*>(direct.buffer);
        pending.direct_length = direct.length;
        head.out_length = direct.length;
    }
    if (in_length > host::kMaxInLength) return STATUS_INVALID_PARAMETER;
    if (!guarded_copy(lease.payload().data(), in, in_length)) return STATUS_ACCESS_VIOLATION;
    std::memcpy(lease.head().data(), &head, sizeof(head));
    lengths = {.head = sizeof(head), .payload = in_length};
    return STATUS_SUCCESS;
}

// Starts a call. Returns an error that is told by the return value alone, or STATUS_PENDING.
NTSTATUS begin(Pending& pending, const void* in, ULONG in_length) {
    transport::Client& client = pending.open->link->client();
    auto lease = client.lease();
    if (!lease) return kRemoved;
    transport::Lengths lengths;
    if (const NTSTATUS status = build(pending, *lease, in, in_length, lengths); is_error(status))
        return status;
    if (pending.notice.event != nullptr) NtResetEvent(pending.notice.event, nullptr);
    if (!client.begin(pending, static_cast<transport::Lease&&>(*lease), lengths)) return kRemoved;
    const os::Guard guard(g_state.lock);
    pending.begun = true;
    if (pending.cancel_wanted) client.cancel(pending);
    return STATUS_PENDING;
}

void send_close(Link* link, std::uint32_t number) {
    const host::RequestHead head = {.operation = host::Operation::kClose, .open = number};
    std::byte reply[sizeof(host::ReplyHead)];
    // A dead host has closed it already.
    (void)link->client().call({.head = std::as_bytes(std::span(&head, 1))}, {.head = reply});
}

struct OpenReply {
    NTSTATUS status;
    std::uint32_t number;
};

OpenReply send_open(Link* link) {
    const host::RequestHead head = {.operation = host::Operation::kOpen};
    host::ReplyHead reply{};
    const auto lengths = link->client().call({.head = std::as_bytes(std::span(&head, 1))},
                                             {.head = std::as_writable_bytes(std::span(&reply, 1))});
    if (!lengths) return {to_ntstatus(nt::Status::kObjectNameNotFound), 0};
    if (lengths->head != sizeof(reply)) return {to_ntstatus(nt::Status::kDeviceProtocolError), 0};
    return {static_cast<NTSTATUS>(reply.status), reply.open};
}

}  // namespace

bool is_device_name(std::u16string_view name) {
    return index_of_name(name).has_value();
}

Opened open(std::u16string_view name, ACCESS_MASK access, ULONG options, ULONG handle_attributes) {
    const auto index = index_of_name(name);
    if (!index) return {to_ntstatus(nt::Status::kObjectNameNotFound), nullptr};
    Link* link = acquire_link(*index);
    if (link == nullptr) return {to_ntstatus(nt::Status::kObjectNameNotFound), nullptr};
    const OpenReply opened = send_open(link);
    if (is_error(opened.status)) {
        release_link(link);
        return {opened.status, nullptr};
    }
    OBJECT_ATTRIBUTES attributes{};
    attributes.Length = sizeof(attributes);
    // Not inherited: a child could do nothing with it.
    attributes.Attributes = handle_attributes & ~static_cast<ULONG>(OBJ_INHERIT);
    HANDLE handle = nullptr;
    constexpr ULONG kNotificationEvent = 0;
    NTSTATUS status = NtCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, kNotificationEvent, FALSE);
    Open* record = is_error(status) ? nullptr : allocate<Open>();
    bool entered = false;
    if (record != nullptr) {
        record->link = link;
        record->number = opened.number;
        record->access = map_generic(access);
        record->synchronous = (options & kSynchronousIo) != 0;
        const os::Guard guard(g_state.lock);
        entered = add_entry(handle, record);
    }
    if (entered) return {STATUS_SUCCESS, handle};
    if (!is_error(status)) status = kNoMemory;
    if (record != nullptr) release_memory(record);
    if (handle != nullptr) NtClose(handle);
    send_close(link, opened.number);
    release_link(link);
    return {status, nullptr};
}

NTSTATUS control(HANDLE handle, const Notice& notice, ULONG code, const void* in, ULONG in_length, void* out,
                 ULONG out_length) {
    Pending* pending = allocate<Pending>();
    if (pending == nullptr) return kNoMemory;
    pending->completed = completed;
    pending->handle = handle;
    pending->notice = notice;
    pending->thread = GetCurrentThreadId();
    pending->code = code;
    pending->out = out;
    pending->out_length = out_length;
    Open* open = nullptr;
    NTSTATUS status = STATUS_SUCCESS;
    {
        const os::Guard guard(g_state.lock);
        open = find_open(handle);
        if (open == nullptr) {
            status = STATUS_INVALID_HANDLE;
        } else if (const std::uint32_t needed = ioctl::access_of(code);
                   (needed & ioctl::kReadAccess && !(open->access & FILE_READ_DATA)) ||
                   (needed & ioctl::kWriteAccess && !(open->access & FILE_WRITE_DATA))) {
            status = STATUS_ACCESS_DENIED;
        } else {
            pending->open = open;
            link_pending(*open, *pending);
            if (open->signalled) NtResetEvent(handle, nullptr);
            open->signalled = false;
        }
    }
    if (is_error(status)) {
        release_memory(pending);
        return status;
    }
    const bool synchronous = open->synchronous;
    if (notice.apc != nullptr) {
        NtDuplicateObject(current_process(), current_thread(), current_process(), &pending->apc_thread, 0, 0,
                          DUPLICATE_SAME_ACCESS);
    }
    status = begin(*pending, in, in_length);
    if (is_error(status)) {
        {
            const os::Guard guard(g_state.lock);
            unlink_pending(*pending);
            pending->references = 1;
        }
        drop(open);
    } else if (synchronous) {
        while (pending->finished.load() == 0)
            os::wait(pending->finished, 0, 1000);
        status = pending->status;
    }
    drop(pending);
    return status;
}

HostOpen host_open_of(HANDLE handle) {
    const os::Guard guard(g_state.lock);
    const Open* open = find_open(handle);
    if (open == nullptr) return {nullptr, 0};
    retain_link(open->link);
    return {open->link, open->number};
}

NTSTATUS cancel(HANDLE handle, IO_STATUS_BLOCK* io) {
    {
        const os::Guard guard(g_state.lock);
        Open* open = find_open(handle);
        if (open == nullptr) return STATUS_INVALID_HANDLE;
        const DWORD self = GetCurrentThreadId();
        for (Pending* pending = open->first; pending != nullptr; pending = pending->next) {
            if (pending->thread == self) cancel_pending(*pending);
        }
    }
    return write_status(io, STATUS_SUCCESS, 0);
}

NTSTATUS cancel_ex(HANDLE handle, const IO_STATUS_BLOCK* operation, IO_STATUS_BLOCK* io) {
    bool found = false;
    {
        const os::Guard guard(g_state.lock);
        Open* open = find_open(handle);
        if (open == nullptr) return STATUS_INVALID_HANDLE;
        for (Pending* pending = open->first; pending != nullptr; pending = pending->next) {
            if (operation != nullptr && pending->notice.io != operation) continue;
            cancel_pending(*pending);
            found = true;
        }
    }
    return write_status(io, found ? STATUS_SUCCESS : kStatusNotFound, 0);
}

void duplicated(HANDLE source, HANDLE copy) {
    const os::Guard guard(g_state.lock);
    // A full table leaves the copy a plain event.
    if (Open* open = find_open(source)) add_entry(copy, open);
}

void closing(HANDLE handle) {
    Open* open = nullptr;
    bool last = false;
    {
        const os::Guard guard(g_state.lock);
        Entry* entry = find_entry(handle);
        if (entry == nullptr) return;
        open = entry->open;
        *entry = {};
        last = --open->handles == 0;
        for (Pending* pending = open->first; last && pending != nullptr; pending = pending->next) {
            cancel_pending(*pending);
        }
    }
    if (last) send_close(open->link, open->number);
    drop(open);
}

NTSTATUS associate_port(HANDLE handle, const void* buffer, ULONG bytes) {
    CompletionInformation wanted{};
    if (bytes < sizeof(wanted)) return STATUS_INFO_LENGTH_MISMATCH;
    if (!guarded_read(wanted, buffer)) return STATUS_ACCESS_VIOLATION;
    HANDLE port = nullptr;
    const NTSTATUS status = NtDuplicateObject(current_process(), wanted.port, current_process(), &port, 0, 0,
                                              DUPLICATE_SAME_ACCESS);
    if (is_error(status)) return status;
    NTSTATUS result = STATUS_SUCCESS;
    {
        const os::Guard guard(g_state.lock);
        Open* open = find_open(handle);
        if (open == nullptr) {
            result = STATUS_INVALID_HANDLE;
        } else if (open->port != nullptr || open->synchronous) {
            result = STATUS_INVALID_PARAMETER;  // NT allows one port, and none for synchronous files
        } else {
            open->port = port;
            open->port_key = wanted.key;
        }
    }
    if (is_error(result)) NtClose(port);
    return result;
}

NTSTATUS set_port_flags(HANDLE handle, const void* buffer, ULONG bytes) {
    ULONG flags = 0;
    if (bytes < sizeof(flags)) return STATUS_INFO_LENGTH_MISMATCH;
    if (!guarded_read(flags, buffer)) return STATUS_ACCESS_VIOLATION;
    const os::Guard guard(g_state.lock);
    Open* open = find_open(handle);
    if (open == nullptr) return STATUS_INVALID_HANDLE;
    open->port_flags |= flags;
    return STATUS_SUCCESS;
}

NTSTATUS query_device_type(HANDLE handle, IO_STATUS_BLOCK* io, void* buffer, ULONG bytes) {
    {
        const os::Guard guard(g_state.lock);
        if (find_open(handle) == nullptr) return STATUS_INVALID_HANDLE;
    }
    const FsDeviceInformation answer = {.device_type = kFileDeviceUnknown, .characteristics = 0};
    if (bytes < sizeof(answer)) return STATUS_INFO_LENGTH_MISMATCH;
    if (!guarded_write(buffer, answer)) return STATUS_ACCESS_VIOLATION;
    return write_status(io, STATUS_SUCCESS, sizeof(answer));
}

}  // namespace lab::redirect::device
