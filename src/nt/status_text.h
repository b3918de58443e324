// An NTSTATUS as people write it in messages. Must never know: what a status means.
#pragma once

#include <cstdint>
#include <string>

#include "nt/status.h"

namespace nt {

// "0xC0000034".
inline std::string hex(Status status) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string text = "0x";
    for (int shift = 28; shift >= 0; shift -= 4)
        text += kDigits[static_cast<std::uint32_t>(status) >> shift & 0xF];
    return text;
}

}  // namespace nt
