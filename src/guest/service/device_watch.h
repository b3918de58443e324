// Windows' word of devices: that one arrived, and that one which is open is to go. Callbacks come on a thread
// of the system's, before the constructor of a watch has returned even; the destructors wait for one under
// way, so they must not run inside. Must never know: what travels over devices, mounts.
#pragma once

#include <windows.h>

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "cfgmgr/notifications.h"

namespace guest::service {

// A registration with CM_Register_Notification.
class DeviceNotification {
  public:
    using Handler = std::function<void(cfgmgr::Action)>;
    static std::expected<std::unique_ptr<DeviceNotification>, std::string> start(cfgmgr::Filter filter,
                                                                                 Handler handler);
    ~DeviceNotification();
    DeviceNotification(const DeviceNotification&) = delete;
    DeviceNotification& operator=(const DeviceNotification&) = delete;

  private:
    explicit DeviceNotification(Handler handler) : handler_(std::move(handler)) {}
    static DWORD CALLBACK called(cfgmgr::Notification notification, void* context, cfgmgr::Action action,
                                 cfgmgr::EventData* event, DWORD bytes);

    const Handler handler_;
    cfgmgr::Notification notification_ = nullptr;
};

// Calls back for each virtio-fs device that arrives from now on.
std::expected<std::unique_ptr<DeviceNotification>, std::string> watch_arrivals(std::function<void()> arrived);

struct RemovalHandlers {
    // The device is to be removed, or was: every handle to it must be closed before this returns. May be
    // called more than once.
    std::function<void()> let_go;
    // It is known how that ends: it is gone, or it stays and may be opened again.
    std::function<void()> decided;
};
// `device` is an open handle, which may be closed at any time after this returned.
std::expected<std::unique_ptr<DeviceNotification>, std::string> watch_removal(HANDLE device,
                                                                              RemovalHandlers handlers);

}  // namespace guest::service
