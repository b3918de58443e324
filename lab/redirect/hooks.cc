// Patches ntdll's system call thunks. Wine 8.0's are 32 bytes of position-independent code each, starting
// with "mov r10,rcx; mov eax,number"; the copy of all 32 stays callable (the dispatcher returns relative to
// the call site).
#include <cstring>

#include "lab/redirect/originals.h"

namespace lab::redirect {
namespace {

constexpr std::size_t kThunkBytes = 32;
constexpr std::size_t kJumpBytes = 14;
constexpr unsigned char kThunkStart[] = {0x4C, 0x8B, 0xD1, 0xB8};
constexpr std::size_t kSystemCallOffset = 0x12;

constinit Originals g_originals;

struct Hook {
    const char* name;
    void* replacement;
    void* original;  // address of the Originals member
};

#define X(name) {#name, reinterpret_cast<void*>(&hook::name), &g_originals.name},
const Hook kHooks[] = {LAB_REDIRECT_HOOKS(X)};
#undef X
constexpr std::size_t kHookCount = sizeof(kHooks) / sizeof(kHooks[0]);

bool is_thunk(const unsigned char* code) {
    return std::memcmp(code, kThunkStart, sizeof(kThunkStart)) == 0 && code[kSystemCallOffset] == 0x0F &&
           code[kSystemCallOffset + 1] == 0x05;
}

bool write_jump(unsigned char* where, const void* target) {
    void* page = where;
    SIZE_T size = kJumpBytes;
    ULONG old = 0;
    if (NtProtectVirtualMemory(current_process(), &page, &size, PAGE_EXECUTE_READWRITE, &old) < 0)
        return false;
    unsigned char jump[kJumpBytes] = {0xFF, 0x25, 0, 0, 0, 0};  // jmp [rip+0]
    std::memcpy(jump + 6, &target, sizeof(target));
    std::memcpy(where, jump, sizeof(jump));
    NtProtectVirtualMemory(current_process(), &page, &size, old, &old);
    return true;
}

}  // namespace

const Originals& originals() {
    return g_originals;
}

bool install_hooks() {
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    unsigned char* thunks[kHookCount];
    for (std::size_t i = 0; i < kHookCount; ++i) {
        thunks[i] = reinterpret_cast<unsigned char*>(GetProcAddress(ntdll, kHooks[i].name));
        if (!thunks[i] || !is_thunk(thunks[i])) return false;
    }
    void* memory = nullptr;
    SIZE_T size = kHookCount * kThunkBytes;
    if (NtAllocateVirtualMemory(current_process(), &memory, 0, &size, MEM_COMMIT | MEM_RESERVE,
                                PAGE_EXECUTE_READWRITE) < 0) {
        return false;
    }
    auto* copy = static_cast<unsigned char*>(memory);
    for (std::size_t i = 0; i < kHookCount; ++i, copy += kThunkBytes) {
        std::memcpy(copy, thunks[i], kThunkBytes);
        *static_cast<void**>(kHooks[i].original) = copy;
    }
    for (std::size_t i = 0; i < kHookCount; ++i) {
        if (!write_jump(thunks[i], kHooks[i].replacement)) return false;
    }
    return true;
}

// Replaces a whole function; the old one is not callable afterwards.
bool replace_function(void* function, const void* replacement) {
    return function && write_jump(static_cast<unsigned char*>(function), replacement);
}

}  // namespace lab::redirect
