// Byte-range locks of the guest's processes, by nodes and owners.
// Must never know: messages, who waits. Source: fcntl(2), open file description locks.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "fuse/protocol.h"
#include "vhost_user/fd.h"

namespace host {

// Whose lock it is: the guest's number for a process, or what it takes for one.
enum class LockOwner : std::uint64_t {};

// Each owner has a file description of its own for each node that it has locks on, so that the host's kernel
// tells owners apart, also from the host's own programs. Thread-safe.
class PosixLocks {
  public:
    // A new description of the node's file, for reading and writing if possible.
    using Open = std::function<vhost_user::Fd()>;

    // Takes a lock, changes it, or gives it up (F_UNLCK), without waiting. kEAGAIN: somebody else's is in the
    // way. kENOLCK: there are too many owners.
    std::expected<void, fuse::Errno> set(fuse::NodeId node, LockOwner owner, const fuse::FileLock& lock,
                                         const Open& open);
    // What is in the way of such a lock; F_UNLCK: nothing. `file` is any descriptor of the node's file.
    std::expected<fuse::FileLock, fuse::Errno> in_the_way(fuse::NodeId node, LockOwner owner,
                                                          const fuse::FileLock& lock, int file) const;

    // Give up all locks of an owner on a node, of a node, and all there are.
    void release(fuse::NodeId node, LockOwner owner);
    void release_node(fuse::NodeId node);
    void clear();

    // Owners and nodes with locks.
    std::size_t size() const { return size_.load(std::memory_order_relaxed); }

  private:
    using Key = std::pair<fuse::NodeId, LockOwner>;
    using Description = std::shared_ptr<const vhost_user::Fd>;

    Description find(const Key& key) const;

    mutable std::mutex mutex_;
    std::map<Key, Description> descriptions_;
    std::atomic<std::size_t> size_ = 0;
};

}  // namespace host
