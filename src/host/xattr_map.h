// Names of extended attributes of the guest as names on the host and back (--xattrmap).
// Must never know: values.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/errno.h"

namespace host {

// The first rule that matches decides; a name that none matches is denied and hidden. Without any rule every
// name is itself. Immutable after parsing; thread-safe.
class XattrMap {
  public:
    // The text of --xattrmap: rules ":TYPE:SCOPE:KEY:PREPEND:" with any separator, or ":map:KEY:PREPEND:" as
    // the last. TYPE is prefix, ok, bad or unsupported; SCOPE is client (names from the guest, compared with
    // KEY), server (names from the host, compared with PREPEND) or all. The error is a sentence for the user.
    static std::expected<XattrMap, std::string> parse(std::string_view text);

    bool is_identity() const { return rules_.empty(); }
    // The name on the host, for get, set and remove; what the guest is answered where the map forbids it:
    // kENOTSUP, or kEPERM, in place of which today's daemons answer kENODATA to a get.
    std::expected<std::string, fuse::Errno> to_host(std::string_view guest_name) const;
    // The name to list; nullopt if the guest is not to see it.
    std::optional<std::string> to_guest(std::string_view host_name) const;

  private:
    struct Rule {
        enum class Kind : std::uint8_t { kPrefix, kOk, kBad, kUnsupported } kind{};
        bool for_guest_names = false;
        bool for_host_names = false;
        std::string key;      // what a guest's name begins with
        std::string prepend;  // what its name on the host begins with
    };
    std::vector<Rule> rules_;
};

}  // namespace host
