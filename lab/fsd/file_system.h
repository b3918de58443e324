// What lab/fsd asks of a user-mode file system: WinFsp's callbacks in portable form, one virtual each.
// Implemented by an in-memory file system (fsd's own tests), by guest::Volume (native tests) and by the real
// FSP_FILE_SYSTEM_INTERFACE of a Windows file system (the stand-in DLL). Contract of each callback:
// winfsp-abi, "Operations table"; a callback the file system does not have answers kInvalidDeviceRequest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nt/file.h"
#include "nt/status.h"

namespace lab::fsd {

// The file system's own per-open value (WinFsp's FileContext).
using Context = std::uintptr_t;

struct VolumeInfo {
    std::uint64_t total_bytes = 0;
    std::uint64_t free_bytes = 0;
    std::u16string label;
};

// The volume parameters the model acts on (FSP_FSCTL_VOLUME_PARAMS).
struct VolumeParams {
    std::uint16_t sector_size = 512;
    std::uint16_t sectors_per_allocation_unit = 1;
    std::uint16_t max_component_length = 255;  // UTF-16 units
    nt::FileTime creation_time = 0;
    std::uint32_t serial_number = 0;
    std::uint32_t file_info_timeout = 0;  // ms
    bool case_sensitive_search = true;
    bool case_preserved_names = true;
    bool unicode_on_disk = true;
    bool persistent_acls = false;
    bool reparse_points = false;
    bool named_streams = false;
    bool extended_attributes = false;
    bool read_only_volume = false;
    bool post_cleanup_when_modified_only = false;
    bool flush_and_purge_on_cleanup = false;
    bool pass_query_directory_pattern = false;
    bool pass_query_directory_file_name = false;
    bool supports_posix_unlink_rename = false;
    bool context_is_per_open = true;  // UmFileContextIsUserContext2
    std::u16string file_system_name = {};
};

struct Opened {
    Context context = 0;
    nt::FileInfo info = {};
    std::u16string normalized_name = {};  // empty: none was returned
};

struct CleanupFlags {
    bool remove = false;
    bool set_allocation_size = false;
    bool set_archive_bit = false;
    bool set_last_access_time = false;
    bool set_last_write_time = false;
    bool set_change_time = false;
};

struct WriteRequest {
    std::uint64_t offset = 0;
    bool to_end_of_file = false;
    bool constrained = false;
};

struct Written {
    std::uint32_t bytes = 0;
    nt::FileInfo info = {};
};

struct BasicInfoChange {
    std::optional<std::uint32_t> attributes = {};
    nt::FileTime creation_time = 0;  // 0: leave
    nt::FileTime last_access_time = 0;
    nt::FileTime last_write_time = 0;
    nt::FileTime change_time = 0;
};

// GetSecurityByName's answer. (Descriptors come with the security issue; "no descriptor" grants all.)
struct NameAttributes {
    std::uint32_t attributes = 0;
    // STATUS_REPARSE: a component on the way is a reparse point; where it begins in the path, in UTF-16
    // units.
    bool crosses_reparse_point = false;
    std::uint32_t reparse_index = 0;
};

// ResolveReparsePoints' answer: the reparse point to go on with.
struct Resolved {
    std::uint32_t tag = 0;
    std::vector<std::byte> data = {};  // REPARSE_DATA_BUFFER
};

// Takes directory entries; false when full: stop, without an end mark.
class DirectorySink {
  public:
    virtual bool add(std::u16string_view name, const nt::FileInfo& info) = 0;

  protected:
    ~DirectorySink() = default;
};

// Every method may be called on many threads at once and may block.
class FileSystem {
  public:
    virtual ~FileSystem() = default;

    virtual nt::Result<VolumeInfo> volume_info() = 0;
    virtual nt::Result<VolumeInfo> set_volume_label(std::u16string_view label) = 0;

