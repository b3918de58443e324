// The virtio-fs devices of this machine: found by their interface class, told apart by their tags. Must never
// know: what travels over them, WinFsp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guest/service/win32.h"

namespace guest::service {

struct Device {
    std::wstring path;   // what CreateFile takes
    std::u16string tag;  // the name the host gave its share
};

struct DeviceSearch {
    std::optional<Device> found;
    // A device is there that would not say its tag, so that looking again later is worth while.
    bool some_silent = false;
};

// The first device with that tag, or the first of all for an empty one, in the system's order. May wait for
// drivers, never for the host.
DeviceSearch find_device(std::u16string_view tag);

// Whether the device is still there: it opens and gives its tag.
bool is_present(const Device& device);

// Opens the device for overlapped requests; no handle on failure, with the reason in GetLastError().
UniqueHandle open_device(const Device& device);

}  // namespace guest::service
