// WinFsp's FileNode, one per open name, and the volume's table of them: sharing, delete-pending, names and
// renames. Every decision that must be atomic over several handles is made here, under the table's own lock;
// nothing here calls the file system. Must never know: callbacks, buffers, access checks. Rules:
// winfsp-contract 1, 4.4, 5 and 10.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "lab/fsd/file_object.h"
#include "lab/fsd/share_access.h"

namespace lab::fsd {

// All members belong to the table that the node is of; is_directory never changes.
struct FileNode {
    explicit FileNode(bool directory) : is_directory(directory) {}

    const bool is_directory;
    std::u16string path;
    Context first_context = 0;  // volumes with a context per name: the one all handles use
    ShareAccess share;
    std::uint32_t handle_count = 0;  // opens without cleanup
    std::uint32_t open_count = 0;    // opens without close
    bool delete_pending = false;
    bool posix_deleted = false;
    bool truncate_on_close = false;
    nt::FileInfo info;               // as last reported
    std::uint64_t info_changes = 0;  // how often it was
    std::chrono::steady_clock::time_point info_expires;
};

struct NodeSnapshot {
    std::u16string path;
    bool delete_pending = false;
};

// What a cleanup has to do; decided once, by begin_cleanup.
struct CleanupPlan {
    bool wanted = false;  // the file system is to be told
    CleanupFlags flags;
    std::u16string path;
};

class NodeTable {
  public:
    explicit NodeTable(const VolumeParams& params);

    // The file system opened `path` for `object`: joins the object to the name's node, or makes one.
    // `extra_access` is checked against the other handles' sharing as if it were granted. kDeletePending,
    // kSharingViolation.
    nt::Result<void> admit(FileObject& object, std::u16string_view path, const Opened& opened,
                           std::uint32_t extra_access);
    // Takes back an admit whose create failed later; no cleanup will come.
    void withdraw(FileObject& object);

    CleanupPlan begin_cleanup(FileObject& object);
    void finish_cleanup(const FileObject& object, const CleanupPlan& plan);
    void close(FileObject& object);

    NodeSnapshot snapshot(const FileNode& node) const;
    // kFileDeleted for one deleted with POSIX semantics: it has no name any more.
    nt::Result<void> set_delete_pending(FileNode& node, bool pending);
    bool is_posix_deleted(const FileNode& node) const;

    // The last known information if it has not expired.
    std::optional<nt::FileInfo> cached_info(const FileNode& node) const;
    std::uint64_t info_changes(const FileNode& node) const;
    // `changes_seen`: from before the file system was asked; newer information is not overwritten.
    void store_info(FileNode& node, const nt::FileInfo& info, std::optional<std::uint64_t> changes_seen = {});
    void set_truncate_on_close(FileNode& node);
    // The next query asks the file system.
    void forget_info(FileNode& node);

    struct RenamePlan {
        std::u16string from;
        std::u16string to;
        bool posix = false;
    };
    // May the node take that name, as far as handles are concerned? kAccessDenied, kSharingViolation.
    nt::Result<void> check_rename(const FileNode& node, const RenamePlan& plan) const;
    // Gives it to the node and all nodes below; a node in the way is evicted.
    void rename(const RenamePlan& plan);

    // Same name by the volume's case rule.
    bool same_name(std::u16string_view a, std::u16string_view b) const;

  private:
    using Nodes = std::map<std::u16string, std::shared_ptr<FileNode>, std::less<>>;

    std::u16string key_of(std::u16string_view path) const;
    void erase(const FileNode& node);
    void store_locked(FileNode& node, const nt::FileInfo& info);
    nt::Result<void> check_handles(const FileNode& node, bool posix) const;
    std::pair<Nodes::const_iterator, Nodes::const_iterator> below(const std::u16string& key) const;

    const bool case_sensitive_;
    const bool context_is_per_open_;
    const bool post_cleanup_when_modified_only_;
    const std::uint32_t info_timeout_ms_;
    mutable std::mutex mutex_;
    Nodes nodes_;
};

}  // namespace lab::fsd
