// What a symbolic link points at, between NT (backslashes, mapped names, "\x" from the volume's root) and the
// host (slashes, bytes, "/x" from its root). A target that begins at the root means the share's root on both
// sides. Must never know: nodes, requests.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nt/reparse.h"
#include "nt/status.h"

namespace guest {

// Longest target of a host link, in bytes (Linux's PATH_MAX without the NUL).
inline constexpr std::size_t kMaxLinkTargetBytes = 4095;

// How the guest shows a host link's target; without a name for people if it is very long.
// kDeviceProtocolError: no host link can have it (empty, too long, with a NUL).
nt::Result<nt::SymlinkTarget> guest_target_of(std::string_view host_target);

// The host target for a link that a program makes. kNotSupported: an absolute target ("\??\C:\x",
// "\\server\share"), which lies outside the share; kObjectNameInvalid: a name on the way that the host cannot
// have; kNameTooLong.
nt::Result<std::string> host_target_of(const nt::SymlinkTarget& target);

// Where a link in `directory` (names from the root) leads, "." and ".." taken by their names alone, as NT
// does; nullopt: out of the share.
std::optional<std::vector<std::string>> follow(std::span<const std::string> directory,
                                               std::string_view host_target);

}  // namespace guest
