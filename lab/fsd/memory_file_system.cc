#include "lab/fsd/memory_file_system.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lab/fsd/names.h"
#include "lab/fsd/reparse.h"
#include "lab/fsd/upcase.h"
#include "nt/bytes.h"

namespace lab::fsd {
namespace {

namespace attribute = nt::file_attribute;
using nt::Status;

constexpr std::uint64_t kUnit = 512;               // bytes of an allocation unit
constexpr std::uint64_t kTotalBytes = 64 << 20;    // of the volume
constexpr std::uint64_t kMaxFileBytes = 16 << 20;  // beyond it the disk is full

std::string narrow(std::u16string_view text) {
    std::string result;
    for (const char16_t unit : text)
        result += unit < 0x80 ? static_cast<char>(unit) : '?';
    return result;
}

std::uint64_t units(std::uint64_t bytes) {
    return (bytes + kUnit - 1) / kUnit * kUnit;
}

}  // namespace

struct MemoryFileSystem::Node {
    bool directory = false;
    bool removed = false;
    nt::FileInfo info;
    std::vector<std::byte> data;
    std::vector<std::byte> reparse_point;  // REPARSE_DATA_BUFFER
    struct Child {
        std::u16string name;
        NodeRef node;
    };
    std::map<std::u16string, Child> children;  // by key
    Context shared_context = 0;                // where contexts are per name
};

struct MemoryFileSystem::Handle {
    NodeRef node;
    std::string opened_as;
    int opens = 1;
    int cleanups = 0;
};

MemoryFileSystem::MemoryFileSystem(MemoryFileSystemOptions options)
    : options_(options), root_(std::make_shared<Node>()) {
    root_->directory = true;
    root_->info = {.attributes = attribute::kDirectory, .index_number = ++last_index_};
    root_->info.creation_time = root_->info.last_access_time = root_->info.last_write_time =
        root_->info.change_time = now();
}

MemoryFileSystem::~MemoryFileSystem() = default;

std::vector<std::string> MemoryFileSystem::violations(bool and_open) const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> all = violations_;
    if (and_open) {
        for (const auto& [context, handle] : handles_)
            all.push_back("never closed: " + handle->opened_as);
    }
    return all;
}

std::vector<std::string> MemoryFileSystem::take_calls() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(calls_, {});
}

void MemoryFileSystem::set_hook(std::function<std::optional<nt::Status>(std::string_view)> hook) {
    hook_ = std::move(hook);
}

void MemoryFileSystem::violated(std::string what) {
    const std::scoped_lock lock(mutex_);
    violated_locked(std::move(what));
}

void MemoryFileSystem::violated_locked(std::string what) {
    violations_.push_back(std::move(what));
}

std::optional<nt::Status> MemoryFileSystem::record(const std::string& call) {
    {
        const std::scoped_lock lock(mutex_);
        calls_.push_back(call);
    }
    return hook_ ? hook_(call) : std::nullopt;
}

std::optional<nt::Status> MemoryFileSystem::record(std::string_view what, Context file) {
    std::string call(what);
    {
        const std::scoped_lock lock(mutex_);
        const auto found = handles_.find(file);
        call += ' ';
        call += found == handles_.end() ? "?" : found->second->opened_as;
    }
    return record(call);
}

// The lock is held.
MemoryFileSystem::Handle* MemoryFileSystem::handle_of(Context file, std::string_view what) {
    const auto found = handles_.find(file);
    if (found == handles_.end()) {
        violated_locked(std::string(what) + " on a context that is not open");
        return nullptr;
    }
    Handle& handle = *found->second;
    if (handle.cleanups >= handle.opens) {
        violated_locked(std::string(what) + " after the last cleanup of " + handle.opened_as);
    }
    return &handle;
}

void MemoryFileSystem::check_path(std::u16string_view path, std::string_view what) {
    const auto parsed =
        parse_name(std::nullopt, path, {.max_component_length = options_.max_component_length});
    if (!parsed || parsed->path != path || parsed->trailing_backslash) {
        violated(std::string(what) + " with a path not normalised: " + narrow(path));
    }
}

std::u16string MemoryFileSystem::key_of(std::u16string_view name) const {
    return options_.case_sensitive ? std::u16string(name) : upcase(name);
}

nt::Result<MemoryFileSystem::NodeRef> MemoryFileSystem::find(std::u16string_view path) const {
    if (is_root(path)) return root_;
    auto parent = parent_node(path);
    if (!parent) return parent;
    const auto child = (*parent)->children.find(key_of(last_component(path)));
    if (child == (*parent)->children.end()) return nt::fail(Status::kObjectNameNotFound);
    return child->second.node;
}

