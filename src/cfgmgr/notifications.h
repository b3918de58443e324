// Windows' notifications of devices (Windows 8 and later), as cfgmgr32.h of the Windows SDK declares them and
// MinGW's does not: learn.microsoft.com, "CM_Register_Notification", "CM_NOTIFY_FILTER", "CM_NOTIFY_ACTION",
// "CM_NOTIFY_EVENT_DATA". Must never know: which devices.
#pragma once

#include <windows.h>

#include <cstddef>
#include <cstdint>

namespace cfgmgr {

inline constexpr DWORD kSuccess = 0;         // CR_SUCCESS
inline constexpr DWORD kOutOfMemory = 2;     // CR_OUT_OF_MEMORY
inline constexpr DWORD kInvalidPointer = 3;  // CR_INVALID_POINTER
inline constexpr DWORD kInvalidData = 31;    // CR_INVALID_DATA
inline constexpr DWORD kNoSuchValue = 37;    // CR_NO_SUCH_VALUE

enum class FilterType : std::int32_t { kDeviceInterface = 0, kDeviceHandle = 1, kDeviceInstance = 2 };

inline constexpr std::size_t kMaxDeviceIdUnits = 200;  // MAX_DEVICE_ID_LEN

struct Filter {
    DWORD bytes = sizeof(Filter);
    DWORD flags = 0;
    FilterType type{};
    DWORD reserved = 0;
    union {
        GUID interface_class;                    // kDeviceInterface
        HANDLE device;                           // kDeviceHandle: an open handle to the device
        WCHAR instance_id[kMaxDeviceIdUnits]{};  // kDeviceInstance
    };
};
static_assert(sizeof(Filter) == 416 && offsetof(Filter, device) == 16);

enum class Action : std::int32_t {
    kInterfaceArrival = 0,
    kInterfaceRemoval = 1,
    // The device is to be removed. Whoever has it open closes his handles before he returns; ERROR_SUCCESS
    // agrees, ERROR_CANCELLED objects.
    kQueryRemove = 2,
    kQueryRemoveFailed = 3,  // it stays after all: open it again
    kRemovePending = 4,      // it goes, also without having been asked for
    kRemoveComplete = 5,     // it is gone, also without any word before
    kCustomEvent = 6,
};

struct EventData {
    FilterType type{};
    DWORD reserved = 0;
    union {
        struct {
            GUID interface_class;
            WCHAR symbolic_link[1];  // zero-terminated, as CreateFile takes it
        } interface_event;
        struct {
            GUID event;
            LONG name_offset;
            DWORD data_bytes;
            BYTE data[1];
        } handle_event;
    };
};
static_assert(offsetof(EventData, interface_event) == 8);

using Notification = struct NotificationObject*;  // HCMNOTIFICATION

// Called on threads of Windows' own, one call at a time for a registration.
using Callback = DWORD(CALLBACK*)(Notification notification, void* context, Action action, EventData* event,
                                  DWORD event_bytes);

}  // namespace cfgmgr

extern "C" {
__declspec(dllimport) DWORD WINAPI
    CM_Register_Notification(cfgmgr::Filter* filter, void* context, cfgmgr::Callback callback,
                             cfgmgr::Notification* notification);
// Waits for a callback under way, so never from inside one.
__declspec(dllimport) DWORD WINAPI CM_Unregister_Notification(cfgmgr::Notification notification);
}
