// Every parser of replies, fed with whatever a host may send. The first byte picks the parser.
#include <cstdint>

#include "fuse/directory.h"
#include "fuse/reply.h"

namespace {

template <typename Walk>
void walk(std::span<const std::byte> bytes) {
    Walk records(bytes);
    std::size_t name_bytes = 0;
    for (auto record = records.next(); record && *record; record = records.next()) {
        if (!fuse::is_component((*record)->name)) __builtin_trap();
        name_bytes += (*record)->name.size();
    }
    if (name_bytes > bytes.size()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    switch (data[0] % 4) {
        case 0:
            walk<fuse::DirectoryReader>(bytes);
            break;
        case 1:
            walk<fuse::DirectoryPlusReader>(bytes);
            break;
        case 2:
            (void)fuse::parse_init_reply(bytes);
            break;
        default: {
            const auto reply = fuse::parse_reply(bytes, 0);
            if (reply && reply->body.size() > bytes.size()) __builtin_trap();
            break;
        }
    }
    return 0;
}
