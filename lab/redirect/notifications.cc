#include "lab/redirect/notifications.h"

#include <atomic>
#include <cstring>
#include <new>

#include "cfgmgr/notifications.h"
#include "ioctl/contract.h"
#include "lab/device_host/bus.h"
#include "lab/redirect/device.h"
#include "lab/redirect/device_link.h"
#include "lab/redirect/device_name.h"
#include "lab/redirect/imports.h"
#include "lab/redirect/mounts.h"

namespace lab::redirect {
namespace {

namespace host = lab::device_host;
namespace os = lab::transport::os;
using device::Link;

// How often a present device's host is looked at: one that was killed says nothing on the bus.
constexpr std::uint32_t kHostCheckMs = 500;

struct Registration {
    cfgmgr::Callback callback = nullptr;
    void* context = nullptr;
    os::Thread thread;
    std::atomic<bool> ending{false};
    // Of an interface class:
    host::Bus* bus = nullptr;
    std::uint32_t seen[host::kMaxDevices] = {};
    // Of a handle:
    Link* link = nullptr;
    std::uint32_t watch = 0;

    DWORD call(cfgmgr::Action action, cfgmgr::EventData& event, std::size_t bytes) {
        return callback(reinterpret_cast<cfgmgr::Notification>(this), context, action, &event,
                        static_cast<DWORD>(bytes));
    }
};

// Room for an event with the longest interface path.
struct InterfaceEvent {
    alignas(cfgmgr::EventData) std::byte bytes[512] = {};

