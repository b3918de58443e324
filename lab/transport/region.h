// The shared memory of one call channel: /dev/shm/<name>, written by the server and every client, trusted by
// neither.
//
//   [Header, 32 KiB][slot 0: head page, payload][slot 1 ...]
//
// A slot carries one call at a time. Who may write it follows from `state`: the client while kClaimed and
// kDone, the server while kPosted and kRunning. `owner` says whose it is (0: nobody's), so that a dead
// client's slots are found. The bit masks are hints that save searching; a wrong bit costs time only.
// Liveness: the server holds a lock on byte 0 of the file, client number n on byte n; the kernel drops them
// with the process. Must never know: what the calls mean.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lab::transport {

// Room in one call and in one reply. The head carries the caller's own structure, the payload its bulk data;
// request and reply share the room (the reply overwrites the request).
inline constexpr std::size_t kHeadBytes = 4096 - 64;
inline constexpr std::size_t kPayloadBytes = (1024 + 64) * 1024;

inline constexpr std::uint32_t kMaxSlots = 256;
inline constexpr std::uint32_t kDefaultSlots = 64;
inline constexpr std::uint32_t kMaxClients = 255;
inline constexpr std::uint32_t kMaxNameBytes = 96;

namespace region {

inline constexpr std::uint64_t kMagic = 0x3130'4C48'4E43'464CULL;  // "LFCNHL01"
inline constexpr std::uint32_t kMaskWords = kMaxSlots / 64;
inline constexpr std::uint64_t kServerLockByte = 0;  // client n locks byte n, n from 1

enum State : std::uint32_t { kFree = 0, kClaimed = 1, kPosted = 2, kDone = 3 };

struct alignas(64) Mask {
    std::atomic<std::uint64_t> words[kMaskWords];
};

struct alignas(64) Client {
    std::atomic<std::uint32_t> connected;      // set by the client, cleared by the server when it is gone
    std::atomic<std::uint32_t> sequence;       // futex of the reaper: counts asynchronous completions
    std::atomic<std::uint32_t> reaper_sleeps;  // it needs a wake
    std::uint32_t reserved[5];
    std::atomic<std::uint64_t> done[kMaskWords];  // slots whose asynchronous call was answered
};
static_assert(sizeof(Client) == 64);

struct Header {
    std::uint64_t magic;
    std::uint32_t slots;
    std::uint32_t reserved;
    std::atomic<std::uint32_t> stopping;  // the server takes no more calls

    alignas(64)
        std::atomic<std::uint32_t> posted_sequence;  // futex of the workers: counts posts and cancellations
    std::atomic<std::uint32_t> idle_workers;         // asleep or about to be
    alignas(64) std::atomic<std::uint32_t> freed_sequence;  // futex of clients that found no free slot
    std::atomic<std::uint32_t> freed_waiters;
    Mask free;
    Mask posted;
    Mask cancelled;
    Client clients[kMaxClients + 1];  // number 0 is not used
};

inline constexpr std::size_t kHeaderBytes = 32 * 1024;
static_assert(sizeof(Header) <= kHeaderBytes);

struct Slot {
    std::atomic<std::uint32_t> state;
    std::atomic<std::uint32_t> owner;   // number of the client, 0: free
    std::atomic<std::uint32_t> cancel;  // the client wants it ended early
    std::atomic<std::uint32_t>
        asynchronous;  // 1: completion is told to the client's reaper, not to the slot's waiter
    std::atomic<std::uint32_t> head_bytes;
    std::atomic<std::uint32_t> payload_bytes;
    std::atomic<std::uint32_t> reply_room;  // payload bytes the caller takes at most
    std::uint32_t reserved[9];
    std::byte head[kHeadBytes];
    std::byte payload[kPayloadBytes];
};
static_assert(offsetof(Slot, head) == 64 && offsetof(Slot, payload) == 4096);
static_assert(sizeof(Slot) == 4096 + kPayloadBytes && sizeof(Slot) % 4096 == 0);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

constexpr std::size_t bytes(std::uint32_t slots) {
    return kHeaderBytes + slots * sizeof(Slot);
}

// "/dev/shm/<name>", zero-terminated, without allocation. `valid` is false for a name that is empty, too long
// or has characters other than letters, digits, '.', '-' and '_', or starts with a dot.
struct Path {
    char text[16 + kMaxNameBytes + 16];
    bool valid;
};
Path path_of(const char* name) noexcept;

}  // namespace region
}  // namespace lab::transport
