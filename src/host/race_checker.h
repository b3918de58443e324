// For ThreadSanitizer, which does not see that the guest orders what is done to its memory: it gives one
// queue a buffer that it got back from another, by way of rings that a test in the same process has mapped
// elsewhere. Must never know: what the memory holds.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

#if defined(__SANITIZE_THREAD__)
#define VIRTIOFS_RACE_CHECKER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VIRTIOFS_RACE_CHECKER 1
#endif
#endif

#ifdef VIRTIOFS_RACE_CHECKER
#include <sanitizer/tsan_interface.h>
#endif

namespace host {

#ifdef VIRTIOFS_RACE_CHECKER
template <typename Callable>
void for_each_line(std::span<const iovec> pieces, Callable&& callable) {
    constexpr std::size_t kLine = 64;
    for (const iovec& piece : pieces) {
        auto* const begin = static_cast<std::byte*>(piece.iov_base);
        const std::size_t ahead = reinterpret_cast<std::size_t>(begin) % kLine;
        for (std::size_t at = 0; at < ahead + piece.iov_len; at += kLine)
            callable(begin - ahead + at);
    }
}
// The guest has given the memory to this thread,
inline void guest_gave(std::span<const iovec> pieces) {
    for_each_line(pieces, [](std::byte* line) { __tsan_acquire(line); });
}
// and gets it back.
inline void guest_gets(std::span<const iovec> pieces) {
    for_each_line(pieces, [](std::byte* line) { __tsan_release(line); });
}
#else
inline void guest_gave(std::span<const iovec>) {}
inline void guest_gets(std::span<const iovec>) {}
#endif

}  // namespace host
