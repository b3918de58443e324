#include "lab/bridge/reply_room.h"

#include <algorithm>
#include <cstring>

#include "lab/bridge/slots.h"

namespace lab {
namespace {

constexpr std::uint32_t kLinkTargetBytes = 4096;
constexpr std::uint32_t kFixedBytes = 1024;  // the longest fixed reply is STATX's

// `size` in a request's arguments of type T; 0 if they are too short.
template <typename T>
std::uint32_t size_in(std::span<const std::byte> arguments, std::uint32_t T::*size) {
    if (arguments.size() < sizeof(T)) return 0;
    T known;
    std::memcpy(&known, arguments.data(), sizeof known);
    return known.*size;
}

std::uint32_t body_room(fuse::Opcode opcode, std::span<const std::byte> arguments) {
    switch (opcode) {
        case fuse::Opcode::kRead:
        case fuse::Opcode::kReadDir:
        case fuse::Opcode::kReadDirPlus:
            return size_in(arguments, &fuse::ReadIn::size);
        case fuse::Opcode::kGetXattr:
        case fuse::Opcode::kListXattr:
            return std::max(size_in(arguments, &fuse::GetXattrIn::size),
                            static_cast<std::uint32_t>(sizeof(fuse::GetXattrOut)));
        case fuse::Opcode::kReadLink:
            return kLinkTargetBytes;
        case fuse::Opcode::kIoctl: {
            const std::uint32_t out = size_in(arguments, &fuse::IoctlIn::out_size);
            return std::min<std::uint32_t>(out, Slot::kDataBytes) +
                   static_cast<std::uint32_t>(sizeof(fuse::IoctlOut));
        }
        default:
            return kFixedBytes;
    }
}

}  // namespace

std::uint32_t reply_room(fuse::Opcode opcode, std::span<const std::byte> arguments) {
    if (!fuse::has_reply(opcode)) return 0;
    const std::uint32_t most = Slot::kDataBytes + fuse::kPageBytes;
    return static_cast<std::uint32_t>(sizeof(fuse::OutHeader)) + std::min(body_room(opcode, arguments), most);
}

}  // namespace lab
