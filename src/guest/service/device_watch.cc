#include "guest/service/device_watch.h"

#include <bit>

#include "ioctl/contract.h"

namespace guest::service {

std::expected<std::unique_ptr<DeviceNotification>, std::string> DeviceNotification::start(
    cfgmgr::Filter filter, Handler handler) {
    std::unique_ptr<DeviceNotification> notification(new DeviceNotification(std::move(handler)));
    const DWORD result =
        CM_Register_Notification(&filter, notification.get(), called, &notification->notification_);
    if (result != cfgmgr::kSuccess) {
        notification->notification_ = nullptr;
        return std::unexpected("Windows gives no notifications of devices (CONFIGRET " +
                               std::to_string(result) + ")");
    }
    return notification;
}

DeviceNotification::~DeviceNotification() {
    if (notification_ != nullptr) CM_Unregister_Notification(notification_);
}

DWORD CALLBACK DeviceNotification::called(cfgmgr::Notification, void* context, cfgmgr::Action action,
                                          cfgmgr::EventData*, DWORD) {
    static_cast<DeviceNotification*>(context)->handler_(action);
    return ERROR_SUCCESS;
}

std::expected<std::unique_ptr<DeviceNotification>, std::string> watch_arrivals(
    std::function<void()> arrived) {
    cfgmgr::Filter filter;
    filter.type = cfgmgr::FilterType::kDeviceInterface;
    filter.interface_class = std::bit_cast<GUID>(ioctl::kDeviceInterface);
    return DeviceNotification::start(filter, [arrived = std::move(arrived)](cfgmgr::Action action) {
        if (action == cfgmgr::Action::kInterfaceArrival) arrived();
    });
}

std::expected<std::unique_ptr<DeviceNotification>, std::string> watch_removal(HANDLE device,
                                                                              RemovalHandlers handlers) {
    cfgmgr::Filter filter;
    filter.type = cfgmgr::FilterType::kDeviceHandle;
    filter.device = device;
    return DeviceNotification::start(filter, [handlers = std::move(handlers)](cfgmgr::Action action) {
        switch (action) {
            case cfgmgr::Action::kQueryRemove:
            case cfgmgr::Action::kRemovePending:
                return handlers.let_go();
            case cfgmgr::Action::kQueryRemoveFailed:
                return handlers.decided();
            case cfgmgr::Action::kRemoveComplete:
                handlers.let_go();
                return handlers.decided();
            default:
                return;
        }
    });
}

}  // namespace guest::service
