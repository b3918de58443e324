// File handles of the host's kernel: an inode's name that outlives every descriptor.
// Must never know: nodes. Source: open_by_handle_at(2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>

#include "fuse/errno.h"
#include "vhost_user/fd.h"

namespace host {

// A handle as the kernel gives it, with the id of the mount that it belongs to.
struct InodeHandle {
    static constexpr std::size_t kMaxBytes = 128;

    std::int32_t type = 0;
    std::uint32_t length = 0;  // of bytes
    std::uint64_t mount = 0;   // as statx's stx_mnt_id
    alignas(8) std::array<std::byte, kMaxBytes> bytes{};

    std::span<const std::byte> content() const { return std::span(bytes).first(length); }
};

// Of `name` below `directory` (a link itself, not its target), or of `directory` itself if the name is empty.
// kENOTSUP where the file system has none.
std::expected<InodeHandle, fuse::Errno> handle_of(int directory, const char* name);

// The same in as few bytes as it needs: what is kept for each of many nodes.
class StoredHandle {
  public:
    StoredHandle() = default;
    explicit StoredHandle(const InodeHandle& handle);

    explicit operator bool() const { return packed_ != nullptr; }
    bool operator==(const InodeHandle& other) const;
    // An O_PATH descriptor. `mount_fd` is any descriptor on the handle's mount, not O_PATH. Needs
    // CAP_DAC_READ_SEARCH. kESTALE when the inode is gone.
    std::expected<vhost_user::Fd, fuse::Errno> open(int mount_fd) const;

  private:
    struct Head {
        std::int32_t type;
        std::uint32_t length;
    };
    std::unique_ptr<std::byte[]> packed_;  // Head and content
};

}  // namespace host