    cfgmgr::EventData& data() { return *reinterpret_cast<cfgmgr::EventData*>(bytes); }
};

void append(WCHAR*& end, std::u16string_view text) {
    for (const char16_t c : text)
        *end++ = static_cast<WCHAR>(c);
}

void tell_interface(Registration& registration, unsigned index, cfgmgr::Action action) {
    InterfaceEvent event;
    cfgmgr::EventData& data = event.data();
    data.type = cfgmgr::FilterType::kDeviceInterface;
    std::memcpy(&data.interface_event.interface_class, &ioctl::kDeviceInterface, sizeof(GUID));
    constexpr char16_t kDigits[] = u"0123456789ABCDEF";
    const unsigned slot = device::slot_of(index);
    const char16_t digits[] = {kDigits[slot / 16], kDigits[slot % 16]};
    WCHAR* end = data.interface_event.symbolic_link;
    append(end, u"\\\\?\\PCI#");
    append(end, device::kHardwareId);
    append(end, u"#");
    append(end, device::kInstancePrefix);
    append(end, std::u16string_view(digits, 2));
    append(end, u"#");
    append(end, device::kInterfaceClass);
    *end++ = 0;
    registration.call(action, data,
                      static_cast<std::size_t>(reinterpret_cast<std::byte*>(end) - event.bytes));
}

// Whether the bus' word that a device is present is true.
bool host_runs(unsigned index) {
    Link* const link = device::acquire_link(index);
    if (link == nullptr) return false;
    device::release_link(link);
    return true;
}

void watch_bus(void* context) {
    auto& registration = *static_cast<Registration*>(context);
    host::Bus& bus = *registration.bus;
    bool check_hosts = false;
    while (!registration.ending.load()) {
        const std::uint32_t changes = bus.changes.load();
        for (unsigned index = 0; index < host::kMaxDevices; ++index) {
            const std::uint32_t state = bus.devices[index].load();
            if (check_hosts && state == registration.seen[index] && (state & 1) != 0 && !host_runs(index)) {
                bus.host_died(index, state);
                continue;
            }
            if (state == registration.seen[index]) continue;
            const bool was_there = (registration.seen[index] & 1) != 0;
            registration.seen[index] = state;
            if (was_there) tell_interface(registration, index, cfgmgr::Action::kInterfaceRemoval);
            if ((state & 1) != 0) tell_interface(registration, index, cfgmgr::Action::kInterfaceArrival);
        }
        check_hosts = !registration.ending.load() && !os::wait(bus.changes, changes, kHostCheckMs);
    }
}

// One request to the registration's device host; the reply's status is an error when it did not come.
host::ReplyHead ask(Link* link, const host::RequestHead& head) {
    host::ReplyHead reply{};
    const auto lengths = link->client().call({.head = std::as_bytes(std::span(&head, 1))},
                                             {.head = std::as_writable_bytes(std::span(&reply, 1))});
    if (!lengths || lengths->head != sizeof(reply)) {
        reply.status = static_cast<std::uint32_t>(nt::Status::kDeviceRemoved);
    }
    return reply;
}

bool failed(const host::ReplyHead& reply) {
    return is_error(static_cast<NTSTATUS>(reply.status));
}

DWORD tell_handle(Registration& registration, cfgmgr::Action action) {
    cfgmgr::EventData event{};
    event.type = cfgmgr::FilterType::kDeviceHandle;
    return registration.call(action, event, sizeof(event));
}

void watch_handle(void* context) {
    auto& registration = *static_cast<Registration*>(context);
    DWORD verdict = ERROR_SUCCESS;
    while (!registration.ending.load()) {
        const host::ReplyHead reply =
            ask(registration.link,
                {.operation = host::Operation::kNextEvent, .open = registration.watch, .code = verdict});
        if (registration.ending.load()) return;
        if (failed(reply)) {
            // The host died, and the device with it.
            tell_handle(registration, cfgmgr::Action::kRemoveComplete);
            return;
        }
        switch (static_cast<host::WatchEvent>(reply.information)) {
            case host::WatchEvent::kQueryRemove:
                verdict = tell_handle(registration, cfgmgr::Action::kQueryRemove);
                continue;
            case host::WatchEvent::kQueryRemoveFailed:
                tell_handle(registration, cfgmgr::Action::kQueryRemoveFailed);
                break;
            case host::WatchEvent::kRemovePending:
                tell_handle(registration, cfgmgr::Action::kRemovePending);
                break;
            case host::WatchEvent::kRemoveComplete:
                tell_handle(registration, cfgmgr::Action::kRemoveComplete);
                break;
            case host::WatchEvent::kEnded:
                // The host ends in order: the same as if it had died.
                tell_handle(registration, cfgmgr::Action::kRemoveComplete);
                return;
        }
        verdict = ERROR_SUCCESS;
    }
}

DWORD start_bus(Registration& registration) {
    const Session session = session_from_environment();
    char name[kMaxSessionChars + 1] = {};
    for (std::size_t i = 0; i < session.view().size(); ++i)
        name[i] = static_cast<char>(session.view()[i]);
    registration.bus = host::Bus::open(name);
    if (registration.bus == nullptr) return cfgmgr::kOutOfMemory;
    // What is present already is none of its business.
    for (unsigned index = 0; index < host::kMaxDevices; ++index)
        registration.seen[index] = registration.bus->devices[index].load();
    return registration.thread.start(watch_bus, &registration) ? cfgmgr::kSuccess : cfgmgr::kOutOfMemory;
}

DWORD start_handle(Registration& registration, HANDLE handle) {
    const device::HostOpen open = device::host_open_of(handle);
    if (open.link == nullptr) return cfgmgr::kInvalidData;
    registration.link = open.link;
    const host::ReplyHead reply = ask(open.link, {.operation = host::Operation::kWatch, .open = open.number});
    if (failed(reply)) return cfgmgr::kNoSuchValue;
    registration.watch = reply.open;
    return registration.thread.start(watch_handle, &registration) ? cfgmgr::kSuccess : cfgmgr::kOutOfMemory;
}

void release(Registration* registration) {
    if (registration->link != nullptr) {
        if (registration->watch != 0) {
            ask(registration->link, {.operation = host::Operation::kEndWatch, .open = registration->watch});
        }
    }
    if (registration->thread.started()) registration->thread.join();
    if (registration->link != nullptr) device::release_link(registration->link);
    registration->~Registration();
    HeapFree(GetProcessHeap(), 0, registration);
}

DWORD WINAPI register_notification(cfgmgr::Filter* filter, void* context, cfgmgr::Callback callback,
                                   cfgmgr::Notification* notification) {
    if (filter == nullptr || callback == nullptr || notification == nullptr) return cfgmgr::kInvalidPointer;
    *notification = nullptr;
    if (filter->bytes != sizeof(*filter) || filter->flags != 0 || filter->reserved != 0)
        return cfgmgr::kInvalidData;
    void* const memory = HeapAlloc(GetProcessHeap(), 0, sizeof(Registration));
    if (memory == nullptr) return cfgmgr::kOutOfMemory;
    auto* const registration = new (memory) Registration;
    registration->callback = callback;
    registration->context = context;
    DWORD result = cfgmgr::kInvalidData;
    if (filter->type == cfgmgr::FilterType::kDeviceInterface &&
        std::memcmp(&filter->interface_class, &ioctl::kDeviceInterface, sizeof(GUID)) == 0) {
        result = start_bus(*registration);
    } else if (filter->type == cfgmgr::FilterType::kDeviceHandle) {
        result = start_handle(*registration, filter->device);
    }
    if (result != cfgmgr::kSuccess) {
        registration->ending.store(true);
        release(registration);
        return result;
    }
    *notification = reinterpret_cast<cfgmgr::Notification>(registration);
    return cfgmgr::kSuccess;
}

DWORD WINAPI unregister_notification(cfgmgr::Notification notification) {
    auto* const registration = reinterpret_cast<Registration*>(notification);
    if (registration == nullptr) return cfgmgr::kInvalidData;
    registration->ending.store(true);
    if (registration->bus != nullptr) os::wake(registration->bus->changes, os::kAllWaiters);
    release(registration);
    return cfgmgr::kSuccess;
}

}  // namespace

void supply_device_notifications() {
    replace_import("cfgmgr32.dll", "CM_Register_Notification",
                   reinterpret_cast<const void*>(&register_notification));
    replace_import("cfgmgr32.dll", "CM_Unregister_Notification",
                   reinterpret_cast<const void*>(&unregister_notification));
}

}  // namespace lab::redirect
