// A hostile device: between the driver's operations the fuzzer writes anything anywhere in the shared memory.
#include <array>

#include "virtio/test_memory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static virtio::TestMemory memory(8, 4, 64);
    static int tokens[64];
    virtio::DriverQueue driver = memory.driver(size % 2 == 1);
    const auto all = memory.all();
    bool outstanding[64] = {};
    std::size_t next = 0;
    for (std::size_t i = 0; i + 4 <= size; i += 4) {
        const std::array pieces{virtio::Piece{memory.data_address(), 1u + data[i + 1] % 60},
                                virtio::Piece{memory.data_address(), 4}};
        switch (data[i] % 6) {
            case 0:
                if (next < 64 &&
                    driver.add(std::span(pieces).first(1 + data[i + 2] % 2), pieces, &tokens[next])) {
                    outstanding[next++] = true;
                }
                break;
            case 1:
                driver.publish();
                (void)driver.needs_kick();
                break;
            case 2: {
                const auto used = driver.pop_used();
                if (!used || !*used) break;
                const auto number = static_cast<int*>((*used)->token) - tokens;
                if (number < 0 || number >= 64 || !outstanding[number]) __builtin_trap();
                if ((*used)->bytes_written > 64) __builtin_trap();
                outstanding[number] = false;
                break;
            }
            case 3:  // a used entry and the index, as a device would write them
                *memory.ring().used_entry(data[i + 1]) = {.id = data[i + 2], .length = data[i + 3]};
                ++*memory.ring().used_index();
                break;
            case 4:
                (void)driver.enable_interrupts(data[i + 1]);
                driver.suppress_interrupts();
                break;
            default:
                all[(data[i + 1] | data[i + 2] << 8) % all.size()] = std::byte{data[i + 3]};
                break;
        }
    }
    driver.abandon([&](virtio::Token token) {
        const auto number = static_cast<int*>(token) - tokens;
        if (number < 0 || number >= 64 || !outstanding[number]) __builtin_trap();
        outstanding[number] = false;
    });
    for (const bool left : outstanding) {
        if (left) __builtin_trap();
    }
    return 0;
}
