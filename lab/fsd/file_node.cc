#include "lab/fsd/file_node.h"

#include <limits>
#include <utility>
#include <vector>

#include "lab/fsd/upcase.h"

namespace lab::fsd {

NodeTable::NodeTable(const VolumeParams& params)
    : case_sensitive_(params.case_sensitive_search),
      context_is_per_open_(params.context_is_per_open),
      post_cleanup_when_modified_only_(params.post_cleanup_when_modified_only),
      info_timeout_ms_(params.file_info_timeout) {}

std::u16string NodeTable::key_of(std::u16string_view path) const {
    return case_sensitive_ ? std::u16string(path) : upcase(path);
}

bool NodeTable::same_name(std::u16string_view a, std::u16string_view b) const {
    return case_sensitive_ ? a == b : equal_ignoring_case(a, b);
}

nt::Result<void> NodeTable::admit(FileObject& object, std::u16string_view path, const Opened& opened,
                                  std::uint32_t extra_access) {
    const std::scoped_lock lock(mutex_);
    std::shared_ptr<FileNode>& slot = nodes_[key_of(path)];
    const bool is_new = slot == nullptr;
    if (is_new) {
        slot = std::make_shared<FileNode>((opened.info.attributes & nt::file_attribute::kDirectory) != 0);
        slot->path = path;
        slot->first_context = opened.context;
        store_locked(*slot, opened.info);
    } else {
        if (slot->delete_pending) return nt::fail(nt::Status::kDeletePending);
        if (!slot->share.allows(object.granted_access | extra_access, object.share_access)) {
            return nt::fail(nt::Status::kSharingViolation);
        }
    }
    slot->share.add(object.granted_access, object.share_access);
    ++slot->handle_count;
    ++slot->open_count;
    object.context = context_is_per_open_ ? opened.context : slot->first_context;
    object.node = slot;
    return {};
}

void NodeTable::withdraw(FileObject& object) {
    const std::scoped_lock lock(mutex_);
    FileNode& node = *object.node;
    node.share.remove(object.granted_access, object.share_access);
    --node.handle_count;
    if (--node.open_count == 0) erase(node);
}

CleanupPlan NodeTable::begin_cleanup(FileObject& object) {
    const std::scoped_lock lock(mutex_);
    FileNode& node = *object.node;
    node.share.remove(object.granted_access, object.share_access);
    const bool last = --node.handle_count == 0;
    if (object.delete_on_close) node.delete_pending = true;

    CleanupPlan plan;
    CleanupFlags& flags = plan.flags;
    if (node.delete_pending && !node.posix_deleted) {
        const bool posix = object.posix_delete.load();
        flags.remove = last || posix;
        // With other handles left the name goes now and the file lives on without it.
        if (posix) node.posix_deleted = true;
    }
    const std::uint32_t history = object.history.load();
    const bool modified = (history & did::kModify) != 0;
    flags.set_allocation_size = last && node.truncate_on_close && !node.delete_pending;
    flags.set_archive_bit = modified && (history & did::kSetAttributes) == 0;
    flags.set_last_access_time = (history & did::kSetLastAccess) == 0;
    flags.set_last_write_time = modified && (history & did::kSetLastWrite) == 0;
    flags.set_change_time =
        (history & (did::kModify | did::kSetMetadata)) != 0 && (history & did::kSetChangeTime) == 0;
    if (last) node.truncate_on_close = false;
    plan.wanted = !post_cleanup_when_modified_only_ || flags.remove || flags.set_allocation_size ||
                  flags.set_archive_bit || flags.set_last_write_time || flags.set_change_time;
    plan.path = node.path;
    return plan;
}

void NodeTable::finish_cleanup(const FileObject& object, const CleanupPlan& plan) {
    const std::scoped_lock lock(mutex_);
    FileNode& node = *object.node;
    // Whatever of the file the cleanup changed, the next query is to see.
    node.info_expires = {};
    if (plan.flags.remove) erase(node);
}

void NodeTable::close(FileObject& object) {
    const std::scoped_lock lock(mutex_);
    if (--object.node->open_count == 0) erase(*object.node);
}

void NodeTable::erase(const FileNode& node) {
    const auto found = nodes_.find(key_of(node.path));
    if (found != nodes_.end() && found->second.get() == &node) nodes_.erase(found);
}

NodeSnapshot NodeTable::snapshot(const FileNode& node) const {
    const std::scoped_lock lock(mutex_);
    return {.path = node.path, .delete_pending = node.delete_pending};
}

nt::Result<void> NodeTable::set_delete_pending(FileNode& node, bool pending) {
    const std::scoped_lock lock(mutex_);
    if (node.posix_deleted) return nt::fail(nt::Status::kFileDeleted);
    node.delete_pending = pending;
    return {};
}

bool NodeTable::is_posix_deleted(const FileNode& node) const {
    const std::scoped_lock lock(mutex_);
    return node.posix_deleted;
}

std::optional<nt::FileInfo> NodeTable::cached_info(const FileNode& node) const {
    const std::scoped_lock lock(mutex_);
    if (std::chrono::steady_clock::now() >= node.info_expires) return std::nullopt;
    return node.info;
}

std::uint64_t NodeTable::info_changes(const FileNode& node) const {
    const std::scoped_lock lock(mutex_);
    return node.info_changes;
}

void NodeTable::store_info(FileNode& node, const nt::FileInfo& info,
                           std::optional<std::uint64_t> changes_seen) {
    const std::scoped_lock lock(mutex_);
    if (changes_seen) {
        if (node.info_changes != *changes_seen) return;
    } else if (info.file_size != node.info.file_size || info.allocation_size != node.info.allocation_size) {
        node.truncate_on_close = true;
    }
    store_locked(node, info);
}

void NodeTable::store_locked(FileNode& node, const nt::FileInfo& info) {
    using std::chrono::steady_clock;
    node.info = info;
    ++node.info_changes;
    if (info_timeout_ms_ == std::numeric_limits<std::uint32_t>::max()) {
        node.info_expires = steady_clock::time_point::max();
    } else if (info_timeout_ms_ != 0) {
        node.info_expires = steady_clock::now() + std::chrono::milliseconds(info_timeout_ms_);
    }
}

void NodeTable::set_truncate_on_close(FileNode& node) {
    const std::scoped_lock lock(mutex_);
    node.truncate_on_close = true;
}

void NodeTable::forget_info(FileNode& node) {
    const std::scoped_lock lock(mutex_);
    node.info_expires = {};
    ++node.info_changes;
}

std::pair<NodeTable::Nodes::const_iterator, NodeTable::Nodes::const_iterator> NodeTable::below(
    const std::u16string& key) const {
    // '\' + 1 is ']': every name below the directory sorts between the two.
    return {nodes_.lower_bound(key + u'\\'), nodes_.lower_bound(key + u']')};
}

nt::Result<void> NodeTable::check_handles(const FileNode& node, bool posix) const {
    if (node.handle_count == 0) return {};
    if (!posix) return nt::fail(nt::Status::kAccessDenied);
    if (!node.share.all_share_delete()) return nt::fail(nt::Status::kSharingViolation);
    return {};
}

nt::Result<void> NodeTable::check_rename(const FileNode& node, const RenamePlan& plan) const {
    const std::scoped_lock lock(mutex_);
    if (node.is_directory || node.handle_count > 1) {
        const auto [first, last] = below(key_of(plan.from));
        for (auto child = first; child != last; ++child) {
            if (const auto free = check_handles(*child->second, plan.posix); !free) return free;
        }
    }
    if (same_name(plan.from, plan.to)) return {};
    const std::u16string key = key_of(plan.to);
    if (const auto there = nodes_.find(key); there != nodes_.end() && there->second.get() != &node) {
        if (const auto free = check_handles(*there->second, plan.posix); !free) return free;
    }
    const auto [first, last] = below(key);
    if (first != last) return nt::fail(nt::Status::kAccessDenied);
    return {};
}

void NodeTable::rename(const RenamePlan& plan) {
    const std::scoped_lock lock(mutex_);
    const std::u16string key = key_of(plan.from);
    std::vector<std::shared_ptr<FileNode>> moved;
    if (const auto self = nodes_.find(key); self != nodes_.end()) {
        moved.push_back(self->second);
        nodes_.erase(self);
    }
    const auto [first, last] = below(key);
    for (auto child = first; child != last; ++child)
        moved.push_back(child->second);
    nodes_.erase(first, last);
    for (const std::shared_ptr<FileNode>& node : moved) {
        node->path.replace(0, plan.from.size(), plan.to);
        node->info_expires = {};
        nodes_.insert_or_assign(key_of(node->path), node);
    }
}

}  // namespace lab::fsd
