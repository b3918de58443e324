// A WinFsp file system's operations table as lab/fsd's FileSystem: each call becomes a request of the
// dispatcher, with the arguments that WinFsp's DLL would pass. Must never know: Nt* calls, how programs reach
// the drive.
#pragma once

#include "lab/fsd/file_system.h"
#include "lab/winfsp/dispatcher.h"

namespace lab::winfsp {

class WinfspFileSystem final : public fsd::FileSystem {
  public:
    // Both outlive it.
    WinfspFileSystem(FSP_FILE_SYSTEM& file_system, Dispatcher& dispatcher)
        : object_(file_system), operations_(*file_system.Interface), dispatcher_(dispatcher) {}

    nt::Result<fsd::VolumeInfo> volume_info() override;
    nt::Result<fsd::VolumeInfo> set_volume_label(std::u16string_view label) override;
    bool has_security_by_name() const override;
    nt::Result<fsd::NameAttributes> attributes_by_name(std::u16string_view path) override;
    nt::Result<fsd::Opened> create(std::u16string_view path, std::uint32_t create_options,
                                   std::uint32_t granted_access, std::uint32_t attributes,
                                   std::uint64_t allocation_size) override;
    nt::Result<fsd::Opened> open(std::u16string_view path, std::uint32_t create_options,
                                 std::uint32_t granted_access) override;
    nt::Result<nt::FileInfo> overwrite(fsd::Context file, std::uint32_t attributes, bool replace_attributes,
                                       std::uint64_t allocation_size) override;
    void cleanup(fsd::Context file, std::optional<std::u16string_view> path_if_deleting,
                 fsd::CleanupFlags flags) override;
    // Does not wait, as WinFsp does not.
    void close(fsd::Context file) override;
    nt::Result<std::uint32_t> read(fsd::Context file, std::span<std::byte> buffer,
                                   std::uint64_t offset) override;
    nt::Result<fsd::Written> write(fsd::Context file, std::span<const std::byte> data,
                                   const fsd::WriteRequest& where) override;
    nt::Result<nt::FileInfo> flush(std::optional<fsd::Context> file) override;
    nt::Result<nt::FileInfo> file_info(fsd::Context file) override;
    nt::Result<nt::FileInfo> set_basic_info(fsd::Context file, const fsd::BasicInfoChange& change) override;
    nt::Result<nt::FileInfo> set_file_size(fsd::Context file, std::uint64_t bytes,
                                           bool allocation_size) override;
    nt::Result<void> set_delete(fsd::Context file, std::u16string_view path, bool remove) override;
    nt::Result<void> rename(fsd::Context file, std::u16string_view from, std::u16string_view to,
                            bool replace) override;
    nt::Result<bool> read_directory(fsd::Context directory, std::optional<std::u16string_view> pattern,
                                    std::optional<std::u16string_view> marker, std::size_t buffer_bytes,
                                    fsd::DirectorySink& sink) override;
    nt::Result<nt::FileInfo> entry_by_name(fsd::Context directory, std::u16string_view name,
                                           std::u16string& real_name) override;
    nt::Result<fsd::Resolved> resolve_reparse_points(std::u16string_view path, std::uint32_t index,
                                                     bool resolve_last) override;
    nt::Result<std::size_t> get_reparse_point(fsd::Context file, std::u16string_view path,
                                              std::span<std::byte> buffer) override;
    nt::Result<void> set_reparse_point(fsd::Context file, std::u16string_view path,
                                       std::span<const std::byte> data) override;
    nt::Result<void> delete_reparse_point(fsd::Context file, std::u16string_view path,
                                          std::span<const std::byte> data) override;

  private:
    // A request about an open file, with the context where the kernel half would put it.
    std::unique_ptr<Exchange> about(std::uint32_t kind, fsd::Context file) const;
    // Runs `call(info)` on a dispatcher thread and returns the information it filled in.
    template <typename Call>
    nt::Result<nt::FileInfo> info_of(Exchange& exchange, Call&& call);
    template <typename Call>
    nt::Result<fsd::Opened> opened_by(Exchange& exchange, Call&& call);

    FSP_FILE_SYSTEM& object_;
    const FSP_FILE_SYSTEM_INTERFACE& operations_;
    Dispatcher& dispatcher_;
};

}  // namespace lab::winfsp