nt::Result<MemoryFileSystem::NodeRef> MemoryFileSystem::parent_node(std::u16string_view path) const {
    auto parent = find(parent_of(path));
    if (!parent || !(*parent)->directory) return nt::fail(Status::kObjectPathNotFound);
    return parent;
}

std::optional<std::u16string> MemoryFileSystem::real_path(std::u16string_view path) const {
    if (is_root(path)) return std::u16string(path);
    const auto parent = real_path(parent_of(path));
    const auto node = find(parent_of(path));
    if (!parent || !node) return std::nullopt;
    const auto child = (*node)->children.find(key_of(last_component(path)));
    if (child == (*node)->children.end()) return std::nullopt;
    return join(*parent, child->second.name);
}

nt::Result<Opened> MemoryFileSystem::opened(const NodeRef& node, std::u16string_view path) {
    Opened result{.context = 0, .info = node->info, .normalized_name = {}};
    if (!options_.case_sensitive) result.normalized_name = real_path(path).value_or(u"");
    if (!options_.context_is_per_open && node->shared_context != 0) {
        ++handles_[node->shared_context]->opens;
        result.context = node->shared_context;
        return result;
    }
    result.context = ++last_context_;
    auto handle = std::make_unique<Handle>();
    handle->node = node;
    handle->opened_as = narrow(path);
    handles_.emplace(result.context, std::move(handle));
    if (!options_.context_is_per_open) node->shared_context = result.context;
    return result;
}

nt::Result<VolumeInfo> MemoryFileSystem::volume_info() {
    if (const auto status = record("volume_info")) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    return VolumeInfo{.total_bytes = kTotalBytes, .free_bytes = kTotalBytes / 2, .label = label_};
}

nt::Result<VolumeInfo> MemoryFileSystem::set_volume_label(std::u16string_view label) {
    if (const auto status = record("set_volume_label")) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    label_ = label;
    return VolumeInfo{.total_bytes = kTotalBytes, .free_bytes = kTotalBytes / 2, .label = label_};
}

nt::Result<NameAttributes> MemoryFileSystem::attributes_by_name(std::u16string_view path) {
    check_path(path, "attributes_by_name");
    if (const auto status = record("attributes_by_name " + narrow(path))) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    if (!is_root(path)) {
        const auto by_name = [this](std::u16string_view name, bool) { return reparse_point_locked(name); };
        const auto index = find_reparse_point(by_name, parent_of(path));
        if (index) return NameAttributes{.crosses_reparse_point = true, .reparse_index = *index};
    }
    const auto node = find(path);
    if (!node) return nt::fail(node.error());
    return NameAttributes{.attributes = (*node)->info.attributes};
}

nt::Result<Opened> MemoryFileSystem::create(std::u16string_view path, std::uint32_t create_options,
                                            std::uint32_t granted_access, std::uint32_t attributes,
                                            std::uint64_t allocation_size) {
    check_path(path, "create");
    if (const auto status = record("create " + narrow(path))) return nt::fail(*status);
    if ((granted_access & 0xF0000000) != 0) violated("create with generic rights");
    const bool directory = (create_options & nt::create_option::kDirectoryFile) != 0;
    if (directory != ((attributes & attribute::kDirectory) != 0)) {
        violated("create whose directory attribute and option differ: " + narrow(path));
    }
    const std::scoped_lock lock(mutex_);
    if (is_root(path)) return nt::fail(Status::kObjectNameCollision);
    const auto parent = parent_node(path);
    if (!parent) return nt::fail(parent.error());
    const std::u16string key = key_of(last_component(path));
    if ((*parent)->children.contains(key)) return nt::fail(Status::kObjectNameCollision);
    const auto node = std::make_shared<Node>();
    node->directory = directory;
    node->info.attributes = directory ? attributes : attributes | attribute::kArchive;
    node->info.allocation_size = directory ? 0 : units(allocation_size);
    node->info.index_number = ++last_index_;
    node->info.creation_time = node->info.last_access_time = node->info.last_write_time =
        node->info.change_time = now();
    (*parent)->children.emplace(key, Node::Child{.name = std::u16string(last_component(path)), .node = node});
    return opened(node, path);
}

