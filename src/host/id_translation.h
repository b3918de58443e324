// User and group ids of the guest as ids of the host and back (--translate-uid, --translate-gid).
// Must never know: whether they are of users or of groups.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/errno.h"

namespace host {

// Without rules every id is itself. Immutable after parsing; thread-safe.
class IdTranslation {
  public:
    // Adds the rule of one option value, e.g. "map:1000:0:1" (see docs/host.md). The error is a sentence for the user.
    std::expected<void, std::string> add(std::string_view rule);

    bool is_identity() const { return rules_.empty(); }
    // kEPERM for an id that must not be used.
    std::expected<std::uint32_t, fuse::Errno> to_host(std::uint32_t guest_id) const;
    // An id that the guest is not to see becomes the overflow id 65534.
    std::uint32_t to_guest(std::uint32_t host_id) const;

  private:
    struct Rule {
        enum class Kind : std::uint8_t { kGuest, kHost, kSquashGuest, kSquashHost, kForbidGuest, kMap } kind{};
        std::uint32_t from = 0;
        std::uint32_t to = 0;
        std::uint32_t count = 0;
    };
    std::vector<Rule> rules_;
};

}  // namespace host
