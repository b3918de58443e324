#include "host/fs/locks.h"

#include <fcntl.h>

#include <cerrno>
#include <vector>

namespace host {
namespace {

using fuse::Errno;

constexpr std::uint64_t kLast = INT64_MAX;

std::expected<struct flock, Errno> range_of(const fuse::FileLock& lock) {
    if (lock.type != F_RDLCK && lock.type != F_WRLCK && lock.type != F_UNLCK)
        return std::unexpected(Errno::kEINVAL);
    if (lock.end > kLast || lock.start > lock.end) return std::unexpected(Errno::kEINVAL);
    struct flock range {};
    range.l_type = static_cast<short>(lock.type);
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(lock.start);
    range.l_len = lock.end == kLast ? 0 : static_cast<off_t>(lock.end - lock.start + 1);
    return range;
}

}  // namespace

PosixLocks::Description PosixLocks::find(const Key& key) const {
    const std::lock_guard guard(mutex_);
    const auto found = descriptions_.find(key);
    return found == descriptions_.end() ? nullptr : found->second;
}

std::expected<void, Errno> PosixLocks::set(fuse::NodeId node, LockOwner owner, const fuse::FileLock& lock,
                                           const Open& open) {
    const auto range = range_of(lock);
    if (!range) return std::unexpected(range.error());
    const Key key{node, owner};
    Description description = find(key);
    if (description == nullptr) {
        if (lock.type == F_UNLCK) return {};
        vhost_user::Fd opened = open();
        if (!opened) {
            const bool lacking = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
            return std::unexpected(lacking ? Errno::kENOLCK : static_cast<Errno>(errno));
        }
        auto made = std::make_shared<const vhost_user::Fd>(std::move(opened));
        const std::lock_guard guard(mutex_);
        // Perhaps another thread was first, so that the owner has one already.
        description = descriptions_.try_emplace(key, std::move(made)).first->second;
        size_.store(descriptions_.size(), std::memory_order_relaxed);
    }
    struct flock wanted = *range;
    if (::fcntl(description->get(), F_OFD_SETLK, &wanted) == 0) return {};
    return std::unexpected(errno == EACCES ? Errno::kEAGAIN : static_cast<Errno>(errno));
}

std::expected<fuse::FileLock, Errno> PosixLocks::in_the_way(fuse::NodeId node, LockOwner owner,
                                                            const fuse::FileLock& lock, int file) const {
    const auto range = range_of(lock);
    if (!range) return std::unexpected(range.error());
    const Description description = find({node, owner});
    struct flock found = *range;
    if (::fcntl(description != nullptr ? description->get() : file, F_OFD_GETLK, &found) != 0)
        return std::unexpected(static_cast<Errno>(errno));
    if (found.l_type == F_UNLCK) return fuse::FileLock{.type = F_UNLCK};
    const auto start = static_cast<std::uint64_t>(found.l_start);
    const std::uint64_t end = found.l_len == 0 ? kLast : start + static_cast<std::uint64_t>(found.l_len) - 1;
    // Whose it is the host's kernel does not say: a description's, or a process' of the host.
    return fuse::FileLock{.start = start, .end = end, .type = static_cast<std::uint32_t>(found.l_type)};
}

void PosixLocks::release(fuse::NodeId node, LockOwner owner) {
    if (size() == 0) return;
    Description closed;  // without the lock
    const std::lock_guard guard(mutex_);
    const auto found = descriptions_.find({node, owner});
    if (found == descriptions_.end()) return;
    closed = std::move(found->second);
    descriptions_.erase(found);
    size_.store(descriptions_.size(), std::memory_order_relaxed);
}

void PosixLocks::release_node(fuse::NodeId node) {
    if (size() == 0) return;
    std::map<Key, Description> closed;
    const std::lock_guard guard(mutex_);
    auto at = descriptions_.lower_bound({node, LockOwner{0}});
    while (at != descriptions_.end() && at->first.first == node)
        closed.insert(descriptions_.extract(at++));
    size_.store(descriptions_.size(), std::memory_order_relaxed);
}

void PosixLocks::clear() {
    std::map<Key, Description> closed;
    const std::lock_guard guard(mutex_);
    closed.swap(descriptions_);
    size_.store(0, std::memory_order_relaxed);
}

}  // namespace host
