// The table of emulated volumes that all processes of a prefix share: a named section, written by servers,
// read by programs on every open. Must never know: the transport beyond a channel's name, Fsd.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lab/redirect/wide_text.h"

namespace lab::redirect {

inline constexpr unsigned kMaxMounts = 16;
inline constexpr std::size_t kMaxDeviceChars = 95;
inline constexpr std::size_t kMaxChannelBytes = 95;
inline constexpr std::size_t kMaxSessionChars = 32;

// The variable that names a lab run; processes with the same value in one prefix share their volumes.
inline constexpr wchar_t kSessionVariable[] = L"VFSLAB_SESSION";
using Session = WideText<kMaxSessionChars>;
// The session's name from the environment, "default" without one. Characters other than letters, digits and
// '-' are replaced by '-'.
Session session_from_environment();

struct Mount {
    enum State : std::uint32_t { kFree = 0, kChanging = 1, kLive = 2 };
    std::atomic<std::uint32_t> state;
    std::atomic<std::uint32_t> generation;  // grows whenever the entry becomes live
    std::atomic<std::uint32_t> letter;      // 'A'..'Z', 0: none
    std::atomic<std::uint32_t> ends;        // grows when a process that may have had files open has ended
    std::uint32_t server_process;
    // Constant while live.
    std::uint32_t device_chars;
    char16_t device[kMaxDeviceChars + 1];  // "\Device\Volume{...}"
    char channel[kMaxChannelBytes + 1];    // for transport::Client::connect
};

struct MountTable {
    Mount entries[kMaxMounts];

    std::optional<unsigned> find_letter(char16_t letter) const;
    // The volume whose device name `path` starts with, up to its end or a backslash.
    struct Found {
        unsigned mount;
        std::size_t name_chars;
    };
    std::optional<Found> find_device(std::u16string_view path) const;
    bool is_live(unsigned mount) const {
        return mount < kMaxMounts && entries[mount].state.load(std::memory_order_acquire) == Mount::kLive;
    }
};
static_assert(sizeof(MountTable) <= 16 * 1024);

// The session's table, created if need be; it exists as long as any process has it. Null when NT refuses. The
// mapping and the section stay for the life of the process.
MountTable* open_mount_table(const Session& session);

// "\BaseNamedObjects\vfslab-<session>-<16 hex digits of the tag>": the event that stands in for an open file.
inline constexpr std::size_t kTagDigits = 16;
using EventName = WideText<96>;
EventName event_name_prefix(const Session& session);

// Rights of every handle to such an event; an odd choice, so that others are told apart without asking for
// names.
inline constexpr ACCESS_MASK kStandInAccess =
    DELETE | READ_CONTROL | SYNCHRONIZE | EVENT_MODIFY_STATE | 0x0001 /* EVENT_QUERY_STATE */;

}  // namespace lab::redirect
