// The mounts that the shared directory spans, and on which of them file handles can stand for descriptors.
// Must never know: nodes.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "vhost_user/fd.h"

namespace host {

// Thread-safe. A mount that was seen stays known, and busy, until clear().
class Mounts {
  public:
    // Without `use_handles` no mount has handles.
    explicit Mounts(bool use_handles) : use_handles_(use_handles) {}

    // Whether handles work on the mount: a descriptor to open them with. `inode` is an O_PATH descriptor of a
    // file or directory on it, `proc_self_fd` leads to it. What the first call finds out holds for the mount
    // from then on.
    std::optional<int> handles_on(std::uint64_t mount, int inode, bool is_directory, int proc_self_fd);
    // The same for a mount that was asked about before; nullopt for others, too.
    std::optional<int> known(std::uint64_t mount) const;

    // No descriptor given out is in use any more.
    void clear();

  private:
    const bool use_handles_;
    mutable std::mutex mutex_;
    std::unordered_map<std::uint64_t, vhost_user::Fd> mounts_;  // no descriptor: no handles
};

}  // namespace host
