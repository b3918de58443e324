// WinFsp's operations table over a guest::Volume: conversions of arguments and results, nothing else.
// Must never know: where the volume's messages go, how it came to be mounted.
#pragma once

#include <string>

#include "guest/service/open_files.h"
#include "guest/volume/volume.h"
#include "winfsp/winfsp.h"

namespace guest::service {

// What FSP_FILE_SYSTEM::UserContext points at. Outlives the dispatcher.
struct CallbackContext {
    Volume& volume;
    OpenFiles& open_files;
    std::u16string label;  // the volume's, at most 32 units
    std::function<void(bool normally)> dispatcher_stopped;
};

// One table for all file systems; what it lacks WinFsp answers with STATUS_INVALID_DEVICE_REQUEST.
const FSP_FILE_SYSTEM_INTERFACE& operations_table();

}  // namespace guest::service
