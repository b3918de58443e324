// How long the reply to a FUSE request can be. Must never know: how it travels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "fuse/protocol.h"

namespace lab {

// Bytes of the longest reply, its header included; 0 for a request without one. `arguments` is what follows
// the request's header. No more than Slot has room for.
std::uint32_t reply_room(fuse::Opcode opcode, std::span<const std::byte> arguments);

}  // namespace lab
