// What the local kernel and a virtiofs daemon may agree on at INIT: what means the same over /dev/fuse and
// over virtio-fs. Must never know: how messages travel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fuse/protocol.h"

namespace lab {

// Takes out of the kernel's offer what only one of the two transports has. Returns what is left: the flags
// that the daemon may answer.
std::uint64_t filter_init_request(fuse::InitIn& init);

// Takes out of the daemon's answer what was not `offered`, and bounds the lengths of messages: `data_bytes`
// is the room for the data of one read or write. Lets the kernel have `in_flight` requests at work in the
// background.
void filter_init_reply(fuse::InitOut& init, std::uint64_t offered, std::size_t data_bytes,
                       std::uint16_t in_flight);

}  // namespace lab
