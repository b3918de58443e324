// A hostile driver: ring, tables and data are whatever the fuzzer says; the device's walk must stay inside
// memory.
#include <algorithm>
#include <array>

#include "virtio/test_memory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static virtio::TestMemory memory(8, 0, 1024);
    const auto all = memory.all();
    std::fill(all.begin(), all.end(), std::byte{0});
    std::memcpy(all.data(), data, std::min(size, all.size()));
    // Addresses are made likely to be near the memory, so that the walk gets somewhere.
    for (std::size_t at = 0; at + 16 <= all.size(); at += 16) {
        std::uint64_t address = 0;
        std::memcpy(&address, all.data() + at, 8);
        if (address < all.size()) {
            address += virtio::TestMemory::kBase;
            const bool in_rings = at >= 8 * 16 && at < memory.ring_and_tables_bytes();
            if (!in_rings) std::memcpy(all.data() + at, &address, 8);
        }
    }
    virtio::DeviceQueue device(memory.ring(), size % 2 == 1);
    std::array<virtio::Segment, 24> room;
    for (int i = 0; i < 16; ++i) {
        const auto chain = device.pop(memory.translator(), room);
        if (!chain || !*chain) break;
        std::size_t bytes = 0;
        for (const auto list : {(*chain)->readable, (*chain)->writable}) {
            for (const virtio::Segment segment : list) {
                if (segment.data() < all.data() ||
                    segment.data() + segment.size() > all.data() + all.size()) {
                    __builtin_trap();
                }
                bytes += segment.size();
            }
        }
        if (bytes != std::size_t{(*chain)->readable_bytes} + (*chain)->writable_bytes) __builtin_trap();
        device.push_used((*chain)->head, 0);
        device.publish();
        (void)device.needs_interrupt();
        device.suppress_kicks();
        (void)device.enable_kicks();
    }
    return 0;
}
