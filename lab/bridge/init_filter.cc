#include "lab/bridge/init_filter.h"

#include <algorithm>

namespace lab {
namespace {

using namespace fuse::init_flag;

// Later flags than the project's own declarations have (Linux, include/uapi/linux/fuse.h, 7.40 and later).
constexpr std::uint64_t kPassthrough = 1ULL << 37;
constexpr std::uint64_t kHasResend = 1ULL << 39;
constexpr std::uint64_t kOverIoUring = 1ULL << 41;
constexpr std::uint64_t kRequestTimeout = 1ULL << 42;

// Of /dev/fuse alone: splicing, what its reads return after an abort, descriptors handed to the kernel, its
// own ring, its own clock. Of virtio-fs alone: the DAX window, submounts. And notifications, which have no
// queue here.
constexpr std::uint64_t kOneSided = kSpliceWrite | kSpliceMove | kSpliceRead | kAbortError | kPassthrough |
                                    kHasResend | kOverIoUring | kRequestTimeout | kMapAlignment |
                                    kHasInodeDax | kSubmounts | kHasExpireOnly | kExplicitInvalData |
                                    kHasIoctlDir;

}  // namespace

std::uint64_t filter_init_request(fuse::InitIn& init) {
    std::uint64_t flags = init.flags;
    if ((flags & kInitExt) != 0) flags |= std::uint64_t{init.flags2} << 32;
    flags &= ~kOneSided;
    init.flags = static_cast<std::uint32_t>(flags);
    init.flags2 = static_cast<std::uint32_t>(flags >> 32);
    return flags;
}

void filter_init_reply(fuse::InitOut& init, std::uint64_t offered, std::size_t data_bytes,
                       std::uint16_t in_flight) {
    std::uint64_t flags = init.flags;
    if ((flags & kInitExt) != 0) flags |= std::uint64_t{init.flags2} << 32;
    flags &= offered;
    init.flags = static_cast<std::uint32_t>(flags);
    init.flags2 = static_cast<std::uint32_t>(flags >> 32);
    init.map_alignment = 0;
    const auto most_pages =
        static_cast<std::uint16_t>(std::min<std::size_t>(data_bytes / fuse::kPageBytes, UINT16_MAX));
    init.max_pages = std::min(init.max_pages, most_pages);
    init.max_write = std::min(init.max_write, static_cast<std::uint32_t>(data_bytes));
    init.max_background = std::max(init.max_background, in_flight);
    init.congestion_threshold =
        std::max(init.congestion_threshold, static_cast<std::uint16_t>(in_flight / 4 * 3));
}

}  // namespace lab
