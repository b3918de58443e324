// Keeps one share mounted while its device is there: waits for the device, mounts, unmounts when the device
// goes, and waits again. Must never know: the command line, WinFsp's service framework.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>
#include <thread>

#include "guest/service/device.h"
#include "guest/service/mount.h"
#include "guest/service/options.h"
#include "guest/service/win32.h"

namespace guest::service {

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
    void run();
    void keep_mounted();
    // Mounts and stays until the device goes or a stop is asked for. False: give_up was called.
    bool serve(const Device& device, Epoch epoch);

    const Settings settings_;
    const Events events_;
    const UniqueHandle stop_;  // manual-reset events
    const UniqueHandle finished_;
    std::atomic<DWORD> own_thread_{0};
    std::thread thread_;
};

}  // namespace guest::service
