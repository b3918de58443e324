// A program of the guest sees nothing of the host: it has none of the cases that need to.
#include "tests/behaviour/case.h"

namespace behaviour {

std::span<const Case> host_cases() {
    return {};
}

std::span<const Case> host_symlink_cases() {
    return {};
}

}  // namespace behaviour
