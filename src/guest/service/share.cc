#include "guest/service/share.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "guest/service/device.h"
#include "guest/service/ioctl_channel.h"
#include "guest/service/text.h"

namespace guest::service {
namespace {

// How often a missing device is looked for, and a present one looked at, in ms.
constexpr DWORD kFirstPause = 100;
constexpr DWORD kLongestPause = 2000;

UniqueHandle make_event() {
    return UniqueHandle(CreateEventW(nullptr, TRUE, FALSE, nullptr));
}

}  // namespace

Share::Share(const Settings& settings, Events events)
    : settings_(settings), events_(std::move(events)), stop_(make_event()), finished_(make_event()) {}

void Share::start() {
    thread_ = std::thread([this] { run(); });
}

Share::~Share() {
    request_stop();
    if (thread_.joinable()) thread_.join();
}

void Share::request_stop() noexcept {
    SetEvent(stop_.get());
}

void Share::wait() {
    if (own_thread_ != GetCurrentThreadId()) WaitForSingleObject(finished_.get(), INFINITE);
}

void Share::run() {
    own_thread_ = GetCurrentThreadId();
    keep_mounted();
    SetEvent(finished_.get());
}

void Share::keep_mounted() {
    if (const auto checked = check_mount_point(settings_); !checked) return events_.give_up(checked.error());
    const std::string wanted = settings_.tag.empty()
                                   ? "a virtio-fs device"
                                   : "the virtio-fs device \"" + to_utf8(settings_.tag) + "\"";
    DWORD pause = kFirstPause;
    bool said_so = false;
    std::uint64_t epoch = 0;
    do {
        const auto device = find_device(settings_.tag);
        if (!device) {
            if (!std::exchange(said_so, true)) events_.tell("waiting for " + wanted);
            pause = std::min(pause * 2, kLongestPause);
            continue;
        }
        said_so = false;
        pause = kFirstPause;
        if (!serve(*device, Epoch{++epoch})) return;
    } while (WaitForSingleObject(stop_.get(), pause) == WAIT_TIMEOUT);
}

bool Share::serve(const Device& device, Epoch epoch) {
    const UniqueHandle ended = make_event();
    std::atomic<bool> winfsp_went = false;
    auto channel = IoctlChannel::open(device, epoch, [&ended] { SetEvent(ended.get()); });
    if (!channel) {
        events_.give_up({.problem = MountProblem::kHost, .message = channel.error()});
        return false;
    }
    auto mount = Mount::make(**channel, device.tag, settings_, [&] {
        winfsp_went = true;
        SetEvent(ended.get());
    });
    if (!mount) {
        if (WaitForSingleObject(ended.get(), 0) == WAIT_OBJECT_0) return true;  // the device went meanwhile
        events_.give_up(mount.error());
        return false;
    }
    const std::string name = "\"" + to_utf8(device.tag) + "\"";
    events_.tell(name + " is mounted at " + to_utf8((*mount)->mount_point()));

    const std::array<HANDLE, 2> either{stop_.get(), ended.get()};
    DWORD woken = WAIT_TIMEOUT;
    while (woken == WAIT_TIMEOUT) {
        woken = WaitForMultipleObjects(either.size(), either.data(), FALSE, kLongestPause);
        if (woken == WAIT_TIMEOUT && !is_present(device)) (*channel)->lose();
    }
    if (woken == WAIT_OBJECT_0) return true;
    mount->reset();
    events_.tell((winfsp_went ? "WinFsp stopped serving " : "the device is gone of ") + name +
                 "; it is not mounted any more");
    return true;
}

}  // namespace guest::service
