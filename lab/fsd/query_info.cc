// NtQueryInformationFile: which class may be asked how, and what it answers (winfsp-contract 7).
#include <algorithm>

#include "lab/fsd/fsd_impl.h"
#include "lab/fsd/info_layout.h"
#include "nt/bytes.h"
#include "nt/info_class.h"

namespace lab::fsd {
namespace {

namespace access = nt::access;
namespace file_class = nt::file_class;
using nt::put;
using nt::Status;

// The smallest buffer the I/O manager lets through; 0 for classes it does not size here.
std::size_t required_length(std::uint32_t information_class) {
    switch (information_class) {
        case file_class::kBasic:
            return layout::kBasicSize;
        case file_class::kStandard:
            return layout::kStandardSize;
        case file_class::kInternal:
            return layout::kInternalSize;
        case file_class::kEa:
            return layout::kEaSize;
        case file_class::kAccess:
            return layout::kAccessSize;
        case file_class::kName:
        case file_class::kAlternateName:
        case file_class::kNormalizedName:
            return layout::kNameSize;
        case file_class::kPosition:
            return layout::kPositionSize;
        case file_class::kMode:
            return layout::kModeSize;
        case file_class::kAlignment:
            return layout::kAlignmentSize;
        case file_class::kAll:
            return layout::kAllSize;
        case file_class::kNetworkOpen:
            return layout::kNetworkOpenSize;
        case file_class::kAttributeTag:
            return layout::kAttributeTagSize;
        case file_class::kIsRemoteDevice:
            return 1;
        default:
            return 0;
    }
}

bool reads_attributes(std::uint32_t information_class) {
    return information_class == file_class::kBasic || information_class == file_class::kNetworkOpen ||
           information_class == file_class::kAttributeTag || information_class == file_class::kAll;
}

void put_basic(std::span<std::byte> buffer, const nt::FileInfo& info) {
    put(buffer, 0, info.creation_time);
    put(buffer, 8, info.last_access_time);
    put(buffer, 16, info.last_write_time);
    put(buffer, 24, info.change_time);
    put(buffer, 32, layout::reported_attributes(info.attributes));
    put(buffer, 36, std::uint32_t{0});
}

struct StandardState {
    std::uint64_t allocation_size = 0;
    bool delete_pending = false;
    bool directory = false;
};

void put_standard(std::span<std::byte> buffer, const nt::FileInfo& info, const StandardState& state) {
    put(buffer, 0, state.allocation_size);
    put(buffer, 8, info.file_size);
    put(buffer, 16, std::uint32_t{1});  // NumberOfLinks, whatever the file system says
    put(buffer, 20, std::uint8_t{state.delete_pending});
    put(buffer, 21, std::uint8_t{state.directory});
    put(buffer, 22, std::uint16_t{0});
}

std::uint32_t reported_ea_size(const nt::FileInfo& info) {
    return info.ea_size == 0 ? 0 : info.ea_size + 4;
}

// FILE_MODE_INFORMATION: the create options that describe how the handle does I/O.
std::uint32_t mode_of(const FileObject& object) {
    namespace option = nt::create_option;
    return object.options &
           (option::kWriteThrough | option::kSequentialOnly | option::kNoIntermediateBuffering |
            option::kSynchronousIoAlert | option::kSynchronousIoNonalert | option::kDeleteOnClose);
}

}  // namespace

IoStatus Fsd::Impl::query_name(FileObject& object, std::span<std::byte> buffer) const {
    const std::u16string path = nodes_.snapshot(*object.node).path;
    put(buffer, 0, static_cast<std::uint32_t>(path.size() * sizeof(char16_t)));
    const std::size_t written = nt::put_text(buffer, 4, path);
    const bool whole = written == path.size() * sizeof(char16_t);
    return io(whole ? Status::kSuccess : Status::kBufferOverflow, 4 + written);
}

IoStatus Fsd::Impl::query_all(FileObject& object, std::span<std::byte> buffer) {
    const auto info = current_info(object);
    if (!info) return io(info.error());
    put_basic(buffer, *info);
    put_standard(buffer.subspan(layout::kAllStandard), *info,
                 {.allocation_size = round_to_unit(std::max(info->allocation_size, info->file_size)),
                  .delete_pending = nodes_.snapshot(*object.node).delete_pending,
                  .directory = object.node->is_directory});
    put(buffer, layout::kAllInternal, info->index_number);
    put(buffer, layout::kAllEa, reported_ea_size(*info));
    put(buffer, layout::kAllAccess, object.granted_access);
    put(buffer, layout::kAllPosition, object.position.load());
    put(buffer, layout::kAllMode, mode_of(object));
    put(buffer, layout::kAllAlignment, std::uint32_t{0});
    const IoStatus name = query_name(object, buffer.subspan(layout::kAllName));
    return io(name.status, layout::kAllName + name.information);
}

IoStatus Fsd::Impl::query_information(FileId id, std::uint32_t information_class,
                                      std::span<std::byte> buffer) {
    const auto active = enter_file(id);
    if (!active) return io(active.error());
    FileObject& object = **active;
    const std::size_t length = required_length(information_class);
    if (buffer.size() < length) return io(Status::kInfoLengthMismatch);
    if (rules_.enforce_attribute_access && reads_attributes(information_class) &&
        (object.granted_access & access::kReadAttributes) == 0) {
        return io(Status::kAccessDenied);
    }
    // Answered without the file system.
    switch (information_class) {
        case file_class::kAccess:
            put(buffer, 0, object.granted_access);
            return io(Status::kSuccess, length);
        case file_class::kMode:
            put(buffer, 0, mode_of(object));
            return io(Status::kSuccess, length);
        case file_class::kAlignment:
            put(buffer, 0, std::uint32_t{0});
            return io(Status::kSuccess, length);
        case file_class::kPosition:
            put(buffer, 0, object.position.load());
            return io(Status::kSuccess, length);
        case file_class::kIsRemoteDevice:
            put(buffer, 0, std::uint8_t{0});
            return io(Status::kSuccess, length);
        case file_class::kName:
        case file_class::kNormalizedName:
            return query_name(object, buffer);
        case file_class::kAll:
            return query_all(object, buffer);
        case file_class::kAlternateName:
            return io(Status::kObjectNameNotFound);
        case file_class::kHardLink:
            return io(Status::kNotSupported);
        case file_class::kStat:
        case file_class::kStatLx:
            return io(Status::kInvalidInfoClass);
        case file_class::kStream:
            // The seam has no GetStreamInfo yet.
            return io(params_.named_streams ? Status::kInvalidDeviceRequest : Status::kInvalidParameter);
        case file_class::kBasic:
        case file_class::kStandard:
        case file_class::kInternal:
        case file_class::kEa:
        case file_class::kNetworkOpen:
        case file_class::kAttributeTag:
            break;
        default:
            return io(Status::kInvalidParameter);
    }
    const auto info = current_info(object);
    if (!info) return io(info.error());
    const std::uint64_t allocation = round_to_unit(std::max(info->allocation_size, info->file_size));
    switch (information_class) {
        case file_class::kBasic:
            put_basic(buffer, *info);
            break;
        case file_class::kStandard:
            put_standard(buffer, *info,
                         {.allocation_size = allocation,
                          .delete_pending = nodes_.snapshot(*object.node).delete_pending,
                          .directory = object.node->is_directory});
            break;
        case file_class::kInternal:
            put(buffer, 0, info->index_number);
            break;
        case file_class::kEa:
            put(buffer, 0, reported_ea_size(*info));
            break;
        case file_class::kAttributeTag:
            put(buffer, 0, layout::reported_attributes(info->attributes));
            put(buffer, 4, info->reparse_tag);
            break;
        default:  // kNetworkOpen
            put_basic(buffer, *info);
            put(buffer, 32, allocation);
            put(buffer, 40, info->file_size);
            put(buffer, 48, layout::reported_attributes(info->attributes));
            put(buffer, 52, std::uint32_t{0});
            break;
    }
    return io(Status::kSuccess, length);
}

}  // namespace lab::fsd
