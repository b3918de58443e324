// What the guest knows of the host's tree: nodes (attributes, the host's node id and how many references to
// it were received) and names (directory, name -> node), each for the lifetime the host granted. Nodes
// outlive the host's references: those are kept while a node is pinned, plus a capped number of idle ones,
// and are given back through ForgetSink, exactly as many as were received. Must never know: requests, paths,
// NT.
//
// Thread-safe; one mutex, never held over a call to the outside. A change made by this guest (NameChange,
// AttributeChange) is announced before its request is sent and ended after its reply: what other replies,
// asked for before the end, say of the same name or attributes is then not remembered. Replies are dated with
// stamp().
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fuse/protocol.h"
#include "guest/volume/file_time.h"
#include "guest/volume/host_ids.h"

namespace guest {

struct Node;
class NodeTable;

using TimePoint = std::chrono::steady_clock::time_point;

// Orders replies against changes: taken before a request is sent.
enum class Stamp : std::uint64_t {};

// When a request was sent, in both senses: host lifetimes count from there.
struct Asked {
    Stamp stamp{};
    TimePoint time{};
};

// Keeps a node, and its host reference if it has one, from being given up. Movable, may be empty.
class NodePin {
  public:
    NodePin() = default;
    NodePin(NodePin&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), node_(std::exchange(other.node_, nullptr)) {}
    NodePin& operator=(NodePin&& other) noexcept {
        std::swap(table_, other.table_);
        std::swap(node_, other.node_);
        return *this;
    }
    NodePin(const NodePin& other);
    NodePin& operator=(const NodePin& other) { return *this = NodePin(other); }
    ~NodePin();

    explicit operator bool() const { return node_ != nullptr; }
    friend bool operator==(const NodePin& a, const NodePin& b) { return a.node_ == b.node_; }

    // The host's id; none if no reference is held. Once there it stays while the pin lives.
    HostNodeId id() const;

  private:
    friend class NodeTable;
    friend class NameChange;
    friend class AttributeChange;
    NodePin(NodeTable* table, Node* node) : table_(table), node_(node) {}
    NodeTable* table_ = nullptr;
    Node* node_ = nullptr;
};

struct KnownAttributes {
    fuse::Attr attr;
    bool fresh = false;  // within the lifetime the host granted
    // The times come from this guest's clock, after it made or wrote the file: the host has slightly
    // different ones until it is told.
    bool mtime_is_ours = false;
    bool atime_is_ours = false;
};

// What is known of a name at this moment.
struct KnownName {
    enum class State { kUnknown, kMissing, kPresent };
    State state = State::kUnknown;
    NodePin node;  // kPresent only
    KnownAttributes attributes;
};

// A node that a reply brought, with the attributes it came with.
struct FoundNode {
    NodePin node;
    fuse::Attr attr;
};

// Where a node is to be found by LOOKUP.
struct NodeHome {
    NodePin directory;
    std::string name;
};

// Takes host references that are given up. Called with no lock held, on any thread; must not block or throw.
class ForgetSink {
  public:
    virtual void forget(std::vector<fuse::ForgetOne> nodes) noexcept = 0;

  protected:
    ~ForgetSink() = default;
};

class NodeTable {
  public:
    struct Limits {
        std::size_t max_idle_references = 4096;
        std::size_t max_names = 65536;
        std::size_t max_expired_names = 4096;  // kept all the same; they are quick to renew
    };

    NodeTable(Epoch epoch, Limits limits, ForgetSink& sink);
    ~NodeTable();  // every pin must be gone; gives no references back: the session is over
    NodeTable(const NodeTable&) = delete;
    NodeTable& operator=(const NodeTable&) = delete;

    NodePin root();
    Asked ask_now();  // call before sending a request whose reply is to be learned from

    KnownName find(const NodePin& directory, std::string_view name);
    KnownAttributes attributes(const NodePin& node);
    std::optional<NodeHome> home_of(const NodePin& node);

    // A reply that gave one reference to entry.node, which is not kNoNode. The name is remembered for its
    // lifetime.
    FoundNode adopt(const NodePin& directory, std::string_view name, const fuse::EntryOut& entry,
                    const Asked& asked);
    // The same for many names of a directory at once, without pinning them; references beyond the cap go back
    // at once.
    struct ListedEntry {
        std::string_view name;
        const fuse::EntryOut* entry;
    };
    void adopt_listed(const NodePin& directory, const std::vector<ListedEntry>& entries, const Asked& asked);
    // A reply that gave a reference to something that was made under a name whose NameChange is still open.
    FoundNode adopt_unnamed(const fuse::EntryOut& entry, const Asked& asked);
    // The name does not exist; remembered as long as `entry` (node kNoNode) grants, which may be not at all.
    void learn_missing(const NodePin& directory, std::string_view name, const fuse::EntryOut& entry,
                       const Asked& asked);
    void learn_attributes(const NodePin& node, const fuse::AttrOut& reply, const Asked& asked);
    // Forgets what is known of a name, or of a node's attributes; not the references.
    void distrust(const NodePin& directory, std::string_view name);
    void distrust_attributes(const NodePin& node);
    // This guest has just made the node: its times are now, to the tick of NT and not that of the host.
    fuse::Attr note_made(const NodePin& node);
    // Whether space was set aside for the file by this guest; asked for the last time, as it is to be given
    // up.
    bool take_set_aside(const NodePin& node);
    // A name in the directory was added or removed by this guest.
    void note_directory_changed(const NodePin& directory);

