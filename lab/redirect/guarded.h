// Copies from and to memory a program named, which may not be there: a fault ends the copy, not the process.
// Must never know: what is copied.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lab::redirect {

// False: part of either range could not be accessed; the destination may be partly written.
extern "C" bool lab_redirect_guarded_copy(void* to, const void* from, std::size_t bytes);

inline bool guarded_copy(void* to, const void* from, std::size_t bytes) {
    return bytes == 0 || lab_redirect_guarded_copy(to, from, bytes);
}

template <typename T>
bool guarded_read(T& to, const void* from) {
    return guarded_copy(&to, from, sizeof(T));
}

template <typename T>
bool guarded_write(void* to, const T& from) {
    return guarded_copy(to, &from, sizeof(T));
}

}  // namespace lab::redirect
