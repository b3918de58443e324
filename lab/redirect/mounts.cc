#include "lab/redirect/mounts.h"

namespace lab::redirect {

Session session_from_environment() {
    wchar_t text[kMaxSessionChars + 1];
    const DWORD length = GetEnvironmentVariableW(kSessionVariable, text, kMaxSessionChars + 1);
    Session session;
    if (length == 0 || length > kMaxSessionChars) return session.add("default");
    for (DWORD i = 0; i < length; ++i) {
        const auto c = static_cast<char16_t>(text[i]);
        const char16_t upper = ascii_upper(c);
        const bool plain = (upper >= u'A' && upper <= u'Z') || (c >= u'0' && c <= u'9');
        session.add(plain ? c : u'-');
    }
    return session;
}

std::optional<unsigned> MountTable::find_letter(char16_t letter) const {
    const std::uint32_t upper = ascii_upper(letter);
    for (unsigned i = 0; i < kMaxMounts; ++i) {
        if (is_live(i) && entries[i].letter.load(std::memory_order_acquire) == upper) return i;
    }
    return std::nullopt;
}

std::optional<MountTable::Found> MountTable::find_device(std::u16string_view path) const {
    for (unsigned i = 0; i < kMaxMounts; ++i) {
        if (!is_live(i)) continue;
        const std::size_t chars = entries[i].device_chars;
        if (chars == 0 || chars > kMaxDeviceChars || path.size() < chars) continue;
        if (path.size() > chars && path[chars] != u'\\') continue;
        if (equal_ascii_case(path.substr(0, chars), {entries[i].device, chars})) return Found{i, chars};
    }
    return std::nullopt;
}

MountTable* open_mount_table(const Session& session) {
    WideText<96> name;
    name.add("\\BaseNamedObjects\\vfslab-").add(session.view()).add("-mounts");
    UNICODE_STRING unicode = name.unicode();
    OBJECT_ATTRIBUTES attributes{};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = &unicode;
    attributes.Attributes = OBJ_OPENIF | OBJ_CASE_INSENSITIVE;
    LARGE_INTEGER size{};
    size.QuadPart = sizeof(MountTable);
    HANDLE section = nullptr;
    if (NtCreateSection(&section, SECTION_MAP_READ | SECTION_MAP_WRITE | SECTION_QUERY, &attributes, &size,
                        PAGE_READWRITE, SEC_COMMIT, nullptr) < 0) {
        return nullptr;
    }
    void* view = nullptr;
    SIZE_T view_size = 0;
    constexpr ULONG kViewUnmap = 2;  // not inherited
    if (NtMapViewOfSection(section, current_process(), &view, 0, 0, nullptr, &view_size, kViewUnmap, 0,
                           PAGE_READWRITE) < 0) {
        NtClose(section);
        return nullptr;
    }
    return static_cast<MountTable*>(view);
}

EventName event_name_prefix(const Session& session) {
    EventName name;
    name.add("\\BaseNamedObjects\\vfslab-").add(session.view()).add("-");
    return name;
}

}  // namespace lab::redirect
