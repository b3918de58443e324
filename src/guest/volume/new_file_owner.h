// Who new files and folders belong to on the host: whom the user chose, or else the owner of the share's
// root, as far as the host can name him. Must never know: requests, where attributes come from.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "guest/volume/volume.h"

namespace guest {

// All of it on any thread.
class NewFileOwner {
  public:
    // `overflow`: the ids that stand for owners the host has no name for (a daemon in a user namespace shows
    // "nobody").
    NewFileOwner(std::optional<HostOwner> chosen, HostOwner overflow);

    // What the host showed as the owner of the share's root last. Ids that cannot be named leave the ones
    // known before; before any was known these are 0, the daemon's own user, as whom it can certainly make
    // files.
    void root_belongs_to(HostOwner shown) noexcept;
    HostOwner now() const noexcept;

  private:
    const bool is_chosen_;
    const HostOwner overflow_;
    std::atomic<std::uint32_t> uid_;
    std::atomic<std::uint32_t> gid_;
};

}  // namespace guest
