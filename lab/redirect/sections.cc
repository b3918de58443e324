#include "lab/redirect/sections.h"

#include <cstring>

#include "lab/redirect/files.h"
#include "lab/redirect/guarded.h"
#include "lab/redirect/handles.h"
#include "lab/redirect/images.h"
#include "lab/redirect/originals.h"
#include "lab/transport/host_os.h"

namespace lab::redirect {
namespace {

constexpr NTSTATUS kStatusInvalidFileForSection = static_cast<NTSTATUS>(0xC0000020);
constexpr std::size_t kMaxSections = 1024;
constexpr std::size_t kMaxViews = 2048;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kCompareBytes = 64 * 1024;

struct Section {
    std::uint32_t references = 0;  // handles and views; 0: free entry
    bool writable = false;
    HANDLE file = nullptr;  // keeps the file open as long as the section
    std::uint64_t bytes = 0;
};

struct View {
    const std::byte* base = nullptr;  // null: free entry
    std::size_t bytes = 0;
    std::uint64_t offset = 0;
    std::uint32_t section = 0;
    bool writable = false;
};

struct SectionState {
    transport::os::Mutex lock;  // sections and views; not held over calls to a server
    Section sections[kMaxSections];
    View views[kMaxViews];
};
constinit SectionState g_state;

// Under the lock. The file to close once the lock is released, if that was the last reference.
HANDLE drop_reference(std::uint32_t index) {
    Section& section = g_state.sections[index];
    if (--section.references != 0) return nullptr;
    const HANDLE file = section.file;
    section = {};
    return file;
}

void release(std::uint32_t index) {
    HANDLE file = nullptr;
    {
        transport::os::Guard guard(g_state.lock);
        file = drop_reference(index);
    }
    if (file) hook::NtClose(file);
}

// Compares with the file and writes the pages that differ, at most what lies in the section.
NTSTATUS write_back(const View& view, std::uint64_t from, std::uint64_t to, std::uint64_t section_bytes,
                    Tag file) {
    if (view.offset >= section_bytes) return STATUS_SUCCESS;
    if (to > section_bytes - view.offset) to = section_bytes - view.offset;
    void* scratch = VirtualAlloc(nullptr, kCompareBytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!scratch) return STATUS_NO_MEMORY;
    const PositionGuard position(file);
    NTSTATUS result = STATUS_SUCCESS;
    for (std::uint64_t at = from & ~(kPageBytes - 1); at < to;) {
        const std::uint64_t bytes = to - at < kCompareBytes ? to - at : kCompareBytes;
        const Transfer old = read_file(file, scratch, bytes, view.offset + at);
        const std::uint64_t known = is_error(old.status) ? 0 : old.bytes;
        std::uint64_t first = bytes;
        std::uint64_t end = 0;
        for (std::uint64_t page = 0; page < bytes; page += kPageBytes) {
            const std::uint64_t size = bytes - page < kPageBytes ? bytes - page : kPageBytes;
            if (page + size <= known &&
                std::memcmp(static_cast<std::byte*>(scratch) + page, view.base + at + page, size) == 0) {
                continue;
            }
            if (first == bytes) first = page;
            end = page + size;
        }
        if (end > first) {
            const Transfer done =
                write_file(file, view.base + at + first, end - first, view.offset + at + first);
            if (is_error(done.status)) result = done.status;
        }
        at += bytes;
    }
    VirtualFree(scratch, 0, MEM_RELEASE);
    return result;
}

struct Found {
    std::size_t index;
    View view;
    std::uint64_t section_bytes;
    Tag file;
};
// The view an address lies in.
std::optional<Found> find_view(const void* address) {
    transport::os::Guard guard(g_state.lock);
    for (std::size_t i = 0; i < kMaxViews; ++i) {
        const View& view = g_state.views[i];
        if (!view.base || address < view.base || address >= view.base + view.bytes) continue;
        const Section& section = g_state.sections[view.section];
        return Found{i, view, section.bytes, known_tag_of(section.file)};
    }
    return std::nullopt;
}

bool is_writable(ULONG protection) {
    return (protection & 0xFF) == PAGE_READWRITE || (protection & 0xFF) == PAGE_EXECUTE_READWRITE;
}

NTSTATUS fill(HANDLE section, Tag file, std::uint64_t bytes) {
    void* view = nullptr;
    SIZE_T size = 0;
    constexpr ULONG kViewUnmap = 2;
    NTSTATUS status = originals().NtMapViewOfSection(section, current_process(), &view, 0, 0, nullptr, &size,
                                                     kViewUnmap, 0, PAGE_READWRITE);
    if (is_error(status)) return status;
    const PositionGuard position(file);
    const Transfer done = read_file(file, view, bytes, 0);
    if (is_error(done.status) && done.status != to_ntstatus(nt::Status::kEndOfFile)) status = done.status;
    originals().NtUnmapViewOfSection(current_process(), view);
    return status;
}

NTSTATUS create_data_section(HANDLE* handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
                             std::uint64_t wanted, ULONG protection, ULONG allocation, HANDLE file_handle,
                             Tag file) {
    StandardInformation standard{};
    NTSTATUS status = query_file(file, info::kStandard, &standard, sizeof(standard));
    if (is_error(status)) return status;
    if (standard.directory) return kStatusInvalidFileForSection;
    const auto file_bytes = static_cast<std::uint64_t>(standard.end_of_file.QuadPart);
    const std::uint64_t bytes = wanted ? wanted : file_bytes;
    if (bytes == 0) return kStatusMappedFileSizeZero;
    const bool writable = is_writable(protection);
    if (bytes > file_bytes) {
        if (!writable) return kStatusSectionTooBig;
        status = set_end_of_file(file, bytes);
        if (is_error(status)) return status;
    }
    LARGE_INTEGER size{};
    size.QuadPart = static_cast<LONGLONG>(bytes);
    HANDLE section = nullptr;
    // Writable whatever was asked, to fill it; views are checked against what was asked.
    status = originals().NtCreateSection(
        &section, access | SECTION_MAP_WRITE | SECTION_MAP_READ, attributes, &size,
        protection & PAGE_EXECUTE_READ || protection & PAGE_EXECUTE_READWRITE ||
                protection & PAGE_EXECUTE_WRITECOPY
            ? PAGE_EXECUTE_READWRITE
            : PAGE_READWRITE,
        (allocation & ~SEC_NOCACHE) | SEC_COMMIT, nullptr);
    if (is_error(status)) return status;
    if (status != STATUS_OBJECT_NAME_EXISTS) {
        const NTSTATUS filled = fill(section, file, bytes);
        if (is_error(filled)) {
            originals().NtClose(section);
            return filled;
        }
    }
    HANDLE keeper = nullptr;
    const NTSTATUS kept = hook::NtDuplicateObject(current_process(), file_handle, current_process(), &keeper,
                                                  0, 0, DUPLICATE_SAME_ACCESS);
    std::uint32_t index = kMaxSections;
    if (!is_error(kept)) {
        transport::os::Guard guard(g_state.lock);
        for (index = 0; index < kMaxSections && g_state.sections[index].references != 0;)
            ++index;
        if (index < kMaxSections) {
            g_state.sections[index] = {.references = 1, .writable = writable, .file = keeper, .bytes = bytes};
        }
    }
    if (index == kMaxSections) {
        if (keeper) hook::NtClose(keeper);
        originals().NtClose(section);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    set_tag(section, Tag::section(index));
    if (!guarded_write(handle, section)) {
        hook::NtClose(section);
        return STATUS_ACCESS_VIOLATION;
    }
    return status;
}

void remember_view(std::uint32_t section, const std::byte* base, std::size_t bytes, std::uint64_t offset,
                   bool writable) {
    transport::os::Guard guard(g_state.lock);
    for (View& view : g_state.views) {
        if (view.base) continue;
        view = {.base = base, .bytes = bytes, .offset = offset, .section = section, .writable = writable};
        ++g_state.sections[section].references;
        return;
    }
}

}  // namespace

void retain_section(Tag section) {
    transport::os::Guard guard(g_state.lock);
    ++g_state.sections[section.number()].references;
}

void release_section(Tag section) {
    release(static_cast<std::uint32_t>(section.number()));
}

void flush_all_views() {
    for (std::size_t i = 0; i < kMaxViews; ++i) {
        const std::byte* base = nullptr;
        {
            transport::os::Guard guard(g_state.lock);
            if (g_state.views[i].writable) base = g_state.views[i].base;
        }
        if (!base) continue;
        if (const auto found = find_view(base)) {
            write_back(found->view, 0, found->view.bytes, found->section_bytes, found->file);
        }
    }
}

namespace hook {

NTSTATUS NTAPI NtCreateSection(HANDLE* handle, ACCESS_MASK access, const OBJECT_ATTRIBUTES* attributes,
                               const LARGE_INTEGER* size, ULONG protection, ULONG allocation, HANDLE file) {
    const Tag tag = file ? tag_of(file) : Tag{};
    if (!tag.is_file()) {
        const NTSTATUS status =
            originals().NtCreateSection(handle, access, attributes, size, protection, allocation, file);
        HANDLE value = nullptr;
        if (!is_error(status) && guarded_read(value, handle)) set_tag(value, Tag::of(Kind::kForeign));
        return status;
    }
    if (allocation & SEC_IMAGE) {
        HANDLE copy = nullptr;
        NTSTATUS status = open_spooled_image(tag, copy);
        if (is_error(status)) return status;
        status = originals().NtCreateSection(handle, access, attributes, size, protection, allocation, copy);
        hook::NtClose(copy);
        return status;
    }
    LARGE_INTEGER wanted{};
    if (size && !guarded_read(wanted, size)) return STATUS_ACCESS_VIOLATION;
    return create_data_section(handle, access, attributes, static_cast<std::uint64_t>(wanted.QuadPart),
                               protection, allocation, file, tag);
}

NTSTATUS NTAPI NtMapViewOfSection(HANDLE handle, HANDLE process, PVOID* base, ULONG_PTR zero_bits,
                                  SIZE_T commit, const LARGE_INTEGER* offset, SIZE_T* size, ULONG inherit,
                                  ULONG type, ULONG protection) {
    const Tag tag = known_tag_of(handle);
    if (tag.kind() != Kind::kSection) {
        return originals().NtMapViewOfSection(handle, process, base, zero_bits, commit, offset, size, inherit,
                                              type, protection);
    }
    const auto index = static_cast<std::uint32_t>(tag.number());
    bool writable = false;
    {
        transport::os::Guard guard(g_state.lock);
        writable = g_state.sections[index].writable;
    }
    if (is_writable(protection) && !writable) return STATUS_ACCESS_DENIED;
    const NTSTATUS status = originals().NtMapViewOfSection(handle, process, base, zero_bits, commit, offset,
                                                           size, inherit, type, protection);
    if (is_error(status)) return status;
    const std::byte* mapped = nullptr;
    SIZE_T bytes = 0;
    LARGE_INTEGER start{};
    if (offset) guarded_read(start, offset);
    if (process == current_process() && guarded_read(mapped, base) && guarded_read(bytes, size)) {
        remember_view(index, mapped, bytes, static_cast<std::uint64_t>(start.QuadPart),
                      is_writable(protection));
    }
    return status;
}

NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE process, PVOID address) {
    const auto found = process == current_process() ? find_view(address) : std::nullopt;
    if (found && found->view.writable) {
        write_back(found->view, 0, found->view.bytes, found->section_bytes, found->file);
    }
    if (found) {
        transport::os::Guard guard(g_state.lock);
        g_state.views[found->index] = {};
    }
    const NTSTATUS status = originals().NtUnmapViewOfSection(process, address);
    if (found) release(found->view.section);
    return status;
}

NTSTATUS NTAPI NtFlushVirtualMemory(HANDLE process, LPCVOID* address, SIZE_T* size, ULONG unknown) {
    const void* start = nullptr;
    SIZE_T bytes = 0;
    if (!guarded_read(start, address) || !guarded_read(bytes, size)) return STATUS_ACCESS_VIOLATION;
    const auto found = process == current_process() ? find_view(start) : std::nullopt;
    if (!found) return originals().NtFlushVirtualMemory(process, address, size, unknown);
    const auto from = static_cast<std::uint64_t>(static_cast<const std::byte*>(start) - found->view.base);
    const std::uint64_t to = bytes && bytes < found->view.bytes - from ? from + bytes : found->view.bytes;
    return found->view.writable ? write_back(found->view, from, to, found->section_bytes, found->file)
                                : STATUS_SUCCESS;
}

}  // namespace hook
}  // namespace lab::redirect
