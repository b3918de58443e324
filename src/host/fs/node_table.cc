#include "host/fs/node_table.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

namespace host {
namespace {

constexpr std::uint32_t kNil = UINT32_MAX;
constexpr std::uint32_t kSlotsInChunk = 512;
constexpr std::uint32_t kMaxSlots = UINT32_MAX >> 3;  // a slot and a shard's number share 32 bits
constexpr std::size_t kFirstBuckets = 64;

std::uint64_t hash_of(const NodeKey& key) {
    std::uint64_t hash = key.inode * 0x9E3779B97F4A7C15U;
    hash ^= (key.device + (key.mount << 32)) * 0xC2B2AE3D27D4EB4FU;
    return hash ^ hash >> 29;
}

// Whether it is the inode that it was taken for, of the same type: what may be opened depends on it.
bool is_of(int fd, const NodeInfo& info) {
    struct stat status;
    return ::fstat(fd, &status) == 0 && status.st_ino == info.key.inode && status.st_dev == info.key.device &&
           (status.st_mode & S_IFMT) == info.type;
}

}  // namespace

// In use while it has references or pins; otherwise in its shard's list of free slots.
struct NodeTable::Node {
    NodeInfo info;
    std::uint64_t lookups = 0;
    StoredHandle handle;  // set once, and not changed while the node is pinned and has no descriptor
    int fd = -1;
    std::uint32_t slot = 0;
    std::uint32_t generation = 1;
    std::uint32_t next = kNil;  // in the bucket, or in the list of free slots
    std::uint32_t pins = 0;
    std::uint32_t hot = kNil;  // place in Shard::hot
    bool listed = false;       // found by its key
    bool used_lately = false;
};

struct NodeTable::Shard {
    std::uint32_t number = 0;
    mutable std::mutex mutex;  // guards everything below
    std::vector<std::unique_ptr<Node[]>> chunks;
    std::vector<std::uint32_t> buckets = std::vector<std::uint32_t>(kFirstBuckets, kNil);
    std::vector<std::uint32_t> hot;  // slots whose descriptors a handle can stand for, in no order
    std::size_t hand = 0;            // where in `hot` the next search for an idle one begins
    std::uint32_t free = kNil;
    std::size_t used = 0;
    std::size_t listed = 0;
    std::size_t descriptors = 0;

    Node& at(std::uint32_t slot) const { return chunks[slot / kSlotsInChunk][slot % kSlotsInChunk]; }

    std::uint32_t& bucket_of(const NodeKey& key) {
        return buckets[(hash_of(key) >> kShardBits) & (buckets.size() - 1)];
    }

    Node* find(const NodeKey& key) {
        for (std::uint32_t slot = bucket_of(key); slot != kNil; slot = at(slot).next) {
            if (at(slot).info.key == key) return &at(slot);
        }
        return nullptr;
    }

    void list(Node& node) {
        if (listed >= buckets.size()) grow();
        std::uint32_t& bucket = bucket_of(node.info.key);
        node.next = bucket;
        bucket = node.slot;
        node.listed = true;
        ++listed;
    }

    void unlist(Node& node) {
        if (!node.listed) return;
        std::uint32_t* link = &bucket_of(node.info.key);
        while (*link != node.slot)
            link = &at(*link).next;
        *link = node.next;
        node.next = kNil;
        node.listed = false;
        --listed;
    }

    void grow() {
        std::vector<std::uint32_t> old(buckets.size() * 2, kNil);
        old.swap(buckets);
        for (std::uint32_t slot : old) {
            while (slot != kNil) {
                Node& node = at(slot);
                slot = node.next;
                std::uint32_t& bucket = bucket_of(node.info.key);
                node.next = bucket;
                bucket = node.slot;
            }
        }
    }

    Node& take_slot() {
        if (free == kNil) {
            const auto first = static_cast<std::uint32_t>(chunks.size() * kSlotsInChunk);
            if (first >= kMaxSlots - kSlotsInChunk) throw std::bad_alloc();
            chunks.push_back(std::make_unique<Node[]>(kSlotsInChunk));
            for (std::uint32_t slot = first + kSlotsInChunk; slot-- > first;) {
                at(slot).slot = slot;
                at(slot).next = free;
                free = slot;
            }
        }
        Node& node = at(free);
        free = node.next;
        node.next = kNil;
        ++used;
        return node;
    }

