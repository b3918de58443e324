#include "lab/fsd/volume_file_system.h"

#include <algorithm>
#include <utility>

#include "lab/fsd/reparse.h"

namespace lab::fsd {
namespace {

guest::File* pointer_to(Context context) {
    // The context is the pointer that convert() made it of.
    return reinterpret_cast<guest::File*>(context);  // NOLINT(performance-no-int-to-ptr)
}

guest::File& file_of(Context context) {
    return *pointer_to(context);
}

nt::Result<Opened> convert(const nt::Result<guest::Opened>& opened) {
    if (!opened) return nt::fail(opened.error());
    return Opened{.context = reinterpret_cast<Context>(opened->file), .info = opened->info};
}

// Create options as WinFsp passes them carry the disposition in the top byte.
std::uint32_t options_alone(std::uint32_t create_options) {
    return create_options & 0x00FFFFFF;
}

}  // namespace

VolumeFileSystem::VolumeFileSystem(guest::Volume& volume, std::u16string label)
    : volume_(volume), label_(std::move(label)) {}

nt::Result<VolumeInfo> VolumeFileSystem::volume_info() {
    const auto info = volume_.volume_info();
    if (!info) return nt::fail(info.error());
    return VolumeInfo{.total_bytes = info->total_bytes, .free_bytes = info->free_bytes, .label = label_};
}

nt::Result<VolumeInfo> VolumeFileSystem::set_volume_label(std::u16string_view) {
    return nt::fail(nt::Status::kInvalidDeviceRequest);
}

nt::Result<NameAttributes> VolumeFileSystem::attributes_by_name(std::u16string_view path) {
    const auto attributes = volume_.attributes_of(path);
    if (attributes) return NameAttributes{.attributes = *attributes};
    if (attributes.error() != nt::Status::kReparse) return nt::fail(attributes.error());
    const auto is_link = [this](std::u16string_view name, bool) -> nt::Result<std::vector<std::byte>> {
        const auto found = volume_.attributes_of(name);
        if (!found) return nt::fail(found.error());
        if ((*found & nt::file_attribute::kReparsePoint) == 0) {
            return nt::fail(nt::Status::kNotAReparsePoint);
        }
        return {};
    };
    return NameAttributes{.crosses_reparse_point = true,
                          .reparse_index = find_reparse_point(is_link, path).value_or(0)};
}

nt::Result<Opened> VolumeFileSystem::create(std::u16string_view path, std::uint32_t create_options,
                                            std::uint32_t granted_access, std::uint32_t attributes,
                                            std::uint64_t allocation_size) {
    return convert(volume_.create(path, {.options = options_alone(create_options),
                                         .granted_access = granted_access,
                                         .attributes = attributes,
                                         .allocation_size = allocation_size,
                                         .disposition = nt::Disposition{create_options >> 24}}));
}

nt::Result<Opened> VolumeFileSystem::open(std::u16string_view path, std::uint32_t create_options,
                                          std::uint32_t granted_access) {
    return convert(
        volume_.open(path, {.options = options_alone(create_options), .granted_access = granted_access}));
}

nt::Result<nt::FileInfo> VolumeFileSystem::overwrite(Context file, std::uint32_t attributes,
                                                     bool replace_attributes, std::uint64_t allocation_size) {
    return volume_.overwrite(file_of(file), attributes, replace_attributes, allocation_size);
}

void VolumeFileSystem::cleanup(Context file, std::optional<std::u16string_view> path_if_deleting,
                               CleanupFlags flags) {
    volume_.cleanup(file_of(file), path_if_deleting.value_or(std::u16string_view{}),
                    {.remove = flags.remove,
                     .set_allocation_size = flags.set_allocation_size,
                     .set_archive_bit = flags.set_archive_bit,
                     .set_last_access_time = flags.set_last_access_time,
                     .set_last_write_time = flags.set_last_write_time,
                     .set_change_time = flags.set_change_time});
}

void VolumeFileSystem::close(Context file) {
    volume_.close(pointer_to(file));
}

nt::Result<std::uint32_t> VolumeFileSystem::read(Context file, std::span<std::byte> buffer,
                                                 std::uint64_t offset) {
    return volume_.read(file_of(file), buffer, offset);
}

nt::Result<Written> VolumeFileSystem::write(Context file, std::span<const std::byte> data,
                                            const WriteRequest& where) {
    const auto written = volume_.write(
        file_of(file), data,
        {.offset = where.offset, .to_end_of_file = where.to_end_of_file, .constrained = where.constrained});
    if (!written) return nt::fail(written.error());
    return Written{.bytes = written->bytes, .info = written->info};
}

nt::Result<nt::FileInfo> VolumeFileSystem::flush(std::optional<Context> file) {
    if (file) return volume_.flush(file_of(*file));
    const auto flushed = volume_.flush_volume();
    if (!flushed) return nt::fail(flushed.error());
    return nt::FileInfo{};
}

nt::Result<nt::FileInfo> VolumeFileSystem::file_info(Context file) {
    return volume_.file_info(file_of(file));
}

nt::Result<nt::FileInfo> VolumeFileSystem::set_basic_info(Context file, const BasicInfoChange& change) {
    return volume_.set_basic_info(file_of(file), {.attributes = change.attributes,
                                                  .creation_time = change.creation_time,
                                                  .last_access_time = change.last_access_time,
                                                  .last_write_time = change.last_write_time,
                                                  .change_time = change.change_time});
}

nt::Result<nt::FileInfo> VolumeFileSystem::set_file_size(Context file, std::uint64_t bytes,
                                                         bool allocation_size) {
    return volume_.set_size(file_of(file), bytes,
                            allocation_size ? guest::SizeKind::kAllocation : guest::SizeKind::kEndOfFile);
}

nt::Result<void> VolumeFileSystem::set_delete(Context file, std::u16string_view path, bool remove) {
    if (!remove) return {};
    return volume_.can_delete(file_of(file), path);
}

nt::Result<void> VolumeFileSystem::rename(Context file, std::u16string_view from, std::u16string_view to,
                                          bool replace) {
    return volume_.rename(file_of(file), from, to, replace);
}

nt::Result<bool> VolumeFileSystem::read_directory(Context directory, std::optional<std::u16string_view>,
                                                  std::optional<std::u16string_view> marker, std::size_t,
                                                  DirectorySink& sink) {
    return volume_.read_directory(file_of(directory), marker, [&sink](const guest::DirectoryEntry& entry) {
        return sink.add(entry.name, entry.info);
    });
}

nt::Result<nt::FileInfo> VolumeFileSystem::entry_by_name(Context directory, std::u16string_view name,
                                                         std::u16string& real_name) {
    auto info = volume_.entry_of(file_of(directory), name);
    if (info) real_name = name;
    return info;
}

nt::Result<Resolved> VolumeFileSystem::resolve_reparse_points(std::u16string_view path, std::uint32_t index,
                                                              bool resolve_last) {
    return lab::fsd::resolve_reparse_points(
        [this](std::u16string_view name, bool) { return volume_.reparse_point_of(name); }, path, index,
        resolve_last);
}

nt::Result<std::size_t> VolumeFileSystem::get_reparse_point(Context file, std::u16string_view path,
                                                            std::span<std::byte> buffer) {
    const auto data = volume_.reparse_point(file_of(file), path);
    if (!data) return nt::fail(data.error());
    if (data->size() > buffer.size()) return nt::fail(nt::Status::kBufferTooSmall);
    std::ranges::copy(*data, buffer.begin());
    return data->size();
}

nt::Result<void> VolumeFileSystem::set_reparse_point(Context file, std::u16string_view path,
                                                     std::span<const std::byte> data) {
    return volume_.set_reparse_point(file_of(file), path, data);
}

nt::Result<void> VolumeFileSystem::delete_reparse_point(Context file, std::u16string_view path,
                                                        std::span<const std::byte> data) {
    return volume_.delete_reparse_point(file_of(file), path, data);
}

}  // namespace lab::fsd
