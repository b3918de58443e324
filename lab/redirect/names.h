// Which file of which emulated volume an OBJECT_ATTRIBUTES names, if any. Must never know: how files are
// opened.
#pragma once

#include <optional>
#include <string_view>

#include "lab/redirect/mounts.h"
#include "lab/redirect/tag.h"

namespace lab::redirect {

struct Target {
    enum class Where { kForeign, kVolume, kBadName };
    Where where = Where::kForeign;
    unsigned mount = 0;
    Tag root;  // file: the name is relative to it
    // The name within the volume, in the program's memory: read it with guarded_copy.
    const char16_t* name = nullptr;
    std::size_t name_chars = 0;
};

// Reads what it needs of the structure defensively; whatever cannot be read is foreign (NT will say what is
// wrong with it).
Target resolve(const OBJECT_ATTRIBUTES* attributes);
// A full NT name ("\??\V:\x", "\Device\Volume{...}\x").
Target resolve_name(const UNICODE_STRING& name);

// A name that means one of the lab's devices, copied from the program's memory.
struct DeviceName {
    char16_t text[200];
    std::size_t chars;
    std::u16string_view view() const { return {text, chars}; }
};
std::optional<DeviceName> device_named(const OBJECT_ATTRIBUTES* attributes);

}  // namespace lab::redirect
