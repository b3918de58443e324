// Messages for whoever runs the service: a line on stderr where there is somebody to read it, else an entry
// in the event log, both through WinFsp. Must never know: what they are about.
#pragma once

#include <windows.h>

#include <string_view>

namespace guest::service {

// `type` is one of EVENTLOG_*_TYPE, `text` UTF-8. Thread-safe; longer texts than WinFsp's log takes are cut.
void log(ULONG type, std::string_view text);

}  // namespace guest::service
