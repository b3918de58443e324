#include "lab/device_host/registry.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <string_view>

#include "lab/redirect/device_name.h"

namespace lab::device_host {
namespace {

namespace name = lab::redirect::device;

// All of these texts are ASCII.
std::string narrow(std::u16string_view text) {
    return {text.begin(), text.end()};
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        out += c;
    }
    return out;
}

// A REG_MULTI_SZ of one string, as system.reg spells it.
std::string multi_string(std::string_view text) {
    return fmt::format("str(7):\"{}\\0\"", escaped(text));
}

std::string key(const std::string& path, const std::string& values) {
    constexpr unsigned kWritten = 1700000000;  // seconds since 1970; nobody looks at it
    return fmt::format("\n[{}] {}\n{}", escaped(path), kWritten, values);
}

std::string string_value(std::string_view value_name, std::string_view text) {
    return fmt::format("\"{}\"=\"{}\"\n", value_name, escaped(text));
}

std::string interface_key(unsigned index) {
    const std::string interface = narrow(name::kInterfaceClass);
    return fmt::format("System\\CurrentControlSet\\Control\\DeviceClasses\\{}\\##?#PCI#{}#{}{:02X}#{}",
                       interface, narrow(name::kHardwareId), narrow(name::kInstancePrefix),
                       name::slot_of(index), interface);
}

}  // namespace

std::string registry_text(unsigned index) {
    const std::string hardware = narrow(name::kHardwareId);
    const std::string instance = fmt::format("{}{:02X}", narrow(name::kInstancePrefix), name::slot_of(index));
    const std::string device = fmt::format("PCI\\{}\\{}", hardware, instance);
    const std::string path =
        fmt::format("\\\\?\\PCI#{}#{}#{}", hardware, instance, narrow(name::kInterfaceClass));
    const std::string interface = interface_key(index);
    std::string text;
    text += key("System\\CurrentControlSet\\Enum\\" + device,
                string_value("Class", "System") +
                    string_value("ClassGUID", "{4d36e97d-e325-11ce-bfc1-08002be10318}") +
                    string_value("DeviceDesc", "VirtIO FS Device") +
                    fmt::format("\"HardwareID\"={}\n", multi_string("PCI\\" + hardware)) +
                    string_value("Service", "VirtioFsDrv"));
    text += key(interface, string_value("DeviceInstance", device));
    text += key(interface + "\\#", string_value("SymbolicLink", path));
    text += key(interface + "\\#\\Control", "\"Linked\"=dword:00000001\n");
    return text;
}

std::expected<void, std::string> add_devices(const std::filesystem::path& prefix, unsigned devices) {
    const std::filesystem::path file = prefix / "system.reg";
    if (devices > name::kMaxDevices) {
        return std::unexpected(
            fmt::format("{} devices are too many: at most {}", devices, name::kMaxDevices));
    }
    std::ifstream in(file);
    if (!in) {
        return std::unexpected(
            fmt::format("cannot read {}: is {} a Wine prefix?", file.string(), prefix.string()));
    }
    const std::string present{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    std::ofstream out(file, std::ios::app);
    for (unsigned index = 0; index < devices; ++index) {
        if (present.find(escaped(interface_key(index)) + "]") == std::string::npos)
            out << registry_text(index);
    }
    out.close();
    if (!out) return std::unexpected(fmt::format("cannot write {}", file.string()));
    return {};
}

}  // namespace lab::device_host
