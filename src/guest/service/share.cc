#include "guest/service/share.h"

#include <algorithm>

#include "guest/service/device_watch.h"
#include "guest/service/ioctl_channel.h"
#include "guest/service/text.h"

namespace guest::service {
namespace {

using std::chrono::milliseconds;

// Between two tries to mount a device that is there when what is missing comes without a word, such as the
// daemon behind it.
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{2000};
// How often a mounted share asks the host for a sign of life: neither Windows nor the driver tells of a
// daemon that died.
constexpr milliseconds kProbePause{2000};

std::string quoted(const Device& device) {
    return "\"" + to_utf8(device.tag) + "\"";
}

}  // namespace

Share::Share(const Settings& settings, Events events)
    : settings_(settings),
      callbacks_(std::move(events)),
      finished_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {}

void Share::start() {
    thread_ = std::thread([this] { run(); });
}

Share::~Share() {
    request_stop();
    if (thread_.joinable()) thread_.join();
}

void Share::request_stop() noexcept {
    events_.stop();
    const std::lock_guard lock(mounting_mutex_);
    if (mounting_ != nullptr) mounting_->lose();
}

void Share::wait() {
    if (own_thread_ != GetCurrentThreadId()) WaitForSingleObject(finished_.get(), INFINITE);
}

void Share::run() {
    own_thread_ = GetCurrentThreadId();
    keep_mounted();
    SetEvent(finished_.get());
}

void Share::tell_once(std::string text) {
    if (text == told_last_) return;
    callbacks_.tell(text);
    told_last_ = std::move(text);
}

void Share::keep_mounted() {
    if (const auto checked = check_mount_point(settings_); !checked)
        return callbacks_.give_up(checked.error());
    const std::string wanted = settings_.tag.empty()
                                   ? "a virtio-fs device"
                                   : "the virtio-fs device \"" + to_utf8(settings_.tag) + "\"";
    // Before the first look, so that no arrival is missed.
    const auto arrivals = watch_arrivals([this] { events_.device_arrived(); });
    if (!arrivals) {
        return callbacks_.give_up({.problem = MountProblem::kSystem, .message = arrivals.error()});
    }
    milliseconds pause = kFirstPause;
    std::uint64_t epoch = 0;
    while (!events_.stopped()) {
        const ShareEvents::Arrivals seen = events_.arrivals();
        const DeviceSearch search = find_device(settings_.tag);
        if (!search.found) {
            tell_once("waiting for " + wanted);
            const auto time = search.some_silent ? std::optional(kLongestPause) : std::nullopt;
            events_.wait_for_arrival(seen, time);
            pause = kFirstPause;
            continue;
        }
        switch (serve(*search.found, Epoch{++epoch})) {
            case Next::kStop:
                return;
            case Next::kLookAgain:
                pause = kFirstPause;
                break;
            case Next::kRetry:
                events_.wait_for_arrival(events_.arrivals(), pause);
                pause = std::min(pause * 2, kLongestPause);
                break;
        }
    }
}

std::expected<std::unique_ptr<Mount>, MountError> Share::mount(const Device& device, IoctlChannel& channel) {
    {
        const std::lock_guard lock(mounting_mutex_);
        mounting_ = &channel;
    }
    // A stop from here on loses the channel; one before is seen here.
    if (events_.stopped()) channel.lose();
    auto mount = Mount::make(channel, device.tag, settings_, [this] { events_.winfsp_stopped(); });
    const std::lock_guard lock(mounting_mutex_);
    mounting_ = nullptr;
    return mount;
}

Share::Next Share::serve(const Device& device, Epoch epoch) {
    events_.begin_connection();
    auto channel = IoctlChannel::open(device, epoch, [this] { events_.host_lost(); });
    if (!channel) {
        tell_once(channel.error() + "; trying again");
        return Next::kRetry;
    }
    const auto removal =
        watch_removal((*channel)->device(), {.let_go =
                                                 [this, &channel] {
                                                     events_.device_leaving();
                                                     (*channel)->let_go();
                                                 },
                                             .decided = [this] { events_.device_decided(); }});
    // Going already, or Windows is out of something.
    if (!removal) {
        tell_once("the virtio-fs device " + quoted(device) + ": " + removal.error() + "; trying again");
        return Next::kRetry;
    }
    Next next = Next::kLookAgain;
    if (auto mounted = mount(device, **channel)) {
        next = stay_mounted(device, **mounted);
    } else {
        // A loss fails the mount before it is told; a leaving and a stop are told before they lose the
        // channel. So the channel is asked first.
        const bool lost = (*channel)->is_lost();
        const auto end = events_.end();
        if (!end && !lost) {
            callbacks_.give_up(mounted.error());
            return Next::kStop;
        }
        if (!end || *end == ShareEvents::End::kHostLost) {
            tell_once("nothing answers behind the virtio-fs device " + quoted(device) +
                      "; it is mounted once virtiofsd runs on the host");
            return Next::kRetry;
        }
    }
    // While a removal is being decided the device must not be opened again. No longer mounted, no handle.
    if (events_.end() == ShareEvents::End::kDeviceLeaving && !events_.wait_for_decision()) return Next::kStop;
    return next;
}

Share::Next Share::stay_mounted(const Device& device, Mount& mount) {
    tell_once(quoted(device) + " is mounted at " + to_utf8(mount.mount_point()));
    std::optional<ShareEvents::End> end;
    while (!(end = events_.wait_for_end(kProbePause)))
        mount.ask_for_sign_of_life();
    if (*end == ShareEvents::End::kStop) return Next::kStop;
    mount.end();
    // The requests that fail because the device goes may come before the word that it does.
    if (*end == ShareEvents::End::kHostLost && is_present(device)) {
        tell_once("the host of " + quoted(device) +
                  " does not answer any more; it is not mounted until it does");
        return Next::kRetry;
    }
    tell_once(
        (*end == ShareEvents::End::kWinFspStopped ? "WinFsp stopped serving " : "the device is gone of ") +
        quoted(device) + "; it is not mounted any more");
    return Next::kLookAgain;
}

}  // namespace guest::service
