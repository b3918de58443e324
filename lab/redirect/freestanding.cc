// The functions a compiler calls on its own, for a DLL without any run-time library.
#include <cstddef>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t bytes) {
    void* result = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
    return result;
}

void* memmove(void* to, const void* from, std::size_t bytes) {
    auto* target = static_cast<char*>(to);
    const auto* source = static_cast<const char*>(from);
    if (target <= source || target >= source + bytes) return memcpy(to, from, bytes);
    while (bytes != 0) {
        --bytes;
        *static_cast<volatile char*>(target + bytes) = source[bytes];
    }
    return to;
}

void* memset(void* to, int value, std::size_t bytes) {
    void* result = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
    return result;
}

int memcmp(const void* left, const void* right, std::size_t bytes) {
    const auto* a = static_cast<const volatile unsigned char*>(left);
    const auto* b = static_cast<const volatile unsigned char*>(right);
    for (std::size_t i = 0; i < bytes; ++i) {
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

std::size_t strlen(const char* text) {
    std::size_t length = 0;
    while (static_cast<const volatile char*>(text)[length] != 0)
        ++length;
    return length;
}
}

// What the standard library's checked accesses end in; a bug of ours, so the process ends here.
namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char*, ...) {
    __builtin_trap();
}
}  // namespace std
