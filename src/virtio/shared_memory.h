// Loads and stores of words that the other side of a ring reads and writes at the same time.
// Must never know: what the words mean. Works in kernels: compiler builtins only, no fences (seq_cst pairs
// instead).
#pragma once

#include <bit>

namespace virtio {

static_assert(std::endian::native == std::endian::little,
              "virtio 1.x is little-endian; no conversions are made");

// Later accesses stay behind it: what the other side wrote before its store_release is visible.
template <typename T>
T load_acquire(const T* word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

// Earlier accesses stay before it.
template <typename T>
void store_release(T* word, T value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

// A store_ordered followed by a load_ordered of another word keeps that order, which neither of the above
// promises.
template <typename T>
void store_ordered(T* word, T value) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}
template <typename T>
T load_ordered(const T* word) {
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

}  // namespace virtio
