// Asking for and changing attributes, times and sizes.
#include <algorithm>

#include "guest/volume/volume_impl.h"

namespace guest {

nt::Result<nt::FileInfo> Volume::Impl::file_info(File& file) {
    const KnownAttributes known = nodes().attributes(file.node());
    if (known.fresh && (known.mtime_is_ours || known.atime_is_ours)) return info_with_our_times(file, known);
    const auto attr = current_attributes(file);
    if (!attr) return fail(attr.error());
    return info_of(file.node(), *attr);
}

// A program asks for the times of what this guest has just made or written. They are this guest's, to the
// tick; so that they stay what they were, the host is told before the program is.
nt::Result<nt::FileInfo> Volume::Impl::info_with_our_times(File& file, const KnownAttributes& known) {
    fuse::SetAttrIn times{.mtime = known.attr.mtime, .mtimensec = known.attr.mtimensec};
    times.valid = fuse::set_attr::kMtime;
    if (known.atime_is_ours) {
        times.valid |= fuse::set_attr::kAtime;
        times.atime = known.attr.atime;
        times.atimensec = known.attr.atimensec;
    }
    const auto attr = change_attributes(file, times);
    if (attr) return info_of(file.node(), *attr);
    if (attr.error().error() == fuse::Errno::kNone) return fail(attr.error());
    const auto theirs = current_attributes(file);  // the host will not have them: its own times count
    if (!theirs) return fail(theirs.error());
    return info_of(file.node(), *theirs);
}

// Space that was set aside and not used goes back when the last handle is closed.
void Volume::Impl::give_up_set_aside(File& file) {
    const File::Subject& subject = file.subject();
    if (subject.kind != FileKind::kRegular || !nodes().take_set_aside(subject.node)) return;
    nodes().distrust_attributes(subject.node);  // others may have written to the file: cut where it ends now
    const auto attr = current_attributes(file);
    if (attr)
        static_cast<void>(change_attributes(file, {.valid = fuse::set_attr::kSize, .size = attr->size}));
}

HostResult<fuse::Attr> Volume::Impl::current_attributes(File& file) {
    const File::Subject& subject = file.subject();
    const KnownAttributes known = nodes().attributes(subject.node);
    if (known.fresh) return known.attr;
    std::optional<HostFileHandle> host_file;
    const auto handle = file.any_handle();
    if (handle != nullptr && handle->is_of(subject.node)) host_file = handle->handle();
    const auto id = walk_.id_of(subject.node);
    if (!id) return std::unexpected(id.error());
    const Asked asked = nodes().ask_now();
    const auto reply = session_->get_attributes(*id, host_file);
    if (!reply) return std::unexpected(reply.error());
    nodes().learn_attributes(subject.node, *reply, asked);
    return reply->attr;
}

HostResult<fuse::Attr> Volume::Impl::change_attributes(File& file, const fuse::SetAttrIn& change) {
    const File::Subject& subject = file.subject();
    std::optional<HostFileHandle> host_file;
    const auto handle = file.any_handle();
    const bool cuts = (change.valid & fuse::set_attr::kSize) != 0;
    if (handle != nullptr && handle->is_of(subject.node) && (handle->can_write() || !cuts)) {
        host_file = handle->handle();
    }
    const auto id = walk_.id_of(subject.node);
    if (!id) return std::unexpected(id.error());
    AttributeChange changing(nodes(), subject.node, AttributeChange::Kind::kSet);
    const Asked asked = nodes().ask_now();
    const auto reply = session_->set_attributes(*id, host_file, change);
    if (!reply) return std::unexpected(reply.error());
    if (cuts) file.was_written = true;
    return changing.set(*reply, asked);
}

std::uint32_t Volume::Impl::mode_for(const File& file, const fuse::Attr& attr, bool read_only) {
    constexpr std::uint32_t kOwnerMayWrite = 0200;
    const std::uint32_t mode = attr.mode & ~fuse::mode::kTypeMask;
    if (!read_only) return mode | kOwnerMayWrite | nodes().cleared_write_bits(file.node());
    if (without_write_bits(mode) != mode) {
        nodes().set_cleared_write_bits(file.node(), mode & ~without_write_bits(mode));
    }
    return without_write_bits(mode);
}

nt::Result<nt::FileInfo> Volume::Impl::overwrite(File& file, std::uint32_t attributes,
                                                 bool replace_attributes, std::uint64_t allocation_size) {
    if (file.kind() != FileKind::kRegular) return nt::fail(nt::Status::kAccessDenied);
    fuse::SetAttrIn change{.valid = fuse::set_attr::kSize, .size = 0};
    const fuse::Attr known = nodes().attributes(file.node()).attr;
    const bool was_read_only = without_write_bits(known.mode) == known.mode;
    const bool read_only = (attributes & nt::file_attribute::kReadOnly) != 0;
    if (read_only != was_read_only && (read_only || replace_attributes)) {
        change.valid |= fuse::set_attr::kMode;
        change.mode = mode_for(file, known, read_only);
    }
    auto attr = change_attributes(file, change);
    if (!attr) return fail(attr.error());
    if (allocation_size > 0) {
        set_aside(file, allocation_size);
        attr = nodes().attributes(file.node()).attr;
    }
    return file_info_of(*attr);
}

nt::Result<nt::FileInfo> Volume::Impl::set_basic_info(File& file, const BasicInfoChange& change) {
    namespace attribute = nt::file_attribute;
    constexpr std::uint32_t kUnstorable = attribute::kHidden | attribute::kSystem;
    constexpr std::uint32_t kKnown = attribute::kReadOnly | attribute::kArchive | attribute::kNormal |
                                     attribute::kDirectory | attribute::kReparsePoint;
    fuse::SetAttrIn set;
    if (change.attributes) {
        if ((*change.attributes & kUnstorable) != 0) return nt::fail(nt::Status::kNotSupported);
        if ((*change.attributes & ~kKnown) != 0) {
            log_once(Unstored::kOtherAttributes,
                     "attributes other than READONLY cannot be stored on the host yet and are dropped");
        }
        const auto attr = current_attributes(file);
        if (!attr) return fail(attr.error());
        const bool read_only = (*change.attributes & attribute::kReadOnly) != 0;
        const bool was_read_only = without_write_bits(attr->mode) == attr->mode;
        if (read_only != was_read_only && file.kind() != FileKind::kSymlink) {
            set.valid |= fuse::set_attr::kMode;
            set.mode = mode_for(file, *attr, read_only);
        }
    }
    if (change.creation_time != 0) {
        log_once(Unstored::kCreationTime, "creation times cannot be stored on the host yet and are dropped");
    }
    if (change.change_time != 0) {
        log_once(Unstored::kChangeTime, "change times are the host's own and cannot be set");
    }
    if (change.last_access_time != 0) {
        const HostTime time = host_time_of(change.last_access_time);
        set.valid |= fuse::set_attr::kAtime;
        set.atime = time.seconds;
        set.atimensec = time.nanoseconds;
    }
    if (change.last_write_time != 0) {
        const HostTime time = host_time_of(change.last_write_time);
        set.valid |= fuse::set_attr::kMtime;
        set.mtime = time.seconds;
        set.mtimensec = time.nanoseconds;
    }
    if (set.valid == 0) return file_info(file);
    const auto attr = change_attributes(file, set);
    if (!attr) return fail(attr.error());
    return info_of(file.node(), *attr);
}

nt::Result<nt::FileInfo> Volume::Impl::set_size(File& file, std::uint64_t bytes, SizeKind kind) {
    if (file.kind() != FileKind::kRegular) return nt::fail(nt::Status::kInvalidDeviceRequest);
    if (bytes > INT64_MAX) return nt::fail(nt::Status::kInvalidParameter);
    if (kind == SizeKind::kAllocation) {
        const auto attr = current_attributes(file);
        if (!attr) return fail(attr.error());
        if (bytes >= attr->size) {
            if (bytes > file_info_of(*attr).allocation_size) set_aside(file, bytes);
            return file_info_of(nodes().attributes(file.node()).attr);
        }
    }
    const auto attr = change_attributes(file, {.valid = fuse::set_attr::kSize, .size = bytes});
    if (!attr) return fail(attr.error());
    return file_info_of(*attr);
}

// An allocation is a hint: where the host file system cannot set space aside the file works all the same.
void Volume::Impl::set_aside(File& file, std::uint64_t bytes) {
    const auto handle = handle_for(file, Need::kWrite);
    if (!handle) return;
    AttributeChange change(nodes(), (*handle)->pin(), AttributeChange::Kind::kWrite);
    if (session_->allocate((*handle)->node(), (*handle)->handle(), 0,
                           std::min<std::uint64_t>(bytes, INT64_MAX))) {
        change.allocated(bytes);
    } else {
        change.nothing();
    }
}

}  // namespace guest
