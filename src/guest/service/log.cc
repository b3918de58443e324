#include "guest/service/log.h"

#include <string>

#include "guest/service/win32.h"
#include "winfsp/winfsp.h"

namespace guest::service {

void log(ULONG type, std::string_view text) {
    std::wstring wide = to_wide("virtiofs: " + std::string(text));
    constexpr std::size_t kLongest = 1000;  // UTF-16 units
    if (wide.size() > kLongest) wide.resize(kLongest);
    std::wstring format(L"%s");
    FspServiceLog(type, format.data(), wide.c_str());
}

}  // namespace guest::service
