#include "host/mount_sandbox.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/system_error.h"

namespace host {
namespace {

using vhost_user::Fd;

constexpr int kPlace = O_PATH | O_DIRECTORY | O_CLOEXEC;

// /proc/self/fd and nothing beside it or above it, mounted over /proc.
std::expected<Fd, std::string> own_descriptors() {
    // Where it must not be mounted anew (users' namespaces in containers), the one that is there does.
    if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0 && errno != EPERM) {
        return system_error("cannot mount /proc");
    }
    if (::mount("/proc/self/fd", "/proc", nullptr, MS_BIND, nullptr) != 0) {
        return system_error("cannot mount /proc/self/fd");
    }
    Fd place(::open("/proc", kPlace));
    if (!place) return system_error("cannot open /proc/self/fd");
    return place;
}

}  // namespace

std::expected<ServerRoots, std::string> enter_mount_sandbox(const std::string& directory, bool readonly) {
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
        return system_error("cannot make mounts private");
    }
    const Fd tree(
        ::open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    if (!tree) return system_error(fmt::format("cannot take {} into the sandbox", directory));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    if (readonly) attributes.attr_set |= MOUNT_ATTR_RDONLY;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) != 0 &&
        errno != ENOSYS) {
        return system_error(fmt::format("cannot restrict the mounts of {}", directory));
    }
    auto descriptors = own_descriptors();
    if (!descriptors) return std::unexpected(std::move(descriptors.error()));

    // Any directory but the root does as the place where the new root is mounted first.
    if (::move_mount(tree.get(), "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) != 0 ||
        ::fchdir(tree.get()) != 0) {
        return system_error(fmt::format("cannot mount {} in the sandbox", directory));
    }
    // The old root ends up mounted over the new one, from where it is unmounted (pivot_root(2)).
    if (::syscall(SYS_pivot_root, ".", ".") != 0) return system_error("cannot change the root file system");
    if (::umount2(".", MNT_DETACH) != 0) return system_error("cannot unmount the old root file system");
    if (::chdir("/") != 0) return system_error("cannot change to the new root directory");
    Fd root(::open("/", kPlace));
    if (!root) return system_error("cannot open the new root directory");
    return ServerRoots{.directory = std::move(root), .proc_self_fd = *std::move(descriptors)};
}

}  // namespace host
