#include "lab/redirect/imports.h"

namespace lab::redirect {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool equal_but_for_case(const char* left, const char* right) {
    for (; *left != 0 && lower(*left) == lower(*right); ++left)
        ++right;
    return lower(*left) == lower(*right);
}

bool write_address(std::uint64_t* where, const void* target) {
    void* page = where;
    SIZE_T size = sizeof(*where);
    ULONG old = 0;
    if (NtProtectVirtualMemory(current_process(), &page, &size, PAGE_READWRITE, &old) < 0) return false;
    *where = reinterpret_cast<std::uint64_t>(target);
    NtProtectVirtualMemory(current_process(), &page, &size, old, &old);
    return true;
}

}  // namespace

bool replace_import(const char* dll, const char* function, const void* replacement) {
    const auto base = reinterpret_cast<std::uintptr_t>(GetModuleHandleW(nullptr));
    const auto* dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base);
    const auto* headers =
        reinterpret_cast<const IMAGE_NT_HEADERS64*>(base + static_cast<std::uint32_t>(dos->e_lfanew));
    const IMAGE_DATA_DIRECTORY& directory =
        headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    if (directory.VirtualAddress == 0) return false;
    for (const auto* entry =
             reinterpret_cast<const IMAGE_IMPORT_DESCRIPTOR*>(base + directory.VirtualAddress);
         entry->Name != 0; ++entry) {
        if (!equal_but_for_case(reinterpret_cast<const char*>(base + entry->Name), dll) ||
            entry->OriginalFirstThunk == 0)
            continue;
        const auto* names = reinterpret_cast<const std::uint64_t*>(base + entry->OriginalFirstThunk);
        auto* addresses = reinterpret_cast<std::uint64_t*>(base + entry->FirstThunk);
        for (; *names != 0; ++names, ++addresses) {
            if ((*names & IMAGE_ORDINAL_FLAG64) != 0) continue;
            const auto* wanted = reinterpret_cast<const IMAGE_IMPORT_BY_NAME*>(base + *names);
            const char* name = reinterpret_cast<const char*>(wanted->Name);
            if (equal_but_for_case(name, function)) return write_address(addresses, replacement);
        }
    }
    return false;
}

}  // namespace lab::redirect