    void make_cool(Node& node) {
        if (node.hot == kNil) return;
        at(hot.back()).hot = node.hot;
        hot[node.hot] = hot.back();
        hot.pop_back();
        node.hot = kNil;
    }

    void make_hot(Node& node) {
        node.hot = static_cast<std::uint32_t>(hot.size());
        hot.push_back(node.slot);
    }

    // Takes the descriptor away; to be closed without the lock.
    vhost_user::Fd take_fd(Node& node) {
        make_cool(node);
        if (node.fd >= 0) --descriptors;
        return vhost_user::Fd(std::exchange(node.fd, -1));
    }

    // Frees the slot if nothing refers to it any more. What is returned is closed without the lock.
    vhost_user::Fd drop_if_unused(Node& node) {
        if (node.lookups != 0 || node.pins != 0) return {};
        unlist(node);
        vhost_user::Fd fd = take_fd(node);
        node.handle = {};
        ++node.generation;
        if (node.generation == 0) node.generation = 1;
        node.used_lately = false;
        node.next = free;
        free = node.slot;
        --used;
        return fd;
    }

    // Finds a node that has not been used lately, and takes its descriptor. None if all are in use.
    vhost_user::Fd cool_one() {
        for (std::size_t left = 2 * hot.size(); left != 0 && !hot.empty(); --left) {
            if (hand >= hot.size()) hand = 0;
            Node& node = at(hot[hand]);
            if (node.pins != 0 || std::exchange(node.used_lately, false)) {
                ++hand;
                continue;
            }
            if (!node.handle) {
                const auto handle = handle_of(node.fd, "");
                if (!handle) {
                    make_cool(node);  // it keeps its descriptor
                    continue;
                }
                node.handle = StoredHandle(*handle);
            }
            return take_fd(node);
        }
        return {};
    }
};

NodeTable::Pin::~Pin() {
    if (shard_ == nullptr) return;
    vhost_user::Fd closed;
    const std::lock_guard lock(shard_->mutex);
    --node_->pins;
    closed = shard_->drop_if_unused(*node_);
}

int NodeTable::Pin::fd() const {
    return node_->fd;
}

const NodeInfo& NodeTable::Pin::info() const {
    return node_->info;
}

NodeTable::NodeTable(vhost_user::Fd root, const NodeInfo& root_info, Mounts& mounts,
                     std::size_t descriptor_budget)
    : mounts_(mounts),
      budget_(std::max<std::size_t>(1, descriptor_budget / kShards)),
      root_(std::make_unique<Node>()) {
    root_->info = root_info;
    root_->fd = root.release();
    for (std::uint32_t number = 0; number < kShards; ++number) {
        shards_[number] = std::make_unique<Shard>();
        shards_[number]->number = number;
    }
}

NodeTable::~NodeTable() {
    clear();
    vhost_user::Fd(root_->fd).reset();
}

NodeTable::Shard& NodeTable::shard_of(const NodeKey& key) {
    return *shards_[hash_of(key) & (kShards - 1)];
}

fuse::NodeId NodeTable::id_of(const Shard& shard, const Node& node) const {
    return fuse::NodeId{std::uint64_t{node.generation} << 32 | node.slot << kShardBits | shard.number};
}

// With or without a descriptor.
std::expected<NodeTable::Pin, fuse::Errno> NodeTable::take(fuse::NodeId id) {
    if (id == fuse::kRootNodeId) return Pin(nullptr, root_.get());
    const auto number = static_cast<std::uint64_t>(id);
    const auto place = static_cast<std::uint32_t>(number);
    Shard& shard = *shards_[place & (kShards - 1)];
    const std::lock_guard lock(shard.mutex);
    const std::uint32_t slot = place >> kShardBits;
    if (slot >= shard.chunks.size() * kSlotsInChunk) return std::unexpected(fuse::Errno::kESTALE);
    Node& node = shard.at(slot);
    if (node.generation != number >> 32 || node.lookups == 0) return std::unexpected(fuse::Errno::kESTALE);
    ++node.pins;
    node.used_lately = true;
    return Pin(&shard, &node, node.fd >= 0);
}

std::expected<NodeTable::Pin, fuse::Errno> NodeTable::pin(fuse::NodeId id) {
    auto taken = take(id);
    if (!taken || taken->has_fd_) return taken;
    Pin pin = std::move(*taken);
    Shard& shard = *pin.shard_;
    Node* const node = pin.node_;
    const auto mount = mounts_.known(node->info.key.mount);
    if (!mount) return std::unexpected(fuse::Errno::kESTALE);
    auto opened = node->handle.open(*mount);
    if (!opened && (opened.error() == fuse::Errno::kEMFILE || opened.error() == fuse::Errno::kENFILE) &&
        shrink()) {
        opened = node->handle.open(*mount);
    }
    if (!opened) {
        if (opened.error() == fuse::Errno::kESTALE) unlist(pin);
        return std::unexpected(opened.error());
    }
    // The handle was perhaps taken of a name that came to mean another inode than the one looked at before.
    if (!is_of(opened->get(), node->info)) {
        unlist(pin);
        return std::unexpected(fuse::Errno::kESTALE);
    }
    vhost_user::Fd cooled;
    {
        const std::lock_guard lock(shard.mutex);
        if (node->fd < 0) {
            node->fd = opened->release();
            ++shard.descriptors;
            shard.make_hot(*node);
            if (shard.hot.size() > budget_) cooled = shard.cool_one();
        }
    }
    return pin;
}

std::expected<NodeTable::Pin, fuse::Errno> NodeTable::pin_by(fuse::NodeId id, vhost_user::Fd fd) {
    auto taken = take(id);
    if (!taken || taken->has_fd_) return taken;
    Pin pin = std::move(*taken);
    if (!is_of(fd.get(), pin.node_->info)) return std::unexpected(fuse::Errno::kESTALE);
    const std::lock_guard lock(pin.shard_->mutex);
    if (pin.node_->fd < 0) {
        pin.node_->fd = fd.release();
        ++pin.shard_->descriptors;  // not among the hot ones, whose handles can stand for them
        if (!pin.node_->listed && pin.shard_->find(pin.node_->info.key) == nullptr)
            pin.shard_->list(*pin.node_);  // it may get a name again
    }
    return pin;
}

std::optional<NodeTable::Pin> NodeTable::pin_known(const NodeKey& key) {
    Shard& shard = shard_of(key);
    fuse::NodeId id{};
    {
        const std::lock_guard lock(shard.mutex);
        const Node* const node = shard.find(key);
        if (node == nullptr) return std::nullopt;
        id = id_of(shard, *node);
    }
    auto found = pin(id);
    if (!found) return std::nullopt;
    return std::move(*found);
}

void NodeTable::outlive_names(const Pin& pin) {
    if (pin.shard_ == nullptr) return;
    const std::lock_guard lock(pin.shard_->mutex);
    pin.shard_->make_cool(*pin.node_);
}

// Of a node that turned out to be gone: its next lookup makes another one.
void NodeTable::unlist(const Pin& pin) {
    const std::lock_guard lock(pin.shard_->mutex);
    pin.shard_->unlist(*pin.node_);
}

std::optional<fuse::NodeId> NodeTable::refer(const NodeInfo& seen, int directory, const char* name) {
    Shard& shard = shard_of(seen.key);
    Node* node = nullptr;
    {
        const std::lock_guard lock(shard.mutex);
        node = shard.find(seen.key);
        if (node == nullptr) return std::nullopt;
        // A descriptor keeps the inode's number from being used again.
        if (node->fd >= 0 || (node->info.birth != 0 && node->info.birth == seen.birth)) {
            ++node->lookups;
            return id_of(shard, *node);
        }
        ++node->pins;
    }
    const Pin pin(&shard, node);
    const auto handle = handle_of(directory, name);
    const bool same = handle && node->handle == *handle;
    const std::lock_guard lock(shard.mutex);
    if (!same) {
        shard.unlist(*node);
        return std::nullopt;
    }
    node->info.birth = seen.birth;
    ++node->lookups;
    return id_of(shard, *node);
}

template <typename Keep>
fuse::NodeId NodeTable::add_node(const NodeInfo& info, Keep&& keep) {
    Shard& shard = shard_of(info.key);
    vhost_user::Fd cooled;
    const std::lock_guard lock(shard.mutex);
    Node* node = shard.find(info.key);
    if (node == nullptr || !keep.is_same(*node)) {
        if (node != nullptr) shard.unlist(*node);
        node = &shard.take_slot();
        node->info = info;
        keep.into(shard, *node);
        shard.list(*node);
        if (shard.hot.size() > budget_) {
            ++node->pins;
            cooled = shard.cool_one();
            --node->pins;
        }
    }
    ++node->lookups;
    return id_of(shard, *node);
}

fuse::NodeId NodeTable::add(const NodeInfo& info, vhost_user::Fd fd) {
    struct Keep {
        vhost_user::Fd& fd;
        bool has_handles;
        bool is_same(const Node& node) const {
            if (node.fd >= 0) return true;
            const auto handle = handle_of(fd.get(), "");
            return handle && node.handle == *handle;
        }
        void into(Shard& shard, Node& node) const {
            node.fd = fd.release();
            ++shard.descriptors;
            if (has_handles) shard.make_hot(node);
        }
    };
    return add_node(info, Keep{fd, mounts_.known(info.key.mount).has_value()});
}

fuse::NodeId NodeTable::add(const NodeInfo& info, const InodeHandle& handle) {
    struct Keep {
        const InodeHandle& handle;
        bool is_same(const Node& node) const { return node.fd >= 0 || node.handle == handle; }
        void into(Shard&, Node& node) const { node.handle = StoredHandle(handle); }
    };
    return add_node(info, Keep{handle});
}

bool NodeTable::forget(fuse::NodeId id, fuse::LookupCount count) {
    if (id == fuse::kRootNodeId) return false;
    const auto number = static_cast<std::uint64_t>(id);
    const auto place = static_cast<std::uint32_t>(number);
    Shard& shard = *shards_[place & (kShards - 1)];
    vhost_user::Fd closed;
    const std::lock_guard lock(shard.mutex);
    const std::uint32_t slot = place >> kShardBits;
    if (slot >= shard.chunks.size() * kSlotsInChunk) return false;
    Node& node = shard.at(slot);
    if (node.generation != number >> 32 || node.lookups == 0) return false;
    node.lookups -= std::min(node.lookups, count);
    if (node.lookups != 0) return false;
    closed = shard.drop_if_unused(node);
    return true;
}

void NodeTable::clear() {
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        for (std::uint32_t slot = 0; slot < shard->chunks.size() * kSlotsInChunk; ++slot) {
            Node& node = shard->at(slot);
            if (node.lookups == 0) continue;
            node.lookups = 0;
            shard->drop_if_unused(node).reset();
        }
    }
}

bool NodeTable::shrink() {
    bool any = false;
    for (const auto& shard : shards_) {
        std::vector<vhost_user::Fd> cooled;
        const std::lock_guard lock(shard->mutex);
        for (std::size_t left = shard->hot.size() / 2 + 1; left != 0; --left) {
            vhost_user::Fd fd = shard->cool_one();
            if (!fd) break;
            cooled.push_back(std::move(fd));
            any = true;
        }
    }
    return any;
}

std::size_t NodeTable::size() const {
    std::size_t sum = 0;
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        sum += shard->used;
    }
    return sum;
}

std::size_t NodeTable::descriptors() const {
    std::size_t sum = 0;
    for (const auto& shard : shards_) {
        const std::lock_guard lock(shard->mutex);
        sum += shard->descriptors;
    }
    return sum;
}

}  // namespace host
