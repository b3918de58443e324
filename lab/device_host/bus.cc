#include "lab/device_host/bus.h"

#include "lab/transport/host_os.h"
#include "lab/transport/region.h"

namespace lab::device_host {
namespace {

namespace os = lab::transport::os;

void tell(Bus& bus) {
    bus.changes.fetch_add(1);
    os::wake(bus.changes, os::kAllWaiters);
}

// The lowest bit becomes `present`.
void change(Bus& bus, unsigned index, std::uint32_t present) {
    std::uint32_t state = bus.devices[index].load();
    while ((state & 1) != present) {
        if (bus.devices[index].compare_exchange_weak(state, state + 1)) return tell(bus);
    }
}

}  // namespace

void Bus::arrived(unsigned index) noexcept {
    change(*this, index, 1);
}

void Bus::departed(unsigned index) noexcept {
    change(*this, index, 0);
}

void Bus::host_died(unsigned index, std::uint32_t state) noexcept {
    if ((state & 1) != 0 && devices[index].compare_exchange_strong(state, state + 1)) tell(*this);
}

Bus* Bus::open(const char* session) noexcept {
    char name[transport::kMaxNameBytes + 1] = {};
    std::size_t at = 0;
    for (const char* part : {kChannelPrefix, session, kBusSuffix}) {
        for (; *part != 0 && at < transport::kMaxNameBytes; ++part)
            name[at++] = *part;
    }
    const transport::region::Path path = transport::region::path_of(name);
    if (!path.valid) return nullptr;
    std::int64_t file = os::open_file(path.text, true);
    if (file < 0) file = os::open_file(path.text, false);
    if (file < 0) return nullptr;
    // Whoever came first may not have got so far; what is there is kept.
    void* const memory = os::resize_file(static_cast<int>(file), kBytes) < 0
                             ? nullptr
                             : os::map_shared(static_cast<int>(file), kBytes);
    os::close_file(static_cast<int>(file));
    return static_cast<Bus*>(memory);
}

}  // namespace lab::device_host
