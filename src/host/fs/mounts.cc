#include "host/fs/mounts.h"

#include <fcntl.h>

#include <string>

#include "host/fs/inode_handle.h"

namespace host {
namespace {

// A descriptor by which handles of the inode's mount can be opened; none if that does not work.
vhost_user::Fd open_for_handles(int inode, bool is_directory, int proc_self_fd) {
    const auto handle = handle_of(inode, "");
    if (!handle) return {};
    const std::string path = std::to_string(inode);
    vhost_user::Fd mount(
        ::openat(proc_self_fd, path.c_str(),
                 O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (is_directory ? O_DIRECTORY : 0)));
    // The right to open by handle is missing, or the file system gives handles that it does not take back.
    if (!mount || !StoredHandle(*handle).open(mount.get())) return {};
    return mount;
}

}  // namespace

std::optional<int> Mounts::known(std::uint64_t mount) const {
    if (!use_handles_) return std::nullopt;
    const std::lock_guard lock(mutex_);
    const auto found = mounts_.find(mount);
    if (found == mounts_.end() || !found->second) return std::nullopt;
    return found->second.get();
}

std::optional<int> Mounts::handles_on(std::uint64_t mount, int inode, bool is_directory, int proc_self_fd) {
    if (!use_handles_) return std::nullopt;
    {
        const std::lock_guard lock(mutex_);
        const auto found = mounts_.find(mount);
        if (found != mounts_.end()) {
            if (!found->second) return std::nullopt;
            return found->second.get();
        }
    }
    vhost_user::Fd opened = open_for_handles(inode, is_directory, proc_self_fd);
    const std::lock_guard lock(mutex_);
    const vhost_user::Fd& kept = mounts_.try_emplace(mount, std::move(opened)).first->second;
    if (!kept) return std::nullopt;
    return kept.get();
}

void Mounts::clear() {
    const std::lock_guard lock(mutex_);
    mounts_.clear();
}

}  // namespace host
