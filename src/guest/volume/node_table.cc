#include "guest/volume/node_table.h"

#include <algorithm>
#include <atomic>

#include "guest/volume/attributes.h"

namespace guest {
namespace {

struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

// Links are never changed, only replaced.
bool is_same_link(const fuse::Attr& a, const fuse::Attr& b) {
    return a.ino == b.ino && a.size == b.size && a.mtime == b.mtime && a.mtimensec == b.mtimensec;
}

}  // namespace

struct NodeTable::Name {
    Node* directory = nullptr;
    const std::string* text = nullptr;  // the key in the directory's map
    Node* child = nullptr;              // nullptr: no such name
    TimePoint expires{};                // of `child`, also of there being none
    Stamp changed{};
    unsigned changes = 0;  // NameChanges under way
    std::list<Name*>::iterator place;
};

// Everything but `id` is guarded by the table's mutex.
struct Node {
    std::atomic<fuse::NodeId> id{fuse::kNoNode};
    fuse::LookupCount references = 0;
    unsigned pins = 0;
    unsigned names = 0;               // that lead here
    NodeTable::Name* home = nullptr;  // one of them
    bool is_idle = false;
    std::list<Node*>::iterator idle_place;
    std::unordered_map<std::string, NodeTable::Name, StringHash, std::equal_to<>> children;
    Stamp erased{};  // the latest change of a name that is no longer in `children`

    fuse::Attr attr;
    TimePoint attr_expires{};
    Stamp changed{};      // latest AttributeChange of either kind
    Stamp set_changed{};  // latest of kind kSet
    unsigned changes = 0;
    unsigned set_changes = 0;
    std::uint32_t cleared_write_bits = 0;
    std::optional<std::string> link_target;
    bool mtime_is_ours = false;  // KnownAttributes says what that means
    bool atime_is_ours = false;
    bool set_aside = false;

