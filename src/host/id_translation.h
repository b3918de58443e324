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

// The two directions are independent of each other; an id that no rule names is itself. Immutable after
// parsing; thread-safe.
class IdTranslation {
  public:
    // Never the id of anybody: system calls take it as "leave as it is" or ignore it.
    static constexpr std::uint32_t kNoId = 0xFFFFFFFF;

    // Adds the rule of one option value, one of
    //   guest:GUEST:HOST:COUNT         guest ids from GUEST on are host ids from HOST on
    //   host:HOST:GUEST:COUNT          host ids from HOST on are shown as guest ids from GUEST on
    //   map:GUEST:HOST:COUNT           both of these
    //   squash-guest:GUEST:HOST:COUNT  guest ids from GUEST on are all the host id HOST
    //   squash-host:HOST:GUEST:COUNT   host ids from HOST on are all shown as the guest id GUEST
    //   forbid-guest:GUEST:COUNT       guest ids from GUEST on must not be used
    // Ranges of one direction must not overlap. The error is a sentence for the user; nothing is added then.
    std::expected<void, std::string> add(std::string_view rule);

    // Without rules. to_host() still refuses kNoId.
    bool is_identity() const { return to_host_.empty() && to_guest_.empty(); }
    // kEPERM for an id that must not be used.
    std::expected<std::uint32_t, fuse::Errno> to_host(std::uint32_t guest_id) const;
    std::uint32_t to_guest(std::uint32_t host_id) const;

  private:
    struct Range {
        enum class Kind : std::uint8_t { kShift, kSquash, kForbid } kind{};
        std::uint32_t first = 0;
        std::uint32_t target = 0;
        std::uint32_t count = 0;

        bool contains(std::uint32_t id) const { return id >= first && id - first < count; }
        bool overlaps(const Range& other) const {
            return contains(other.first) || other.contains(first);  // neither is empty
        }
        std::uint32_t translate(std::uint32_t id) const {
            return kind == Kind::kShift ? target + (id - first) : target;
        }
    };
    static const Range* find(const std::vector<Range>& ranges, std::uint32_t id);

    std::vector<Range> to_host_;
    std::vector<Range> to_guest_;
};

}  // namespace host
