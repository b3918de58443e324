// File names between NT (UTF-16, characters that Windows forbids) and the host (bytes, all but '/' and NUL
// allowed). The one place that knows how a host name that NT could not express is shown. Must never know:
// nodes, requests.
//
// The mapping is one to one: a host name has exactly one guest name, and a guest name that no host name is
// shown as is refused. So two host names never look alike and every name that is shown can be opened.
// - 1..31 and " * : < > ? | \ are shown as U+F000 plus their code, as Cygwin, WSL and Services for Unix do.
// - A dot or space at the end of a name is shown as U+F02E or U+F020 (Windows would drop it).
// - A byte that is not part of valid UTF-8 is shown as U+F100 plus the byte (U+F180 to U+F1FF).
// - A character of the host that looks like one of these escapes is shown byte by byte in the same way.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nt/status.h"

namespace guest {

// Longest name of a host file, in bytes (Linux's NAME_MAX).
inline constexpr std::size_t kMaxHostNameBytes = 255;

// The host's name for one component. kObjectNameInvalid: an unpaired surrogate, a character that NT forbids,
// a name that no host name is shown as, one that is empty, "." or "..", or longer than kMaxHostNameBytes on
// the host.
nt::Result<std::string> host_name_of(std::u16string_view component);

// How the guest shows a host name. Never fails for what a host directory can hold; nullopt for an empty name
// and for names with '/' or NUL.
std::optional<std::u16string> guest_name_of(std::string_view host_name);

// A path's components as host names; the root has none. kObjectNameInvalid as above, and for a path that does
// not begin with a backslash or has an empty component.
nt::Result<std::vector<std::string>> host_path_of(std::u16string_view path);

}  // namespace guest
