// CM_Register_Notification and CM_Unregister_Notification, which Wine 8.0's cfgmgr32 lacks: arrivals and
// departures of the lab's devices from the session's bus, removals of an open device from its host. Callbacks
// come on a thread of each registration's own; unregistering waits for one under way. Must never know: what
// programs do with a device.
#pragma once

namespace lab::redirect {

// Gives them to this process's program if it imports them.
void supply_device_notifications();

}  // namespace lab::redirect
