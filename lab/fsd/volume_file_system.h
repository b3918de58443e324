// guest::Volume behind fsd's FileSystem: the callbacks that the Windows service answers, in process. Plain
// conversions of types; must never know a rule of either side.
#pragma once

#include "guest/volume/volume.h"
#include "lab/fsd/file_system.h"

namespace lab::fsd {

class VolumeFileSystem final : public FileSystem {
  public:
    // The volume outlives this. `label` is what volume information reports.
    VolumeFileSystem(guest::Volume& volume, std::u16string label);

    nt::Result<VolumeInfo> volume_info() override;
    nt::Result<VolumeInfo> set_volume_label(std::u16string_view label) override;
    bool has_security_by_name() const override { return true; }
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
    guest::Volume& volume_;
    const std::u16string label_;
};

}  // namespace lab::fsd
