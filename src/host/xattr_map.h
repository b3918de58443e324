// Names of extended attributes of the guest as names on the host and back (--xattrmap).
// Must never know: values.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/errno.h"

namespace host {

// Without rules every name is itself. Immutable after parsing; thread-safe.
class XattrMap {
  public:
    // The text of --xattrmap in the documented syntax (docs/host.md). The error is a sentence for the user.
    static std::expected<XattrMap, std::string> parse(std::string_view text);

    bool is_identity() const { return rules_.empty(); }
    // The name on the host, for get, set and remove; what the guest is answered where the map forbids it.
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