nt::Result<Opened> MemoryFileSystem::open(std::u16string_view path, std::uint32_t create_options,
                                          std::uint32_t granted_access) {
    check_path(path, "open");
    if (const auto status = record("open " + narrow(path))) return nt::fail(*status);
    if ((granted_access & 0xF0000000) != 0) violated("open with generic rights");
    const std::scoped_lock lock(mutex_);
    const auto node = find(path);
    if (!node) return nt::fail(node.error());
    if (!(*node)->directory && (create_options & nt::create_option::kDirectoryFile) != 0) {
        return nt::fail(Status::kNotADirectory);
    }
    if ((*node)->directory && (create_options & nt::create_option::kNonDirectoryFile) != 0) {
        return nt::fail(Status::kFileIsADirectory);
    }
    return opened(*node, path);
}

nt::Result<nt::FileInfo> MemoryFileSystem::overwrite(Context file, std::uint32_t attributes,
                                                     bool replace_attributes, std::uint64_t allocation_size) {
    if (const auto status = record("overwrite", file)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "overwrite");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    Node& node = *handle->node;
    if (node.directory) return nt::fail(Status::kFileIsADirectory);
    node.data.clear();
    node.info.attributes = (replace_attributes ? 0 : node.info.attributes) | attributes | attribute::kArchive;
    node.info.file_size = 0;
    node.info.allocation_size = units(allocation_size);
    node.info.last_write_time = node.info.change_time = now();
    return node.info;
}

void MemoryFileSystem::cleanup(Context file, std::optional<std::u16string_view> path_if_deleting,
                               CleanupFlags flags) {
    record(flags.remove ? "cleanup+delete" : "cleanup", file);
    if (path_if_deleting) check_path(*path_if_deleting, "cleanup");
    const std::scoped_lock lock(mutex_);
    if (flags.remove != path_if_deleting.has_value())
        violated_locked("cleanup: a path without deletion or vice versa");
    Handle* const handle = handle_of(file, "cleanup");
    if (handle == nullptr) return;
    ++handle->cleanups;
    Node& node = *handle->node;
    if (flags.set_archive_bit && !node.directory) node.info.attributes |= attribute::kArchive;
    if (flags.set_last_write_time) node.info.last_write_time = now();
    if (flags.set_change_time) node.info.change_time = now();
    if (flags.set_allocation_size) node.info.allocation_size = units(node.info.file_size);
    if (!flags.remove || !node.children.empty()) return;
    // Opened while another handle's clean-up removed it: its name may be a new file's by now. WinFsp leaves
    // that to the file system.
    if (node.removed) return;
    const auto found = find(*path_if_deleting);
    if (!found || found->get() != &node) {
        violated_locked("cleanup deletes " + narrow(*path_if_deleting) +
                        ", which is not the file that was opened as " + handle->opened_as);
        return;
    }
    node.removed = true;
    (*parent_node(*path_if_deleting))->children.erase(key_of(last_component(*path_if_deleting)));
}

void MemoryFileSystem::close(Context file) {
    record("close", file);
    const std::scoped_lock lock(mutex_);
    const auto found = handles_.find(file);
    if (found == handles_.end()) {
        violated_locked("close of a context that is not open");
        return;
    }
    Handle& handle = *found->second;
    if (handle.cleanups > 0) --handle.cleanups;
    if (--handle.opens > 0) return;
    handle.node->shared_context = 0;
    handles_.erase(found);
}

nt::Result<std::uint32_t> MemoryFileSystem::read(Context file, std::span<std::byte> buffer,
                                                 std::uint64_t offset) {
    if (const auto status = record("read", file)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "read");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    const Node& node = *handle->node;
    if (node.directory || buffer.empty()) violated_locked("read of a directory or of nothing");
    if (offset >= node.data.size()) return nt::fail(Status::kEndOfFile);
    const std::size_t bytes = std::min<std::size_t>(buffer.size(), node.data.size() - offset);
    std::copy_n(node.data.begin() + static_cast<std::ptrdiff_t>(offset), bytes, buffer.begin());
    return static_cast<std::uint32_t>(bytes);
}

nt::Result<Written> MemoryFileSystem::write(Context file, std::span<const std::byte> data,
                                            const WriteRequest& where) {
    if (const auto status = record("write", file)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "write");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    Node& node = *handle->node;
    if (node.directory || data.empty()) violated_locked("write to a directory or of nothing");
    const std::uint64_t offset = where.to_end_of_file ? node.data.size() : where.offset;
    if (where.constrained) {
        if (offset >= node.data.size()) return Written{.bytes = 0, .info = node.info};
        data = data.first(std::min<std::size_t>(data.size(), node.data.size() - offset));
    }
    if (offset > kMaxFileBytes || data.size() > kMaxFileBytes - offset) return nt::fail(Status::kDiskFull);
    if (node.data.size() < offset + data.size()) node.data.resize(offset + data.size());
    std::ranges::copy(data, node.data.begin() + static_cast<std::ptrdiff_t>(offset));
    node.info.file_size = node.data.size();
    node.info.allocation_size = std::max(node.info.allocation_size, units(node.info.file_size));
    return Written{.bytes = static_cast<std::uint32_t>(data.size()), .info = node.info};
}