    KnownAttributes known(TimePoint now) const {
        return {.attr = attr,
                .fresh = attr_expires > now,
                .mtime_is_ours = mtime_is_ours,
                .atime_is_ours = atime_is_ours};
    }
};

// The table's mutex together with what is to be forgotten once it is free again.
class NodeTable::Lock {
  public:
    explicit Lock(NodeTable& table) : table_(table), lock_(table.mutex_) {}
    ~Lock() {
        lock_.unlock();
        if (!forgets.empty()) table_.sink_.forget(std::move(forgets));
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    std::vector<fuse::ForgetOne> forgets;

  private:
    NodeTable& table_;
    std::unique_lock<std::mutex> lock_;
};

// Pins

NodePin::NodePin(const NodePin& other) : table_(other.table_), node_(other.node_) {
    if (node_ == nullptr) return;
    const std::lock_guard lock(table_->mutex_);
    table_->pin(*node_);
}

NodePin::~NodePin() {
    if (node_ == nullptr) return;
    NodeTable::Lock lock(*table_);
    table_->unpin(lock, *node_);
}

HostNodeId NodePin::id() const {
    return {.epoch = table_->epoch_, .id = node_->id.load(std::memory_order_acquire)};
}

void NodeTable::pin(Node& node) {
    if (node.pins++ == 0 && node.is_idle) {
        idle_.erase(node.idle_place);
        node.is_idle = false;
    }
}

void NodeTable::unpin(Lock& lock, Node& node) {
    if (--node.pins == 0) settle(lock, node);
}

// The table

NodeTable::NodeTable(Epoch epoch, Limits limits, ForgetSink& sink)
    : epoch_(epoch), limits_(limits), sink_(sink) {
    root_ = new Node;
    root_->id = fuse::kRootNodeId;
    root_->pins = 1;
    root_->attr.mode = fuse::mode::kDirectory;
    nodes_ = 1;
}

NodeTable::~NodeTable() {
    Lock lock(*this);
    while (!names_.empty())
        erase_name(lock, *names_.front());
    unpin(lock, *root_);
    lock.forgets.clear();
}

NodePin NodeTable::root() {
    const std::lock_guard lock(mutex_);
    pin(*root_);
    return {this, root_};
}

Asked NodeTable::ask_now() {
    const std::lock_guard lock(mutex_);
    return {.stamp = Stamp{clock_}, .time = std::chrono::steady_clock::now()};
}

KnownName NodeTable::find(const NodePin& directory, std::string_view name) {
    const TimePoint now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    Name* known = find_name(*directory.node_, name);
    if (known == nullptr || known->changes > 0 || known->expires <= now) return {};
    touch(*known);
    if (known->child == nullptr) return {.state = KnownName::State::kMissing, .node = {}, .attributes = {}};
    pin(*known->child);
    return {.state = KnownName::State::kPresent,
            .node = NodePin(this, known->child),
            .attributes = known->child->known(now)};
}

KnownAttributes NodeTable::attributes(const NodePin& node) {
    const TimePoint now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    return node.node_->known(now);
}

std::optional<NodeHome> NodeTable::home_of(const NodePin& node) {
    const std::lock_guard lock(mutex_);
    const Name* home = node.node_->home;
    if (home == nullptr) return std::nullopt;
    pin(*home->directory);
    return NodeHome{.directory = NodePin(this, home->directory), .name = *home->text};
}

// Learning from replies

Node* NodeTable::bind(const fuse::EntryOut& entry, Node* former) {
    if (entry.node == fuse::kRootNodeId) return root_;
    const auto [place, is_new] = by_id_.try_emplace(static_cast<std::uint64_t>(entry.node), nullptr);
    if (!is_new) {
        ++place->second->references;
        return place->second;
    }
    // A node that lives on without reference becomes the host's again if it is recognisably the same file.
    constexpr std::uint32_t kType = fuse::mode::kTypeMask;
    const bool same = former != nullptr && former->id.load(std::memory_order_relaxed) == fuse::kNoNode &&
                      former->attr.ino == entry.attr.ino &&
                      (former->attr.mode & kType) == (entry.attr.mode & kType);
    Node* node = same ? former : new Node;
    if (!same) {
        ++nodes_;
        node->attr = entry.attr;
    }
    node->id.store(entry.node, std::memory_order_release);
    node->references = 1;
    place->second = node;
    return node;
}

void NodeTable::accept_attributes(Node& node, const fuse::Attr& attr, TimePoint expires, Stamp asked) {
    // Without a reference the host may have given the number to another link.
    if (node.link_target && !is_same_link(node.attr, attr)) node.link_target.reset();
    if (node.changes > 0 || node.changed > asked) return;
    node.attr = attr;
    node.attr_expires = expires;
    node.mtime_is_ours = node.atime_is_ours = false;
}

Node* NodeTable::adopt_named(Lock& lock, Node& directory, std::string_view text, const fuse::EntryOut& entry,
                             const Asked& asked) {
    Name* name = find_name(directory, text);
    Node* node = bind(entry, name != nullptr ? name->child : nullptr);
    accept_attributes(*node, entry.attr, lifetime_end(asked.time, entry.attr_valid, entry.attr_valid_nsec),
                      asked.stamp);
    const bool overtaken =
        name != nullptr ? name->changes > 0 || name->changed > asked.stamp : directory.erased > asked.stamp;
    if (!overtaken && node != root_) {
        pin(*node);  // set_child may settle what was there before, which may be its only way to be kept
        if (name == nullptr) name = &name_at(directory, text);
        set_child(lock, *name, node);
        name->expires = lifetime_end(asked.time, entry.entry_valid, entry.entry_valid_nsec);
        touch(*name);
    } else {
        pin(*node);
    }
    return node;
}

FoundNode NodeTable::adopt(const NodePin& directory, std::string_view name, const fuse::EntryOut& entry,
                           const Asked& asked) {
    Lock lock(*this);
    Node* node = adopt_named(lock, *directory.node_, name, entry, asked);
    evict_names(lock);
    return {.node = NodePin(this, node), .attr = entry.attr};
}

void NodeTable::adopt_listed(const NodePin& directory, const std::vector<ListedEntry>& entries,
                             const Asked& asked) {
    Lock lock(*this);
    for (const ListedEntry& listed : entries) {
        unpin(lock, *adopt_named(lock, *directory.node_, listed.name, *listed.entry, asked));
    }
    evict_names(lock);
}

FoundNode NodeTable::adopt_unnamed(const fuse::EntryOut& entry, const Asked& asked) {
    const std::lock_guard lock(mutex_);
    Node* node = bind(entry, nullptr);
    accept_attributes(*node, entry.attr, lifetime_end(asked.time, entry.attr_valid, entry.attr_valid_nsec),
                      asked.stamp);
    pin(*node);
    return {.node = NodePin(this, node), .attr = entry.attr};
}

void NodeTable::learn_missing(const NodePin& directory, std::string_view text, const fuse::EntryOut& entry,
                              const Asked& asked) {
    Lock lock(*this);
    Node& parent = *directory.node_;
    Name* name = find_name(parent, text);
    const bool overtaken =
        name != nullptr ? name->changes > 0 || name->changed > asked.stamp : parent.erased > asked.stamp;
    if (overtaken) return;
    const TimePoint expires = lifetime_end(asked.time, entry.entry_valid, entry.entry_valid_nsec);
    if (expires <= std::chrono::steady_clock::now()) {
        if (name != nullptr) erase_name(lock, *name);
        return;
    }
    if (name == nullptr) name = &name_at(parent, text);
    set_child(lock, *name, nullptr);
    name->expires = expires;
    touch(*name);
    evict_names(lock);
}

void NodeTable::learn_attributes(const NodePin& node, const fuse::AttrOut& reply, const Asked& asked) {
    const std::lock_guard lock(mutex_);
    accept_attributes(*node.node_, reply.attr,
                      lifetime_end(asked.time, reply.attr_valid, reply.attr_valid_nsec), asked.stamp);
}

void NodeTable::distrust(const NodePin& directory, std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (Name* name = find_name(*directory.node_, text)) name->expires = {};
}

void NodeTable::distrust_attributes(const NodePin& node) {
    const std::lock_guard lock(mutex_);
    node.node_->attr_expires = {};
}

fuse::Attr NodeTable::note_made(const NodePin& pin_of_node) {
    const HostTime now = host_time_now();
    const std::lock_guard lock(mutex_);
    Node& node = *pin_of_node.node_;
    node.attr.atime = node.attr.mtime = node.attr.ctime = now.seconds;
    node.attr.atimensec = node.attr.mtimensec = node.attr.ctimensec = now.nanoseconds;
    node.mtime_is_ours = node.atime_is_ours = true;
    return node.attr;
}

bool NodeTable::take_set_aside(const NodePin& node) {
    const std::lock_guard lock(mutex_);
    return std::exchange(node.node_->set_aside, false);
}

void NodeTable::note_directory_changed(const NodePin& directory) {
    const HostTime now = host_time_now();
    const std::lock_guard lock(mutex_);
    Node& node = *directory.node_;
    node.attr.mtime = node.attr.ctime = now.seconds;
    node.attr.mtimensec = node.attr.ctimensec = now.nanoseconds;
    node.changed = next_stamp();
}

std::optional<std::string> NodeTable::link_target(const NodePin& node) {
    const std::lock_guard lock(mutex_);
    return node.node_->link_target;
}

void NodeTable::learn_link_target(const NodePin& node, std::string target) {
    const std::lock_guard lock(mutex_);
    node.node_->link_target = std::move(target);
}

std::uint32_t NodeTable::cleared_write_bits(const NodePin& node) {
    const std::lock_guard lock(mutex_);
    return node.node_->cleared_write_bits;
}

void NodeTable::set_cleared_write_bits(const NodePin& node, std::uint32_t bits) {
    const std::lock_guard lock(mutex_);
    node.node_->cleared_write_bits = bits;
}

// Names

NodeTable::Name* NodeTable::find_name(Node& directory, std::string_view text) {
    const auto found = directory.children.find(text);
    return found == directory.children.end() ? nullptr : &found->second;
}

NodeTable::Name& NodeTable::name_at(Node& directory, std::string_view text) {
    if (Name* known = find_name(directory, text)) return *known;
    const auto place = directory.children.try_emplace(std::string(text)).first;
    Name& name = place->second;
    name.directory = &directory;
    name.text = &place->first;
    name.place = names_.insert(names_.end(), &name);
    return name;
}

void NodeTable::set_child(Lock& lock, Name& name, Node* child) {
    Node* former = name.child;
    if (former == child) return;
    name.child = child;
    if (child != nullptr) {
        ++child->names;
        child->home = &name;
    }
    if (former != nullptr) {
        --former->names;
        if (former->home == &name) former->home = nullptr;
        if (former->pins == 0) settle(lock, *former);
    }
}

void NodeTable::erase_name(Lock& lock, Name& name) {
    Node& directory = *name.directory;
    pin(directory);  // a hostile host can make a directory its own descendant
    directory.erased = std::max(directory.erased, name.changed);
    set_child(lock, name, nullptr);
    names_.erase(name.place);
    directory.children.erase(directory.children.find(*name.text));
    unpin(lock, directory);
}

void NodeTable::touch(Name& name) {
    names_.splice(names_.end(), names_, name.place);
}

void NodeTable::evict_names(Lock& lock) {
    // Many that are past their lifetime and lead to nothing of the host's go; beyond the limit any that can.
    // A name whose node is in use or has names below it is passed over, so a tree is given up from its
    // leaves.
    if (names_.size() <= limits_.max_expired_names) return;
    const TimePoint now = std::chrono::steady_clock::now();
    for (int attempts = 256; names_.size() > limits_.max_expired_names && attempts > 0; --attempts) {
        Name& name = *names_.front();
        const Node* child = name.child;
        const bool too_many = names_.size() > limits_.max_names;
        if (name.expires > now && !too_many) return;
        const bool in_use =
            name.changes > 0 || (child != nullptr && (child->pins > 0 || !child->children.empty()));
        if (in_use || (child != nullptr && child->references > 0 && !too_many)) {
            touch(name);
        } else {
            erase_name(lock, name);
        }
    }
}

// References

void NodeTable::settle(Lock& lock, Node& start) {
    std::vector<Node*> unsettled{&start};
    while (!unsettled.empty()) {
        Node& node = *unsettled.back();
        unsettled.pop_back();
        if (node.pins > 0) continue;
        if (node.names > 0) {
            if (node.references > 0 && !node.is_idle) {
                node.idle_place = idle_.insert(idle_.end(), &node);
                node.is_idle = true;
                // Some slack, so that forgets travel in batches.
                if (idle_.size() > limits_.max_idle_references) {
                    const std::size_t slack = std::min<std::size_t>(limits_.max_idle_references / 16, 250);
                    evict_idle(limits_.max_idle_references - slack, lock.forgets);
                }
            }
            continue;
        }
        // Nothing leads here any more: neither does anything below.
        for (auto& [text, name] : node.children) {
            names_.erase(name.place);
            if (Node* child = name.child) {
                --child->names;
                if (child->home == &name) child->home = nullptr;
                if (child->names == 0) unsettled.push_back(child);
            }
        }
        drop_reference(node, lock.forgets);
        --nodes_;
        delete &node;
    }
}

void NodeTable::drop_reference(Node& node, std::vector<fuse::ForgetOne>& forgets) {
    if (node.is_idle) {
        idle_.erase(node.idle_place);
        node.is_idle = false;
    }
    if (node.references == 0) return;
    const fuse::NodeId id = node.id.exchange(fuse::kNoNode, std::memory_order_acq_rel);
    by_id_.erase(static_cast<std::uint64_t>(id));
    forgets.push_back({.node = id, .nlookup = std::exchange(node.references, 0)});
}

void NodeTable::evict_idle(std::size_t keep, std::vector<fuse::ForgetOne>& forgets) {
    while (idle_.size() > keep)
        drop_reference(*idle_.front(), forgets);
}

NodeTable::Reserved NodeTable::reserve(std::size_t entries) {
    constexpr std::size_t kLeast = 64;
    const std::lock_guard lock(mutex_);
    const std::size_t room =
        limits_.max_idle_references > reserved_ ? limits_.max_idle_references - reserved_ : 0;
    const std::size_t granted = std::min(entries, std::max(room, kLeast));
    reserved_ += granted;
    std::vector<fuse::ForgetOne> forgets;
    evict_idle(limits_.max_idle_references > reserved_ ? limits_.max_idle_references - reserved_ : 0,
               forgets);
    return {.reservation = Reservation(*this, granted), .to_forget = std::move(forgets)};
}

NodeTable::Reservation::~Reservation() {
    if (table_ == nullptr) return;
    const std::lock_guard lock(table_->mutex_);
    table_->reserved_ -= entries_;
}

std::vector<fuse::ForgetOne> NodeTable::take_idle() {
    const std::lock_guard lock(mutex_);
    std::vector<fuse::ForgetOne> forgets;
    evict_idle(0, forgets);
    return forgets;
}

NodeTable::Counts NodeTable::counts() {
    const std::lock_guard lock(mutex_);
    return {.nodes = nodes_, .names = names_.size(), .referenced = by_id_.size(), .idle = idle_.size()};
}

// Changes by this guest

NameChange::NameChange(NodeTable& table, const NodePin& directory, std::string_view name)
    : table_(table), directory_(directory) {
    const std::lock_guard lock(table.mutex_);
    name_ = &table.name_at(*directory_.node_, name);
    overlapped_ = name_->changes++ > 0;
    former_expiry_ = overlapped_ ? TimePoint{} : name_->expires;
    began_ = name_->changed = table.next_stamp();
}

NameChange::~NameChange() {
    if (!ended_) end(nullptr, TimePoint::min());
}

void NameChange::is_now(const NodePin& node, TimePoint expires) {
    end(&node, expires);
}

void NameChange::is_gone() {
    end(nullptr, TimePoint{});
}

void NameChange::end(const NodePin* node, TimePoint expires) {
    NodeTable::Lock lock(table_);
    ended_ = true;
    const bool known = expires != TimePoint::min() && !overlapped_ && name_->changed == began_;
    --name_->changes;
    name_->changed = table_.next_stamp();
    name_->expires = {};
    if (known && node != nullptr) {
        table_.set_child(lock, *name_, node->node_);
        name_->expires = expires;
        table_.touch(*name_);
    } else if (name_->changes == 0 && (known || name_->child == nullptr)) {
        table_.erase_name(lock, *name_);
    }
    table_.evict_names(lock);
}

AttributeChange::AttributeChange(NodeTable& table, const NodePin& node, Kind kind)
    : table_(table), node_(node), kind_(kind) {
    const std::lock_guard lock(table.mutex_);
    Node& changed = *node_.node_;
    overlapped_ = kind == Kind::kSet ? changed.changes > 0 : changed.set_changes > 0;
    ++changed.changes;
    began_ = changed.changed = table.next_stamp();
    if (kind == Kind::kSet) {
        ++changed.set_changes;
        changed.set_changed = began_;
    }
}

AttributeChange::~AttributeChange() {
    if (ended_) return;
    const std::lock_guard lock(table_.mutex_);
    end();
    node_.node_->attr_expires = {};
}

bool AttributeChange::end() {
    Node& node = *node_.node_;
    ended_ = true;
    const bool alone =
        !overlapped_ && (kind_ == Kind::kSet ? node.changed == began_ : node.set_changed < began_);
    --node.changes;
    node.changed = table_.next_stamp();
    if (kind_ == Kind::kSet) {
        --node.set_changes;
        node.set_changed = node.changed;
    }
    return alone;
}

fuse::Attr AttributeChange::written(std::uint64_t offset, std::uint64_t bytes) {
    const HostTime now = host_time_now();
    const std::lock_guard lock(table_.mutex_);
    Node& node = *node_.node_;
    if (!end()) node.attr_expires = {};
    note_written(node.attr, offset, bytes, now);
    node.mtime_is_ours = true;
    return node.attr;
}

fuse::Attr AttributeChange::appended(std::uint64_t bytes) {
    const HostTime now = host_time_now();
    const std::lock_guard lock(table_.mutex_);
    Node& node = *node_.node_;
    if (!end()) node.attr_expires = {};
    note_written(node.attr, node.attr.size, bytes, now);
    node.mtime_is_ours = true;
    return node.attr;
}

void AttributeChange::allocated(std::uint64_t bytes) {
    const std::lock_guard lock(table_.mutex_);
    Node& node = *node_.node_;
    if (!end()) node.attr_expires = {};
    node.attr.blocks = std::max(node.attr.blocks, bytes / 512 + (bytes % 512 != 0));
    node.set_aside = true;
}

void AttributeChange::nothing() {
    const std::lock_guard lock(table_.mutex_);
    if (!end()) node_.node_->attr_expires = {};
}

fuse::Attr AttributeChange::set(const fuse::AttrOut& reply, const Asked& asked) {
    const std::lock_guard lock(table_.mutex_);
    Node& node = *node_.node_;
    node.attr_expires =
        end() ? lifetime_end(asked.time, reply.attr_valid, reply.attr_valid_nsec) : TimePoint{};
    const fuse::Attr before = node.attr;
    node.attr = reply.attr;
    node.mtime_is_ours = node.atime_is_ours = false;
    keep_change_time(node.attr, before);
    return node.attr;
}

}  // namespace guest
