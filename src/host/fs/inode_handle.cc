#include "host/fs/inode_handle.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace host {
namespace {

// The kernel's struct with room for the longest handle.
struct KernelHandle {
    std::uint32_t length;
    std::int32_t type;
    std::byte bytes[InodeHandle::kMaxBytes];
};
static_assert(offsetof(KernelHandle, bytes) == sizeof(::file_handle));

}  // namespace

std::expected<InodeHandle, fuse::Errno> handle_of(int directory, const char* name) {
    KernelHandle kernel;
    kernel.length = sizeof kernel.bytes;
    int mount = 0;
    if (::name_to_handle_at(directory, name, reinterpret_cast<::file_handle*>(&kernel), &mount,
                            *name == '\0' ? AT_EMPTY_PATH : 0) != 0) {
        return std::unexpected(static_cast<fuse::Errno>(errno));
    }
    if (kernel.length > sizeof kernel.bytes) return std::unexpected(fuse::Errno::kEOVERFLOW);
    InodeHandle handle;
    handle.type = kernel.type;
    handle.length = kernel.length;
    handle.mount = static_cast<std::uint64_t>(mount);
    std::memcpy(handle.bytes.data(), kernel.bytes, kernel.length);
    return handle;
}

StoredHandle::StoredHandle(const InodeHandle& handle)
    : packed_(std::make_unique_for_overwrite<std::byte[]>(sizeof(Head) + handle.length)) {
    const Head head{.type = handle.type, .length = handle.length};
    std::memcpy(packed_.get(), &head, sizeof head);
    std::memcpy(packed_.get() + sizeof head, handle.bytes.data(), handle.length);
}

bool StoredHandle::operator==(const InodeHandle& other) const {
    if (packed_ == nullptr) return false;
    Head head;
    std::memcpy(&head, packed_.get(), sizeof head);
    return head.type == other.type && head.length == other.length &&
           std::memcmp(packed_.get() + sizeof head, other.bytes.data(), head.length) == 0;
}

std::expected<vhost_user::Fd, fuse::Errno> StoredHandle::open(int mount_fd) const {
    if (packed_ == nullptr) return std::unexpected(fuse::Errno::kESTALE);
    Head head;
    std::memcpy(&head, packed_.get(), sizeof head);
    KernelHandle kernel;
    kernel.length = head.length;
    kernel.type = head.type;
    std::memcpy(kernel.bytes, packed_.get() + sizeof head, head.length);
    vhost_user::Fd fd(
        ::open_by_handle_at(mount_fd, reinterpret_cast<::file_handle*>(&kernel), O_PATH | O_CLOEXEC));
    if (!fd) return std::unexpected(static_cast<fuse::Errno>(errno));
    return fd;
}

}  // namespace host