nt::Result<nt::FileInfo> MemoryFileSystem::flush(std::optional<Context> file) {
    const auto status = file ? record("flush", *file) : record("flush the volume");
    if (status) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    if (!file) return nt::FileInfo{};
    Handle* const handle = handle_of(*file, "flush");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    return handle->node->info;
}

nt::Result<nt::FileInfo> MemoryFileSystem::file_info(Context file) {
    if (const auto status = record("file_info", file)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "file_info");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    return handle->node->info;
}

nt::Result<nt::FileInfo> MemoryFileSystem::set_basic_info(Context file, const BasicInfoChange& change) {
    if (const auto status = record("set_basic_info", file)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "set_basic_info");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    Node& node = *handle->node;
    if (change.attributes) {
        if (((*change.attributes & attribute::kDirectory) != 0) != node.directory) {
            violated_locked("set_basic_info changes the directory attribute of " + handle->opened_as);
        }
        node.info.attributes = (*change.attributes & ~attribute::kReparsePoint) |
                               (node.info.attributes & attribute::kReparsePoint);
    }
    if (change.creation_time != 0) node.info.creation_time = change.creation_time;
    if (change.last_access_time != 0) node.info.last_access_time = change.last_access_time;
    if (change.last_write_time != 0) node.info.last_write_time = change.last_write_time;
    if (change.change_time != 0) node.info.change_time = change.change_time;
    return node.info;
}

nt::Result<nt::FileInfo> MemoryFileSystem::set_file_size(Context file, std::uint64_t bytes,
                                                         bool allocation_size) {
    if (const auto status = record(allocation_size ? "set_allocation" : "set_size", file))
        return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "set_file_size");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    Node& node = *handle->node;
    if (bytes > kMaxFileBytes) return nt::fail(Status::kDiskFull);
    if (allocation_size) {
        node.info.allocation_size = units(bytes);
        if (bytes < node.data.size()) node.data.resize(bytes);
    } else {
        node.data.resize(bytes);
        node.info.allocation_size = std::max(node.info.allocation_size, units(bytes));
    }
    node.info.file_size = node.data.size();
    return node.info;
}

nt::Result<void> MemoryFileSystem::set_delete(Context file, std::u16string_view path, bool remove) {
    check_path(path, "set_delete");
    if (const auto status = record(remove ? "set_delete" : "set_delete(false)", file))
        return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "set_delete");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    if (remove && !handle->node->children.empty()) return nt::fail(Status::kDirectoryNotEmpty);
    return {};
}

nt::Result<void> MemoryFileSystem::rename(Context file, std::u16string_view from, std::u16string_view to,
                                          bool replace) {
    check_path(from, "rename");
    check_path(to, "rename");
    if (const auto status = record("rename " + narrow(from) + " " + narrow(to))) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "rename");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    const NodeRef node = handle->node;
    if (node->removed) return nt::fail(Status::kObjectNameNotFound);  // a lost race, as in cleanup
    const auto found = find(from);
    if (!found || *found != node)
        violated_locked("rename of " + narrow(from) + ", which is not the file opened");
    const auto parent = parent_node(to);
    if (!parent) return nt::fail(parent.error());
    if (key_of(to).starts_with(key_of(from) + u'\\')) return nt::fail(Status::kInvalidParameter);
    const std::u16string key = key_of(last_component(to));
    if (const auto existing = (*parent)->children.find(key);
        existing != (*parent)->children.end() && existing->second.node != node) {
        if (!replace) return nt::fail(Status::kObjectNameCollision);
        if (existing->second.node->directory) return nt::fail(Status::kAccessDenied);
        existing->second.node->removed = true;
    }
    (*parent_node(from))->children.erase(key_of(last_component(from)));
    (*parent)->children.insert_or_assign(
        key, Node::Child{.name = std::u16string(last_component(to)), .node = node});
    return {};
}

