// The lab's name of vhost_user::EventFd.
#pragma once

#include "vhost_user/event_fd.h"

namespace lab {

using vhost_user::EventFd;

}  // namespace lab
