#include "lab/redirect/names.h"

#include "lab/redirect/calls.h"
#include "lab/redirect/device.h"
#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"

namespace lab::redirect {
namespace {

// Long enough for every prefix that decides.
constexpr std::size_t kPrefixChars = 200;

bool strip(std::u16string_view& text, std::u16string_view prefix) {
    if (text.size() < prefix.size() || !equal_ascii_case(text.substr(0, prefix.size()), prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

struct VolumePart {
    unsigned mount;
    std::size_t chars;  // of the prefix that names the volume
};

std::optional<VolumePart> volume_of(std::u16string_view name) {
    std::u16string_view rest = name;
    const bool dos = strip(rest, u"\\??\\") || strip(rest, u"\\DosDevices\\") || strip(rest, u"\\GLOBAL??\\");
    if (dos) {
        if (rest.size() >= 2 && rest[1] == u':' && (rest.size() == 2 || rest[2] == u'\\')) {
            if (const auto mount = mounts().find_letter(rest[0])) {
                return VolumePart{*mount, name.size() - rest.size() + 2};
            }
            return std::nullopt;
        }
        if (!strip(rest, u"GLOBALROOT")) return std::nullopt;
    }
    if (const auto found = mounts().find_device(rest)) {
        return VolumePart{found->mount, name.size() - rest.size() + found->name_chars};
    }
    return std::nullopt;
}

}  // namespace

Target resolve_name(const UNICODE_STRING& name) {
    Target target;
    const std::size_t chars = name.Length / 2;
    char16_t start[kPrefixChars];
    const std::size_t looked_at = chars < kPrefixChars ? chars : kPrefixChars;
    if (!guarded_copy(start, name.Buffer, looked_at * 2)) return target;
    const auto part = volume_of({start, looked_at});
    if (!part) return target;
    target.where = name.Length % 2 ? Target::Where::kBadName : Target::Where::kVolume;
    target.mount = part->mount;
    target.name = reinterpret_cast<const char16_t*>(name.Buffer) + part->chars;
    target.name_chars = chars - part->chars;
    return target;
}

Target resolve(const OBJECT_ATTRIBUTES* attributes) {
    OBJECT_ATTRIBUTES copy{};
    UNICODE_STRING name{};
    if (!attributes || !guarded_read(copy, attributes)) return {};
    if (copy.ObjectName && !guarded_read(name, copy.ObjectName)) return {};
    if (!copy.RootDirectory) return copy.ObjectName ? resolve_name(name) : Target{};
    const Tag root = tag_of(copy.RootDirectory);
    if (!root.is_file()) return {};
    Target target;
    target.where = name.Length % 2 ? Target::Where::kBadName : Target::Where::kVolume;
    target.mount = root.mount();
    target.root = root;
    target.name = reinterpret_cast<const char16_t*>(name.Buffer);
    target.name_chars = name.Length / 2;
    return target;
}

std::optional<DeviceName> device_named(const OBJECT_ATTRIBUTES* attributes) {
    OBJECT_ATTRIBUTES copy{};
    UNICODE_STRING name{};
    if (!attributes || !guarded_read(copy, attributes) || copy.RootDirectory || !copy.ObjectName ||
        !guarded_read(name, copy.ObjectName)) {
        return std::nullopt;
    }
    DeviceName device;
    device.chars = name.Length / 2;
    if (device.chars > sizeof(device.text) / sizeof(device.text[0]) ||
        !guarded_copy(device.text, name.Buffer, device.chars * 2) || !device::is_device_name(device.view())) {
        return std::nullopt;
    }
    return device;
}

}  // namespace lab::redirect
