// NT's sharing rules between the handles of one file: the record IoCheckShareAccess keeps (wdm.h's
// documentation). Must never know: files, names. The owner serialises the calls.
#pragma once

#include <cstdint>

#include "nt/file.h"

namespace lab::fsd {

class ShareAccess {
  public:
    // Whether a handle with this access and share mode may join. Handles that neither read (or execute),
    // write (or append) nor delete never conflict.
    bool allows(std::uint32_t granted_access, std::uint32_t share) const noexcept;
    void add(std::uint32_t granted_access, std::uint32_t share) noexcept;
    void remove(std::uint32_t granted_access, std::uint32_t share) noexcept;
    // Every handle that counts shares DELETE.
    bool all_share_delete() const noexcept { return shared_delete_ == handles_; }

  private:
    void count(std::uint32_t granted_access, std::uint32_t share, std::uint32_t by) noexcept;

    std::uint32_t handles_ = 0;  // of those that count
    std::uint32_t readers_ = 0;
    std::uint32_t writers_ = 0;
    std::uint32_t deleters_ = 0;
    std::uint32_t shared_read_ = 0;
    std::uint32_t shared_write_ = 0;
    std::uint32_t shared_delete_ = 0;
};

}  // namespace lab::fsd