    // nullopt from has_security_by_name() == false: no checks before Create and Open at all, WinFsp grants
    // what is asked.
    virtual bool has_security_by_name() const = 0;
    virtual nt::Result<NameAttributes> attributes_by_name(std::u16string_view path) = 0;

    virtual nt::Result<Opened> create(std::u16string_view path, std::uint32_t create_options,
                                      std::uint32_t granted_access, std::uint32_t attributes,
                                      std::uint64_t allocation_size) = 0;
    virtual nt::Result<Opened> open(std::u16string_view path, std::uint32_t create_options,
                                    std::uint32_t granted_access) = 0;
    virtual nt::Result<nt::FileInfo> overwrite(Context file, std::uint32_t attributes,
                                               bool replace_attributes, std::uint64_t allocation_size) = 0;
    virtual void cleanup(Context file, std::optional<std::u16string_view> path_if_deleting,
                         CleanupFlags flags) = 0;
    virtual void close(Context file) = 0;

    virtual nt::Result<std::uint32_t> read(Context file, std::span<std::byte> buffer,
                                           std::uint64_t offset) = 0;
    virtual nt::Result<Written> write(Context file, std::span<const std::byte> data,
                                      const WriteRequest& where) = 0;
    // nullopt: the whole volume.
    virtual nt::Result<nt::FileInfo> flush(std::optional<Context> file) = 0;

    virtual nt::Result<nt::FileInfo> file_info(Context file) = 0;
    virtual nt::Result<nt::FileInfo> set_basic_info(Context file, const BasicInfoChange& change) = 0;
    virtual nt::Result<nt::FileInfo> set_file_size(Context file, std::uint64_t bytes,
                                                   bool allocation_size) = 0;

    // CanDelete, or SetDelete where the file system has it.
    virtual nt::Result<void> set_delete(Context file, std::u16string_view path, bool remove) = 0;
    virtual nt::Result<void> rename(Context file, std::u16string_view from, std::u16string_view to,
                                    bool replace) = 0;

    // true: the end of the directory was reached.
    virtual nt::Result<bool> read_directory(Context directory, std::optional<std::u16string_view> pattern,
                                            std::optional<std::u16string_view> marker,
                                            std::size_t buffer_bytes, DirectorySink& sink) = 0;
    // GetDirInfoByName; kInvalidDeviceRequest where absent.
    virtual nt::Result<nt::FileInfo> entry_by_name(Context directory, std::u16string_view name,
                                                   std::u16string& real_name) = 0;

    // `index`: where the first reparse point of the path begins. See resolve_reparse_points in reparse.h.
    virtual nt::Result<Resolved> resolve_reparse_points(std::u16string_view path, std::uint32_t index,
                                                        bool resolve_last);
    // Bytes of REPARSE_DATA_BUFFER; kBufferTooSmall.
    virtual nt::Result<std::size_t> get_reparse_point(Context file, std::u16string_view path,
                                                      std::span<std::byte> buffer);
    virtual nt::Result<void> set_reparse_point(Context file, std::u16string_view path,
                                               std::span<const std::byte> data);
    virtual nt::Result<void> delete_reparse_point(Context file, std::u16string_view path,
                                                  std::span<const std::byte> data);
};

inline nt::Result<Resolved> FileSystem::resolve_reparse_points(std::u16string_view, std::uint32_t, bool) {
    return nt::fail(nt::Status::kInvalidDeviceRequest);
}
inline nt::Result<std::size_t> FileSystem::get_reparse_point(Context, std::u16string_view,
                                                             std::span<std::byte>) {
    return nt::fail(nt::Status::kInvalidDeviceRequest);
}
inline nt::Result<void> FileSystem::set_reparse_point(Context, std::u16string_view,
                                                      std::span<const std::byte>) {
    return nt::fail(nt::Status::kInvalidDeviceRequest);
}
inline nt::Result<void> FileSystem::delete_reparse_point(Context, std::u16string_view,
                                                         std::span<const std::byte>) {
    return nt::fail(nt::Status::kInvalidDeviceRequest);
}

}  // namespace lab::fsd
