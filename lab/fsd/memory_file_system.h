// A small file system in memory for fsd's tests, which also checks how it is called: paths normalised,
// Cleanup before Close, nothing after Close, deletion through Cleanup alone. Must never know: handles'
// sharing, NT's buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/fsd/file_system.h"

namespace lab::fsd {

struct MemoryFileSystemOptions {
    bool case_sensitive = true;
    bool has_security_by_name = true;
    bool has_entry_by_name = true;
    bool context_is_per_open = true;
    std::size_t max_component_length = 255;
};

// Thread-safe. A breach of the callback protocol is remembered, not acted upon.
class MemoryFileSystem final : public FileSystem {
  public:
    explicit MemoryFileSystem(MemoryFileSystemOptions options = {});
    ~MemoryFileSystem() override;

    // Breaches of the protocol so far, in words. Files still open are one too once `and_open` is given.
    std::vector<std::string> violations(bool and_open = false) const;
    // Callbacks since the last call, as "open \dir\file"; those on a context name the path it was opened by.
    std::vector<std::string> take_calls();
    // Called before each callback is carried out, on its thread, with no lock held: the status it gives, if
    // any, is the callback's answer. `call` is as take_calls() has it. Set it before the file system is in
    // use.
    void set_hook(std::function<std::optional<nt::Status>(std::string_view call)> hook);

    nt::Result<VolumeInfo> volume_info() override;
    nt::Result<VolumeInfo> set_volume_label(std::u16string_view label) override;
    bool has_security_by_name() const override { return options_.has_security_by_name; }
    nt::Result<NameAttributes> attributes_by_name(std::u16string_view path) override;
    nt::Result<Opened> create(std::u16string_view path, std::uint32_t create_options,
                              std::uint32_t granted_access, std::uint32_t attributes,
                              std::uint64_t allocation_size) override;
    nt::Result<Opened> open(std::u16string_view path, std::uint32_t create_options,
                            std::uint32_t granted_access) override;
    nt::Result<nt::FileInfo> overwrite(Context file, std::uint32_t attributes, bool replace_attributes,
                                       std::uint64_t allocation_size) override;
    void cleanup(Context file, std::optional<std::u16string_view> path_if_deleting,
                 CleanupFlags flags) override;
    void close(Context file) override;
    nt::Result<std::uint32_t> read(Context file, std::span<std::byte> buffer, std::uint64_t offset) override;
    nt::Result<Written> write(Context file, std::span<const std::byte> data,
                              const WriteRequest& where) override;
    nt::Result<nt::FileInfo> flush(std::optional<Context> file) override;
    nt::Result<nt::FileInfo> file_info(Context file) override;
    nt::Result<nt::FileInfo> set_basic_info(Context file, const BasicInfoChange& change) override;
    nt::Result<nt::FileInfo> set_file_size(Context file, std::uint64_t bytes, bool allocation_size) override;
    nt::Result<void> set_delete(Context file, std::u16string_view path, bool remove) override;
    nt::Result<void> rename(Context file, std::u16string_view from, std::u16string_view to,
                            bool replace) override;
    nt::Result<bool> read_directory(Context directory, std::optional<std::u16string_view> pattern,
                                    std::optional<std::u16string_view> marker, std::size_t buffer_bytes,
                                    DirectorySink& sink) override;
    nt::Result<nt::FileInfo> entry_by_name(Context directory, std::u16string_view name,
                                           std::u16string& real_name) override;
    nt::Result<Resolved> resolve_reparse_points(std::u16string_view path, std::uint32_t index,
                                                bool resolve_last) override;
    nt::Result<std::size_t> get_reparse_point(Context file, std::u16string_view path,
                                              std::span<std::byte> buffer) override;
    nt::Result<void> set_reparse_point(Context file, std::u16string_view path,
                                       std::span<const std::byte> data) override;
    nt::Result<void> delete_reparse_point(Context file, std::u16string_view path,
                                          std::span<const std::byte> data) override;

  private:
    struct Node;
    struct Handle;
    using NodeRef = std::shared_ptr<Node>;

    void violated(std::string what);
    void violated_locked(std::string what);
    std::optional<nt::Status> record(const std::string& call);
    std::optional<nt::Status> record(std::string_view what, Context file);
    Handle* handle_of(Context file, std::string_view what);
    void check_path(std::u16string_view path, std::string_view what);
    std::u16string key_of(std::u16string_view name) const;
    nt::Result<NodeRef> find(std::u16string_view path) const;
    nt::Result<std::vector<std::byte>> reparse_point_locked(std::u16string_view path) const;
    nt::Result<NodeRef> parent_node(std::u16string_view path) const;
    std::optional<std::u16string> real_path(std::u16string_view path) const;
    nt::Result<Opened> opened(const NodeRef& node, std::u16string_view path);
    nt::FileTime now() { return ++clock_; }

    const MemoryFileSystemOptions options_;
    std::function<std::optional<nt::Status>(std::string_view)> hook_;
    mutable std::mutex mutex_;
    std::vector<std::string> violations_;
    std::vector<std::string> calls_;
    std::u16string label_ = u"memory";
    nt::FileTime clock_ = 130'000'000'000'000'000;  // 2012; one tick an event
    std::uint64_t last_index_ = 0;
    Context last_context_ = 0;
    NodeRef root_;
    std::map<Context, std::unique_ptr<Handle>> handles_;
};

}  // namespace lab::fsd