nt::Result<bool> MemoryFileSystem::read_directory(Context directory, std::optional<std::u16string_view>,
                                                  std::optional<std::u16string_view> marker, std::size_t,
                                                  DirectorySink& sink) {
    if (const auto status = record("read_directory", directory)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(directory, "read_directory");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    const Node& node = *handle->node;
    if (!node.directory) violated_locked("read_directory of a file");
    // "." and ".." come first whatever sorts before them.
    const bool after_dot = marker.has_value();
    const bool after_dots = marker && *marker != u".";
    if (&node != root_.get()) {
        if (!after_dot && !sink.add(u".", node.info)) return false;
        if (!after_dots && !sink.add(u"..", root_->info)) return false;
    }
    const bool among_names = after_dots && *marker != u"..";
    auto child = among_names ? node.children.upper_bound(key_of(*marker)) : node.children.begin();
    for (; child != node.children.end(); ++child) {
        if (!sink.add(child->second.name, child->second.node->info)) return false;
    }
    return true;
}

nt::Result<nt::FileInfo> MemoryFileSystem::entry_by_name(Context directory, std::u16string_view name,
                                                         std::u16string& real_name) {
    if (!options_.has_entry_by_name) return nt::fail(Status::kInvalidDeviceRequest);
    if (const auto status = record("entry_by_name", directory)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(directory, "entry_by_name");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    const auto child = handle->node->children.find(key_of(name));
    if (child == handle->node->children.end()) return nt::fail(Status::kObjectNameNotFound);
    real_name = child->second.name;
    return child->second.node->info;
}

// The lock is held.
nt::Result<std::vector<std::byte>> MemoryFileSystem::reparse_point_locked(std::u16string_view path) const {
    const auto node = find(path);
    if (!node) return nt::fail(node.error());
    if ((*node)->reparse_point.empty()) return nt::fail(Status::kNotAReparsePoint);
    return (*node)->reparse_point;
}

nt::Result<Resolved> MemoryFileSystem::resolve_reparse_points(std::u16string_view path, std::uint32_t index,
                                                              bool resolve_last) {
    check_path(path, "resolve_reparse_points");
    if (const auto status = record("resolve_reparse_points " + narrow(path))) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    return lab::fsd::resolve_reparse_points(
        [this](std::u16string_view name, bool) { return reparse_point_locked(name); }, path, index,
        resolve_last);
}

nt::Result<std::size_t> MemoryFileSystem::get_reparse_point(Context file, std::u16string_view path,
                                                            std::span<std::byte> buffer) {
    check_path(path, "get_reparse_point");
    if (const auto status = record("get_reparse_point", file)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "get_reparse_point");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    const std::vector<std::byte>& data = handle->node->reparse_point;
    if (data.empty()) return nt::fail(Status::kNotAReparsePoint);
    if (data.size() > buffer.size()) return nt::fail(Status::kBufferTooSmall);
    std::ranges::copy(data, buffer.begin());
    return data.size();
}

nt::Result<void> MemoryFileSystem::set_reparse_point(Context file, std::u16string_view path,
                                                     std::span<const std::byte> data) {
    check_path(path, "set_reparse_point");
    if (const auto status = record("set_reparse_point", file)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "set_reparse_point");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    Node& node = *handle->node;
    if (!node.children.empty()) return nt::fail(Status::kDirectoryNotEmpty);
    if (const auto possible = can_replace_reparse_point(node.reparse_point, data); !possible) return possible;
    node.reparse_point.assign(data.begin(), data.end());
    node.info.attributes |= attribute::kReparsePoint;
    node.info.reparse_tag = nt::get<std::uint32_t>(data, 0);
    node.info.change_time = now();
    return {};
}

nt::Result<void> MemoryFileSystem::delete_reparse_point(Context file, std::u16string_view path,
                                                        std::span<const std::byte> data) {
    check_path(path, "delete_reparse_point");
    if (const auto status = record("delete_reparse_point", file)) return nt::fail(*status);
    const std::scoped_lock lock(mutex_);
    Handle* const handle = handle_of(file, "delete_reparse_point");
    if (handle == nullptr) return nt::fail(Status::kInvalidHandle);
    Node& node = *handle->node;
    if (node.reparse_point.empty()) return nt::fail(Status::kNotAReparsePoint);
    if (const auto possible = can_replace_reparse_point(node.reparse_point, data); !possible) return possible;
    node.reparse_point.clear();
    node.info.attributes &= ~attribute::kReparsePoint;
    node.info.reparse_tag = 0;
    node.info.change_time = now();
    return {};
}

}  // namespace lab::fsd