    // A symlink's target as the host has it, once it was learned; the target of a node never changes.
    std::optional<std::string> link_target(const NodePin& node);
    void learn_link_target(const NodePin& node, std::string target);

    // Which write bits READONLY took away, to be given back when it is cleared (0: unknown).
    std::uint32_t cleared_write_bits(const NodePin& node);
    void set_cleared_write_bits(const NodePin& node, std::uint32_t bits);

    // Room for a reply that may bring `entries` references. Gives up idle ones for it; those must have been
    // forgotten by the host before the request is sent. With much room reserved elsewhere fewer entries are
    // granted.
    class Reservation {
      public:
        Reservation(NodeTable& table, std::size_t entries) : table_(&table), entries_(entries) {}
        Reservation(Reservation&& other) noexcept
            : table_(std::exchange(other.table_, nullptr)), entries_(other.entries_) {}
        Reservation& operator=(Reservation&&) = delete;
        ~Reservation();
        std::size_t entries() const { return entries_; }

      private:
        NodeTable* table_;
        std::size_t entries_;
    };
    struct Reserved {
        Reservation reservation;
        std::vector<fuse::ForgetOne> to_forget;
    };
    Reserved reserve(std::size_t entries);

    // Gives up every idle reference; the caller forgets them.
    std::vector<fuse::ForgetOne> take_idle();

    struct Counts {
        std::size_t nodes = 0;
        std::size_t names = 0;
        std::size_t referenced = 0;  // the root not counted
        std::size_t idle = 0;
    };
    Counts counts();

  private:
    friend struct Node;
    friend class NodePin;
    friend class NameChange;
    friend class AttributeChange;
    struct Name;
    class Lock;

    Stamp next_stamp() { return Stamp{++clock_}; }
    Node* bind(const fuse::EntryOut& entry, Node* former);
    void accept_attributes(Node& node, const fuse::Attr& attr, TimePoint expires, Stamp asked);
    Node* adopt_named(Lock& lock, Node& directory, std::string_view name, const fuse::EntryOut& entry,
                      const Asked& asked);
    Name& name_at(Node& directory, std::string_view name);
    Name* find_name(Node& directory, std::string_view name);
    void set_child(Lock& lock, Name& name, Node* child);
    void erase_name(Lock& lock, Name& name);
    void touch(Name& name);
    void pin(Node& node);
    void unpin(Lock& lock, Node& node);
    void settle(Lock& lock, Node& node);  // after the last pin or name of a node went
    void drop_reference(Node& node, std::vector<fuse::ForgetOne>& forgets);
    void evict_idle(std::size_t keep, std::vector<fuse::ForgetOne>& forgets);
    void evict_names(Lock& lock);

    const Epoch epoch_;
    const Limits limits_;
    ForgetSink& sink_;
    std::mutex mutex_;
    std::uint64_t clock_ = 0;
    std::size_t nodes_ = 0;
    std::size_t reserved_ = 0;
    std::unordered_map<std::uint64_t, Node*> by_id_;
    std::list<Node*> idle_;   // longest idle first
    std::list<Name*> names_;  // longest unused first
    Node* root_ = nullptr;
};

// A change of one name by this guest: from before the request is sent until its reply was understood. Ended
// without a verdict the name is unknown.
class NameChange {
  public:
    NameChange(NodeTable& table, const NodePin& directory, std::string_view name);
    NameChange(const NameChange&) = delete;
    NameChange& operator=(const NameChange&) = delete;
    ~NameChange();

    // What the name is now. Remembered unless another change of the same name overlapped.
    void is_now(const NodePin& node, TimePoint expires);
    void is_gone();

    // The lifetime that was left to what the name was before, if it was known; for a rename to carry along.
    TimePoint former_expiry() const { return former_expiry_; }

  private:
    void end(const NodePin* node, TimePoint expires);

    NodeTable& table_;
    NodePin directory_;
    NodeTable::Name* name_ = nullptr;
    Stamp began_{};
    bool overlapped_ = false;
    bool ended_ = false;
    TimePoint former_expiry_{};
};

// A change of a node's attributes by this guest, likewise. Ended without a verdict the attributes must be
// asked for.
class AttributeChange {
  public:
    enum class Kind { kWrite, kSet };  // writes commute with each other

    AttributeChange(NodeTable& table, const NodePin& node, Kind kind);
    AttributeChange(const AttributeChange&) = delete;
    AttributeChange& operator=(const AttributeChange&) = delete;
    ~AttributeChange();

    // Each answers with the attributes as they are now, computed, never asked for.
    fuse::Attr written(std::uint64_t offset, std::uint64_t bytes);
    // The host added them at the end, wherever that was; how far the file reaches now is a guess until it is
    // asked.
    fuse::Attr appended(std::uint64_t bytes);
    void allocated(std::uint64_t bytes);  // space was set aside up to there
    void nothing();                       // the host left everything as it was
    fuse::Attr set(const fuse::AttrOut& reply, const Asked& asked);

  private:
    bool end();  // whether nothing overlapped that does not commute

    NodeTable& table_;
    NodePin node_;
    Kind kind_;
    Stamp began_{};
    bool overlapped_ = false;
    bool ended_ = false;
};

}  // namespace guest
