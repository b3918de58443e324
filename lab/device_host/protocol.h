// What a process under Wine and the device host say to each other over the transport, and what the channel is
// called. Must never know: windows.h, what a FUSE message says beyond its headers.
//
// Payload of a control request: the input buffer, for ReadDirect its structure appended. Payload of its
// reply: from `payload_offset` on, the bytes for the output buffer (ReadDirect: the reply's header, then the
// data).
#pragma once

#include <cstddef>
#include <cstdint>

#include "lab/transport/region.h"

namespace lab::device_host {

// The channel of device `index` in a session is called "vfslab-<session>-device-<index>".
inline constexpr char kChannelPrefix[] = "vfslab-";
inline constexpr char kChannelMiddle[] = "-device-";
inline constexpr unsigned kMaxDevices = 16;

// Calls at once: more than any program keeps in flight, as each holds a slot.
inline constexpr std::uint32_t kSlots = 192;

enum class Operation : std::uint32_t {
    kOpen = 1,
    kClose = 2,
    kControl = 3,
    kWatch = 4,  // tell me of the removal of what `open` has open; the reply's `open` is the watch's number
    kNextEvent = 5,  // what happens next to watch `open`; `code` is what was made of the last event
    kEndWatch = 6,   // of watch `open`
};

// What kNextEvent is answered with, as the reply's `information`. Each is taken note of by the next
// kNextEvent.
enum class WatchEvent : std::uint64_t {
    kEnded = 0,  // by kEndWatch, or the device host ends
    kQueryRemove = 1,
    kQueryRemoveFailed = 2,
    kRemovePending = 3,
    kRemoveComplete = 4,
};

struct RequestHead {
    Operation operation{};
    std::uint32_t open = 0;        // as the reply to kOpen gave it; 0 in kOpen
    std::uint32_t code = 0;        // of the control call; of kNextEvent: a Win32 error, 0 agrees
    std::uint32_t in_length = 0;   // of the input buffer
    std::uint32_t out_length = 0;  // of the output buffer; of ReadDirect's user buffer for that code
    std::uint32_t reserved = 0;
};
static_assert(sizeof(RequestHead) == 24);

struct ReplyHead {
    std::uint32_t status = 0;  // nt::Status
    std::uint32_t open = 0;
    std::uint64_t information = 0;
    std::uint32_t payload_offset = 0;
    std::uint32_t reserved = 0;
};
static_assert(sizeof(ReplyHead) == 24);

// Request and reply share a slot's payload; the reply is put behind the request, which may be in use until
// the end. A longer input buffer is refused, a longer output buffer is used in part.
inline constexpr std::size_t kReplyAlignment = 64;
inline constexpr std::size_t kLeastReplyRoom = 4096;
inline constexpr std::size_t kMaxInLength = transport::kPayloadBytes - kLeastReplyRoom - kReplyAlignment;

}  // namespace lab::device_host
