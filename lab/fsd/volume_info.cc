// NtQuery/SetVolumeInformationFile (winfsp-contract 2) and the file system controls that need no file system
// (12).
#include "lab/fsd/fsd_impl.h"
#include "lab/fsd/info_layout.h"
#include "nt/bytes.h"
#include "nt/info_class.h"

namespace lab::fsd {
namespace {

namespace fs_class = nt::fs_class;
using nt::get;
using nt::put;
using nt::Status;

constexpr std::uint32_t kDeviceDisk = 7;        // FILE_DEVICE_DISK
constexpr std::uint32_t kDeviceMounted = 0x20;  // FILE_DEVICE_IS_MOUNTED
constexpr std::size_t kMaxLabelUnits = 32;

constexpr std::size_t kPersistentStateSize = 16;  // FILE_FS_PERSISTENT_VOLUME_INFORMATION
constexpr std::uint32_t kShortNameCreationDisabled =
    1;  // PERSISTENT_VOLUME_STATE_SHORT_NAME_CREATION_DISABLED

std::size_t required_length(std::uint32_t information_class) {
    switch (information_class) {
        case fs_class::kVolume:
            return layout::kFsVolumeSize;
        case fs_class::kSize:
            return layout::kFsSizeSize;
        case fs_class::kDevice:
            return layout::kFsDeviceSize;
        case fs_class::kAttribute:
            return layout::kFsAttributeSize;
        case fs_class::kFullSize:
            return layout::kFsFullSizeSize;
        default:
            return 0;
    }
}

std::uint32_t attributes_of(const VolumeParams& params) {
    namespace flag = nt::fs_attribute;
    std::uint32_t attributes = 0;
    if (params.case_sensitive_search) attributes |= flag::kCaseSensitiveSearch;
    if (params.case_preserved_names) attributes |= flag::kCasePreservedNames;
    if (params.unicode_on_disk) attributes |= flag::kUnicodeOnDisk;
    if (params.persistent_acls) attributes |= flag::kPersistentAcls;
    if (params.reparse_points) attributes |= flag::kReparsePoints;
    if (params.named_streams) attributes |= flag::kNamedStreams;
    if (params.extended_attributes) attributes |= flag::kExtendedAttributes;
    if (params.read_only_volume) attributes |= flag::kReadOnlyVolume;
    if (params.supports_posix_unlink_rename) attributes |= flag::kPosixUnlinkRename;
    return attributes;
}

// Empty names and those that begin like a path or an option come with "WinFsp" before them.
std::u16string reported_name(std::u16string_view name) {
    const bool bare = name.empty() || name[0] == u'-' || name[0] == u'/' || name[0] == u'\\';
    return (bare ? u"WinFsp" : u"") + std::u16string(name);
}

IoStatus put_name(std::span<std::byte> buffer, std::size_t offset, std::u16string_view name) {
    const std::size_t written = nt::put_text(buffer, offset, name);
    const bool whole = written == name.size() * sizeof(char16_t);
    return io(whole ? Status::kSuccess : Status::kBufferOverflow, offset + written);
}

}  // namespace

IoStatus Fsd::Impl::query_volume_information(FileId id, std::uint32_t information_class,
                                             std::span<std::byte> buffer) {
    const auto active = enter(id);
    if (!active) return io(active.error());
    const std::size_t length = required_length(information_class);
    if (buffer.size() < length) return io(Status::kInfoLengthMismatch);
    if (information_class == fs_class::kDevice) {
        put(buffer, 0, kDeviceDisk);
        put(buffer, 4, kDeviceMounted);
        return io(Status::kSuccess, length);
    }
    if (information_class == fs_class::kAttribute) {
        const std::u16string name = reported_name(params_.file_system_name);
        put(buffer, 0, attributes_of(params_));
        put(buffer, 4, std::uint32_t{params_.max_component_length});
        put(buffer, 8, static_cast<std::uint32_t>(name.size() * sizeof(char16_t)));
        return put_name(buffer, 12, name);
    }
    if (length == 0) return io(Status::kInvalidParameter);
    const auto info = file_system_.volume_info();
    if (!info) return io(info.error());
    const std::uint64_t total = info->total_bytes / allocation_unit();
    const std::uint64_t free = info->free_bytes / allocation_unit();
    switch (information_class) {
        case fs_class::kVolume:
            put(buffer, 0, params_.creation_time);
            put(buffer, 8, params_.serial_number);
            put(buffer, 12, static_cast<std::uint32_t>(info->label.size() * sizeof(char16_t)));
            put(buffer, 16, std::uint16_t{0});  // SupportsObjects, padding
            return put_name(buffer, 18, info->label);
        case fs_class::kSize:
            put(buffer, 0, total);
            put(buffer, 8, free);
            put(buffer, 16, std::uint32_t{params_.sectors_per_allocation_unit});
            put(buffer, 20, std::uint32_t{params_.sector_size});
            break;
        default:  // kFullSize
            put(buffer, 0, total);
            put(buffer, 8, free);   // to the caller
            put(buffer, 16, free);  // actually
            put(buffer, 24, std::uint32_t{params_.sectors_per_allocation_unit});
            put(buffer, 28, std::uint32_t{params_.sector_size});
            break;
    }
    return io(Status::kSuccess, length);
}

IoStatus Fsd::Impl::set_volume_information(FileId id, std::uint32_t information_class,
                                           std::span<const std::byte> buffer) {
    const auto active = enter(id);
    if (!active) return io(active.error());
    if (information_class != fs_class::kLabel) return io(Status::kInvalidParameter);
    if (buffer.size() < layout::kFsLabelSize) return io(Status::kInfoLengthMismatch);
    if (((*active)->granted_access & nt::access::kWriteData) == 0) return io(Status::kAccessDenied);
    const std::size_t length = get<std::uint32_t>(buffer, 0);
    if (length % sizeof(char16_t) != 0 || length > buffer.size() - 4 ||
        length > kMaxLabelUnits * sizeof(char16_t)) {
        return io(Status::kInvalidParameter);
    }
    const auto info = file_system_.set_volume_label(nt::get_text(buffer, 4, length));
    return io(info ? Status::kSuccess : info.error());
}

IoStatus Fsd::Impl::fs_control(FileId id, std::uint32_t code, std::span<const std::byte> in,
                               std::span<std::byte> out) {
    const auto active = enter(id);
    if (!active) return io(active.error());
    switch (code) {
        case nt::fsctl::kIsVolumeMounted:
            return io(Status::kSuccess);
        case nt::fsctl::kQueryPersistentVolumeState: {
            if (in.size() < kPersistentStateSize) return io(Status::kInvalidParameter);
            if (out.size() < kPersistentStateSize) return io(Status::kBufferTooSmall);
            const auto mask = get<std::uint32_t>(in, 4);
            const auto version = get<std::uint32_t>(in, 8);
            if (version != 1 || (mask & kShortNameCreationDisabled) == 0)
                return io(Status::kInvalidParameter);
            put(out, 0, kShortNameCreationDisabled);
            put(out, 4, kShortNameCreationDisabled);
            put(out, 8, std::uint32_t{1});
            put(out, 12, std::uint32_t{0});
            return io(Status::kSuccess, kPersistentStateSize);
        }
        case nt::fsctl::kGetReparsePoint:
        case nt::fsctl::kSetReparsePoint:
        case nt::fsctl::kDeleteReparsePoint:
            return reparse_control(**active, code, in, out);
        default:
            return io(Status::kInvalidDeviceRequest);
    }
}

}  // namespace lab::fsd
