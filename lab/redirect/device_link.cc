#include "lab/redirect/device_link.h"

#include <new>

#include "lab/device_host/protocol.h"
#include "lab/redirect/device_name.h"
#include "lab/redirect/mounts.h"
#include "lab/transport/host_os.h"

namespace lab::redirect::device {
namespace {

namespace host = lab::device_host;
static_assert(host::kMaxDevices == kMaxDevices);

// Connections of hosts that died stay until their last user is gone and the place is needed.
constexpr std::size_t kMaxLinks = 64;

struct LinkState {
    transport::os::Mutex lock;
    Link* links[kMaxLinks];
};
constinit LinkState g_links = {};

struct ChannelName {
    char text[transport::kMaxNameBytes + 1];
};

ChannelName channel_name(unsigned index) {
    ChannelName name{};
    std::size_t at = 0;
    const auto add = [&](char c) {
        if (at < transport::kMaxNameBytes) name.text[at++] = c;
    };
    for (const char* c = host::kChannelPrefix; *c != 0; ++c)
        add(*c);
    const Session session = session_from_environment();
    for (const char16_t c : session.view())
        add(static_cast<char>(c));
    for (const char* c = host::kChannelMiddle; *c != 0; ++c)
        add(*c);
    if (index >= 10) add(static_cast<char>('0' + index / 10));
    add(static_cast<char>('0' + index % 10));
    return name;
}

}  // namespace

Link* acquire_link(unsigned index) {
    const transport::os::Guard guard(g_links.lock);
    for (Link* link : g_links.links) {
        if (link == nullptr || !link->current_ || link->index_ != index) continue;
        if (link->client_.server_alive()) {
            ++link->users_;
            return link;
        }
        link->current_ = false;
    }
    // A place for a new connection: an empty one, else that of a dead host which nobody uses.
    Link** place = nullptr;
    for (Link*& other : g_links.links) {
        if (other == nullptr) {
            place = &other;
            break;
        }
        if (!other->current_ && other->users_ == 0) place = &other;
    }
    if (place != nullptr && *place != nullptr) {
        (*place)->~Link();
        HeapFree(GetProcessHeap(), 0, *place);
        *place = nullptr;
    }
    void* memory = place != nullptr ? HeapAlloc(GetProcessHeap(), 0, sizeof(Link)) : nullptr;
    if (memory == nullptr) return nullptr;
    Link* link = new (memory) Link;
    if (!link->client_.connect(channel_name(index).text)) {
        link->~Link();
        HeapFree(GetProcessHeap(), 0, memory);
        return nullptr;
    }
    link->index_ = index;
    link->users_ = 1;
    link->current_ = true;
    *place = link;
    return link;
}

void retain_link(Link* link) {
    const transport::os::Guard guard(g_links.lock);
    ++link->users_;
}

void release_link(Link* link) {
    const transport::os::Guard guard(g_links.lock);
    --link->users_;
}

}  // namespace lab::redirect::device
