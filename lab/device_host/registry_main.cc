// lab-device-registry: makes the lab's virtio-fs devices known to a Wine prefix, before its first program
// starts.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "lab/device_host/registry.h"

int main(int argc, char** argv) {
    CLI::App app("Adds virtio-fs devices to a Wine prefix on which no wineserver runs.");
    std::string prefix;
    unsigned devices = 1;
    app.add_option("--prefix", prefix, "The prefix's folder")->required();
    app.add_option("--devices", devices, "How many: device 0 and up")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const auto added = lab::device_host::add_devices(prefix, devices);
    if (added) return 0;
    fmt::print(stderr, "lab-device-registry: {}\n", added.error());
    return 1;
}
