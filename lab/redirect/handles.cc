#include "lab/redirect/handles.h"

#include <atomic>

#include "lab/redirect/originals.h"

namespace lab::redirect {
namespace {

// Wine numbers handles 4, 8, 12... from the lowest free one. 8 MiB of address space, touched as used.
constexpr std::size_t kHandles = std::size_t{1} << 20;

struct HandleState {
    std::atomic<std::uint64_t>* tags = nullptr;
    EventName prefix;
    std::atomic<std::size_t> highest{0};  // index of a file
};
constinit HandleState g_handles;

std::optional<std::size_t> index_of(HANDLE handle) {
    const auto value = reinterpret_cast<std::uintptr_t>(handle);
    // The two low bits are the program's to play with.
    const std::size_t index = value >> 2;
    if (index == 0 || index >= kHandles) return std::nullopt;
    return index;
}

std::optional<std::uint64_t> parse_hex(std::u16string_view digits) {
    std::uint64_t value = 0;
    for (char16_t c : digits) {
        const char16_t upper = ascii_upper(c);
        if (c >= u'0' && c <= u'9') {
            value = value << 4 | (c - u'0');
        } else if (upper >= u'A' && upper <= u'F') {
            value = value << 4 | (upper - u'A' + 10);
        } else {
            return std::nullopt;
        }
    }
    return value;
}

Tag look_at(HANDLE handle) {
    BasicObjectInformation basic{};
    if (originals().NtQueryObject(handle, object_class::kBasic, &basic, sizeof(basic), nullptr) < 0)
        return {};
    const Tag foreign = Tag::of(Kind::kForeign);
    if (basic.granted_access != kStandInAccess) return foreign;
    struct {
        UNICODE_STRING name;
        char16_t text[256];
    } answer{};
    if (originals().NtQueryObject(handle, object_class::kName, &answer, sizeof(answer), nullptr) < 0)
        return foreign;
    if (!answer.name.Buffer) return foreign;
    const std::u16string_view name(reinterpret_cast<const char16_t*>(answer.name.Buffer),
                                   answer.name.Length / 2);
    const std::u16string_view prefix = g_handles.prefix.view();
    if (name.size() != prefix.size() + kTagDigits ||
        !equal_ascii_case(name.substr(0, prefix.size()), prefix)) {
        return foreign;
    }
    const auto bits = parse_hex(name.substr(prefix.size()));
    if (!bits) return foreign;
    const Tag tag = Tag(*bits).shared();
    return tag.is_file() && tag.mount() < kMaxMounts ? tag : foreign;
}

void note_file(std::size_t index, Tag tag) {
    if (!tag.is_file()) return;
    std::size_t highest = g_handles.highest.load();
    while (highest < index && !g_handles.highest.compare_exchange_weak(highest, index)) {
    }
}

}  // namespace

bool start_handles(const Session& session) {
    g_handles.prefix = event_name_prefix(session);
    void* memory = nullptr;
    SIZE_T size = kHandles * sizeof(std::uint64_t);
    if (NtAllocateVirtualMemory(current_process(), &memory, 0, &size, MEM_COMMIT | MEM_RESERVE,
                                PAGE_READWRITE) < 0) {
        return false;
    }
    g_handles.tags = static_cast<std::atomic<std::uint64_t>*>(memory);
    return true;
}

Tag known_tag_of(HANDLE handle) {
    const auto index = index_of(handle);
    return index ? Tag(g_handles.tags[*index].load(std::memory_order_acquire)) : Tag{};
}

Tag tag_of(HANDLE handle) {
    const auto index = index_of(handle);
    if (!index)
        return reinterpret_cast<std::intptr_t>(handle) <= 0 ? Tag::of(Kind::kForeign) : look_at(handle);
    Tag tag(g_handles.tags[*index].load(std::memory_order_acquire));
    if (tag.kind() != Kind::kUnknown) return tag;
    tag = look_at(handle);
    note_file(*index, tag);
    std::uint64_t unknown = 0;
    g_handles.tags[*index].compare_exchange_strong(unknown, tag.bits(), std::memory_order_acq_rel);
    return tag;
}

void set_tag(HANDLE handle, Tag tag) {
    const auto index = index_of(handle);
    if (!index) return;
    note_file(*index, tag);
    g_handles.tags[*index].store(tag.bits(), std::memory_order_release);
}

Tag forget_handle(HANDLE handle) {
    const auto index = index_of(handle);
    return index ? Tag(g_handles.tags[*index].exchange(0, std::memory_order_acq_rel)) : Tag{};
}

HANDLE next_file_handle(HANDLE after) {
    const std::size_t end = g_handles.highest.load();
    for (std::size_t i = (reinterpret_cast<std::uintptr_t>(after) >> 2) + 1; i <= end; ++i) {
        if (Tag(g_handles.tags[i].load()).is_file()) return reinterpret_cast<HANDLE>(i << 2);
    }
    return nullptr;
}

void find_inherited_handles() {
    void* memory = nullptr;
    SIZE_T size = 4 * 1024 * 1024;  // 100,000 handles of all processes together
    if (NtAllocateVirtualMemory(current_process(), &memory, 0, &size, MEM_COMMIT | MEM_RESERVE,
                                PAGE_READWRITE) < 0) {
        return;
    }
    ULONG used = 0;
    if (NtQuerySystemInformation(kSystemExtendedHandleInformation, memory, static_cast<ULONG>(size), &used) >=
        0) {
        const auto* handles = static_cast<const SystemHandles*>(memory);
        const DWORD self = GetCurrentProcessId();
        for (std::size_t i = 0; i < handles->count; ++i) {
            const SystemHandleEntry& entry = handles->entries[i];
            if (entry.process_id == self && entry.granted_access == kStandInAccess) {
                tag_of(reinterpret_cast<HANDLE>(entry.handle));
            }
        }
    }
    size = 0;
    NtFreeVirtualMemory(current_process(), &memory, &size, MEM_RELEASE);
}

}  // namespace lab::redirect
