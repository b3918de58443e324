// NtSetInformationFile: basic information, sizes, position, deletion (winfsp-contract 5, 6 and 7).
#include <limits>

#include "lab/fsd/fsd_impl.h"
#include "lab/fsd/info_layout.h"
#include "nt/bytes.h"
#include "nt/info_class.h"

namespace lab::fsd {
namespace {

namespace access = nt::access;
namespace attribute = nt::file_attribute;
namespace file_class = nt::file_class;
using nt::get;
using nt::Status;

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();

std::size_t required_length(std::uint32_t information_class) {
    switch (information_class) {
        case file_class::kBasic:
            return layout::kBasicSize;
        case file_class::kRename:
        case file_class::kRenameEx:
            return layout::kRenameSize;
        case file_class::kDisposition:
            return layout::kDispositionSize;
        case file_class::kDispositionEx:
            return layout::kDispositionExSize;
        case file_class::kPosition:
            return layout::kPositionSize;
        case file_class::kMode:
            return layout::kModeSize;
        case file_class::kAllocation:
            return layout::kAllocationSize;
        case file_class::kEndOfFile:
            return layout::kEndOfFileSize;
        default:
            return 0;
    }
}

// The access the I/O manager wants on the handle.
std::uint32_t required_access(std::uint32_t information_class) {
    switch (information_class) {
        case file_class::kDisposition:
        case file_class::kDispositionEx:
        case file_class::kRename:
        case file_class::kRenameEx:
            return access::kDelete;
        case file_class::kAllocation:
        case file_class::kEndOfFile:
            return access::kWriteData;
        default:
            return 0;
    }
}

// 0, -1 and -2 leave a time as it is.
bool keeps_time(nt::FileTime time) {
    return time == 0 || time >= ~nt::FileTime{1};
}

bool is_valid_time(nt::FileTime time) {
    return time <= kMaxSize || keeps_time(time);
}

}  // namespace

IoStatus Fsd::Impl::set_information(FileId id, std::uint32_t information_class,
                                    std::span<const std::byte> buffer) {
    if (information_class == file_class::kRename || information_class == file_class::kRenameEx) {
        return rename_from_buffer(id, buffer, information_class == file_class::kRenameEx);
    }
    const auto active = enter_file(id);
    if (!active) return io(active.error());
    FileObject& object = **active;
    if (buffer.size() < required_length(information_class)) return io(Status::kInfoLengthMismatch);
    const std::uint32_t needed = required_access(information_class);
    if ((object.granted_access & needed) != needed) return io(Status::kAccessDenied);
    switch (information_class) {
        case file_class::kBasic:
            return set_basic(object, buffer);
        case file_class::kAllocation:
            return set_size(object, get<std::uint64_t>(buffer, 0), true);
        case file_class::kEndOfFile:
            return set_size(object, get<std::uint64_t>(buffer, 0), false);
        case file_class::kPosition:
            return set_position(object, get<std::uint64_t>(buffer, 0));
        case file_class::kDisposition:
            return set_disposition(object, get<std::uint8_t>(buffer, 0) != 0);
        case file_class::kDispositionEx:
            return set_disposition_ex(object, get<std::uint32_t>(buffer, 0));
        case file_class::kLink:
            return io(Status::kNotSupported);
        default:
            return io(Status::kInvalidParameter);
    }
}

IoStatus Fsd::Impl::set_basic(FileObject& object, std::span<const std::byte> buffer) {
    if (rules_.enforce_attribute_access && (object.granted_access & access::kWriteAttributes) == 0) {
        return io(Status::kAccessDenied);
    }
    std::uint32_t attributes = get<std::uint32_t>(buffer, 32);
    BasicInfoChange change{.attributes = std::nullopt,
                           .creation_time = get<nt::FileTime>(buffer, 0),
                           .last_access_time = get<nt::FileTime>(buffer, 8),
                           .last_write_time = get<nt::FileTime>(buffer, 16),
                           .change_time = get<nt::FileTime>(buffer, 24)};
    std::uint32_t history = did::kSetMetadata;
    for (nt::FileTime* time :
         {&change.creation_time, &change.last_access_time, &change.last_write_time, &change.change_time}) {
        if (!is_valid_time(*time)) return io(Status::kInvalidParameter);
        if (keeps_time(*time)) *time = 0;
    }
    if (change.last_access_time != 0) history |= did::kSetLastAccess;
    if (change.last_write_time != 0) history |= did::kSetLastWrite;
    if (change.change_time != 0) history |= did::kSetChangeTime;
    if (attributes != 0) {
        const bool directory = object.node->is_directory;
        if (directory && (attributes & attribute::kTemporary) != 0) return io(Status::kInvalidParameter);
        attributes &= ~(attribute::kNormal | attribute::kDirectory);
        if (directory) attributes |= attribute::kDirectory;
        change.attributes = attributes;
        history |= did::kSetAttributes;
    }
    const auto info = file_system_.set_basic_info(object.context, change);
    if (!info) return io(info.error());
    object.history |= history;
    nodes_.store_info(*object.node, *info);
    return io(Status::kSuccess);
}

IoStatus Fsd::Impl::set_size(FileObject& object, std::uint64_t bytes, bool allocation_size) {
    if (object.node->is_directory || bytes > kMaxSize) return io(Status::kInvalidParameter);
    const auto info = file_system_.set_file_size(
        object.context, allocation_size ? round_to_unit(bytes) : bytes, allocation_size);
    if (!info) return io(info.error());
    object.history |= did::kModify;
    nodes_.store_info(*object.node, *info);
    return io(Status::kSuccess);
}

IoStatus Fsd::Impl::set_position(FileObject& object, std::uint64_t bytes) const {
    if (bytes > kMaxSize || !is_aligned(object, bytes)) return io(Status::kInvalidParameter);
    object.position = bytes;
    return io(Status::kSuccess);
}

nt::Result<void> Fsd::Impl::dispose(FileObject& object, bool remove, bool ignore_read_only) {
    const std::shared_lock no_rename(rename_lock_);
    const std::u16string path = nodes_.snapshot(*object.node).path;
    if (is_root(path)) return nt::fail(Status::kCannotDelete);
    if (nodes_.is_posix_deleted(*object.node)) return nt::fail(Status::kFileDeleted);
    if (remove && !ignore_read_only) {
        const auto info = file_system_.file_info(object.context);
        if (!info) return nt::fail(info.error());
        if ((info->attributes & attribute::kReadOnly) != 0) return nt::fail(Status::kCannotDelete);
    }
    if (const auto allowed = file_system_.set_delete(object.context, path, remove); !allowed) return allowed;
    return nodes_.set_delete_pending(*object.node, remove);
}

IoStatus Fsd::Impl::set_disposition(FileObject& object, bool remove) {
    if (remove) {
        // Windows retries a failed FileDispositionInformationEx in this form: it fares no better.
        const Status before = object.disposition_status.exchange(Status::kSuccess);
        if (before != Status::kSuccess) return io(before);
    }
    const auto done = dispose(object, remove, false);
    if (done && !remove) object.posix_delete = false;
    return io(done);
}

IoStatus Fsd::Impl::set_disposition_ex(FileObject& object, std::uint32_t flags) {
    namespace flag = nt::disposition_flag;
    constexpr std::uint32_t kKnown = flag::kDelete | flag::kPosixSemantics | flag::kForceImageSectionCheck |
                                     flag::kOnClose | flag::kIgnoreReadOnly;
    if (!params_.supports_posix_unlink_rename || (flags & ~kKnown) != 0) return io(Status::kInvalidParameter);
    if ((flags & flag::kOnClose) != 0) return io(Status::kNotSupported);
    const bool remove = (flags & flag::kDelete) != 0;
    const auto done = dispose(object, remove, (flags & flag::kIgnoreReadOnly) != 0);
    if (done) {
        object.posix_delete = remove && (flags & flag::kPosixSemantics) != 0;
    } else if (remove &&
               (done.error() == Status::kAccessDenied || done.error() == Status::kDirectoryNotEmpty ||
                done.error() == Status::kCannotDelete)) {
        object.disposition_status = done.error();
    }
    return io(done);
}

IoStatus Fsd::Impl::rename_from_buffer(FileId id, std::span<const std::byte> buffer, bool extended) {
    if (buffer.size() < layout::kRenameSize) return io(Status::kInfoLengthMismatch);
    const std::size_t length = get<std::uint32_t>(buffer, layout::kRenameNameLength);
    if (length == 0 || length % sizeof(char16_t) != 0 || length > buffer.size() - layout::kRenameName) {
        return io(Status::kInvalidParameter);
    }
    const std::u16string name = nt::get_text(buffer, layout::kRenameName, length);
    RenameRequest request{.new_name = name,
                          .root = FileId{get<std::uint64_t>(buffer, layout::kRenameRoot)},
                          .extended = extended};
    if (extended) {
        request.flags = get<std::uint32_t>(buffer, 0);
    } else {
        request.replace_if_exists = get<std::uint8_t>(buffer, 0) != 0;
    }
    return rename(id, request);
}

}  // namespace lab::fsd
