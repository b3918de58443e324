// The registry entries by which SetupDi finds the lab's devices, as text of a Wine prefix's system.reg:
// appended while no wineserver runs on the prefix, they cost no process start. Must never know: the
// transport, device handles.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace lab::device_host {

// The keys of device `index` (below kMaxDevices): its Enum entry and its interface, marked as present.
std::string registry_text(unsigned index);

// Adds devices 0 to `devices` - 1 to a prefix; those it has already are left alone. The error is a sentence
// for the user.
std::expected<void, std::string> add_devices(const std::filesystem::path& prefix, unsigned devices);

}  // namespace lab::device_host
