// The inodes that the guest knows, by node id and by identity, each held by a descriptor or by a file handle.
// Must never know: FUSE messages, names beyond the one a lookup is about.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "fuse/errno.h"
#include "fuse/ids.h"
#include "host/fs/inode_handle.h"
#include "host/fs/mounts.h"
#include "vhost_user/fd.h"

namespace host {

// What makes an inode the same one: two mounts of one file system show different nodes.
struct NodeKey {
    std::uint64_t mount = 0;   // stx_mnt_id
    std::uint64_t device = 0;  // makedev()
    std::uint64_t inode = 0;

    bool operator==(const NodeKey&) const = default;
};

struct NodeInfo {
    NodeKey key;
    std::uint32_t type = 0;  // mode's type bits
    bool submount = false;   // a directory on another mount than its parent
    // When the inode was made, nanoseconds since 1970; 0 if that is not known, or so lately that another one
    // with its number may be given the same time.
    std::uint64_t birth = 0;
};

// Thread-safe; no lock is held over a system call that may wait. A node id is a slot with a generation, so
// that one that the guest made up, or forgot, is found out: kESTALE.
class NodeTable {
    struct Node;
    struct Shard;

  public:
    // A node in use: its descriptor stays open and its id valid.
    class Pin {
      public:
        Pin(Pin&& other) noexcept
            : shard_(std::exchange(other.shard_, nullptr)),
              node_(std::exchange(other.node_, nullptr)),
              has_fd_(other.has_fd_) {}
        Pin& operator=(Pin&&) = delete;
        ~Pin();

        int fd() const;  // O_PATH
        const NodeInfo& info() const;

      private:
        friend class NodeTable;
        Pin(Shard* shard, Node* node, bool has_fd = true) : shard_(shard), node_(node), has_fd_(has_fd) {}
        Shard* shard_;  // null: the root
        Node* node_;
        bool has_fd_;  // when it was taken
    };

    // `root` is an O_PATH descriptor. At most about `descriptor_budget` descriptors are kept for nodes that
    // `mounts` has handles for; each other node keeps its own.
    NodeTable(vhost_user::Fd root, const NodeInfo& root_info, Mounts& mounts, std::size_t descriptor_budget);
    ~NodeTable();
    NodeTable(const NodeTable&) = delete;
    NodeTable& operator=(const NodeTable&) = delete;

    // kESTALE for an id that is not known, and for a node whose handle leads nowhere any more.
    std::expected<Pin, fuse::Errno> pin(fuse::NodeId id);
    // The node with this key, if the guest knows it and it can be had.
    std::optional<Pin> pin_known(const NodeKey& key);
    // Of a node that has lost its last name: no handle leads to it any more, so its descriptor stays for as
    // long as there are references.
    static void outlive_names(const Pin& pin);

    // The same for a node whose inode lives though its handle is forgotten: by an O_PATH descriptor of it,
    // which the node keeps. kESTALE also for a descriptor of another inode.
    std::expected<Pin, fuse::Errno> pin_by(fuse::NodeId id, vhost_user::Fd fd);

    // One more reference to the node with `seen.key`, if there is one. `name` in `directory` was just seen to
    // be that inode; it is looked at again where neither a descriptor nor the time of birth proves that its
    // number was not used again.
    std::optional<fuse::NodeId> refer(const NodeInfo& seen, int directory, const char* name);
    // One reference to a node that is new, or was made by another thread meanwhile.
    fuse::NodeId add(const NodeInfo& info, vhost_user::Fd fd);
    fuse::NodeId add(const NodeInfo& info, const InodeHandle& handle);

    // Takes references back. An id that is not known, or more references than there are: all that there are.
    // Whether these were the last.
    bool forget(fuse::NodeId id, fuse::LookupCount count);
    // All of them, of all nodes but the root.
    void clear();
    // Gives descriptors back that handles can stand for. False if there was none.
    bool shrink();

    std::size_t size() const;         // nodes, without the root
    std::size_t descriptors() const;  // held for nodes, without the root's

  private:
    static constexpr std::uint32_t kShardBits = 3;
    static constexpr std::uint32_t kShards = 1U << kShardBits;

    Shard& shard_of(const NodeKey& key);
    static void unlist(const Pin& pin);
    std::expected<Pin, fuse::Errno> take(fuse::NodeId id);
    template <typename Keep>
    fuse::NodeId add_node(const NodeInfo& info, Keep&& keep);
    fuse::NodeId id_of(const Shard& shard, const Node& node) const;

    Mounts& mounts_;
    const std::size_t budget_;  // of one shard
    std::unique_ptr<Node> root_;
    std::array<std::unique_ptr<Shard>, kShards> shards_;
};

}  // namespace host
