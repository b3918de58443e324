#include "lab/transport/region.h"

namespace lab::transport::region {
namespace {

constexpr char kFolder[] = "/dev/shm/";

bool is_allowed(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

}  // namespace

Path path_of(const char* name) noexcept {
    Path path{};
    std::size_t at = 0;
    for (; kFolder[at] != 0; ++at)
        path.text[at] = kFolder[at];
    std::size_t length = 0;
    for (; name != nullptr && name[length] != 0; ++length) {
        if (length == kMaxNameBytes || !is_allowed(name[length])) return path;
        path.text[at++] = name[length];
    }
    path.valid = length != 0 && name[0] != '.';
    return path;
}

}  // namespace lab::transport::region
