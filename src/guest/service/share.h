// Keeps one share mounted while its device and the daemon behind it are there: waits for the device, mounts,
// unmounts when one of them goes, and waits again. Must never know: the command line, WinFsp's service
// framework.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "guest/service/device.h"
#include "guest/service/mount.h"
#include "guest/service/options.h"
#include "guest/service/share_events.h"
#include "guest/service/win32.h"
#include "threads/mutex.h"

namespace guest::service {

class DeviceNotification;
class IoctlChannel;

class Share {
  public:
    // Both are called on the share's own thread.
    struct Events {
        std::function<void(std::string_view)> tell;      // what the user should know, a sentence
        std::function<void(const MountError&)> give_up;  // the last call: it cannot be mounted
    };

    Share(const Settings& settings, Events events);
    // Stops and waits for the unmount.
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Begins; once.
    void start();
    // Asks for the unmount without waiting. Any thread.
    void request_stop() noexcept;
    // Waits until nothing is mounted any more and nothing will be; at once on the share's own thread.
    void wait();

  private:
    // What to do once a device was tried.
    enum class Next {
        kStop,
        kLookAgain,  // at once
        kRetry,      // after a pause: what is missing comes without a word
    };

    void run();
    void keep_mounted();
    Next serve(const Device& device, Epoch epoch);
    // Stays until the connection's end.
    Next stay_mounted(const Device& device, Mount& mount);
    // Mounts, unless a stop or the device's removal comes first.
    std::expected<std::unique_ptr<Mount>, MountError> mount(const Device& device, IoctlChannel& channel);
    // Tells it unless it is what was told last.
    void tell_once(std::string text);

    const Settings settings_;
    const Events callbacks_;
    ShareEvents events_;
    const UniqueHandle finished_;  // a manual-reset event
    std::atomic<DWORD> own_thread_{0};
    std::string told_last_;  // the share's thread's

    // The channel of a mount that is being made and waits for the host: a stop loses it.
    threads::Mutex mounting_mutex_;
    IoctlChannel* mounting_ = nullptr;

    std::thread thread_;
};

}  // namespace guest::service
