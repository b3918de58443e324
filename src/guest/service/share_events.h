// What a share's thread waits for: devices that arrive, the end of the connection it serves, a stop. Others
// tell it, on any thread and without waiting. Must never know: windows.h, what a connection is made of.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "threads/mutex.h"

namespace guest::service {

class ShareEvents {
  public:
    // Why the connection being served is to end.
    enum class End {
        kStop,           // somebody asked for it
        kDeviceLeaving,  // the device is being removed; it is gone, or stays, once device_decided() was told
        kHostLost,       // requests fail: the device or the daemon behind it went
        kWinFspStopped,
    };
    // How far arrivals had been counted at some moment.
    enum class Arrivals : std::uint64_t {};

    // Said for good.
    void stop() noexcept;
    bool stopped() const;

    void device_arrived() noexcept;
    // Of the connection begun last:
    void device_leaving() noexcept;
    void device_decided() noexcept;
    void host_lost() noexcept;
    void winfsp_stopped() noexcept;

    // To be asked before devices are looked for, so that none is missed that arrives meanwhile.
    Arrivals arrivals() const;
    // Until a device arrives that was not counted in `seen`, or the time is over. False: a stop.
    bool wait_for_arrival(Arrivals seen, std::optional<std::chrono::milliseconds> time);

    // Forgets what was told of the connection before.
    void begin_connection();
    // Nothing if the time is over first.
    std::optional<End> wait_for_end(std::chrono::milliseconds time);
    std::optional<End> end() const;
    // After kDeviceLeaving: until it is known whether the device goes. False: a stop.
    bool wait_for_decision();

  private:
    std::optional<End> end_locked() const;
    void tell(bool& what) noexcept;

    mutable threads::Mutex mutex_;
    threads::Condition told_;
    bool stopped_ = false;
    std::uint64_t arrivals_ = 0;
    bool leaving_ = false;
    bool decided_ = false;
    bool lost_ = false;
    bool winfsp_stopped_ = false;
};

}  // namespace guest::service
