#include "lab/fsd/access_check.h"

namespace lab::fsd {
namespace {

namespace access = nt::access;
namespace attribute = nt::file_attribute;
namespace option = nt::create_option;

constexpr std::uint32_t kReadOnlyForbids = access::kWriteData | access::kAppendData | access::kDeleteChild;

bool is_directory(std::uint32_t attributes) {
    return (attributes & attribute::kDirectory) != 0;
}
bool is_read_only(std::uint32_t attributes) {
    return (attributes & attribute::kReadOnly) != 0;
}

std::unexpected<Refusal> refuse(nt::Status status, std::uint32_t index = 0) {
    return std::unexpected(Refusal(status, index));
}

// To be resolved first, unless the caller wants the reparse point itself.
bool is_to_be_resolved(const VolumeParams& params, std::uint32_t attributes, std::uint32_t options) {
    return params.reparse_points && (attributes & attribute::kReparsePoint) != 0 &&
           (options & option::kOpenReparsePoint) == 0;
}

// kReparse for a path that a reparse point is on the way of.
Checked<std::uint32_t> attributes_of(FileSystem& file_system, std::u16string_view path) {
    const auto found = file_system.attributes_by_name(path);
    if (!found) return refuse(found.error());
    if (found->crosses_reparse_point) return refuse(nt::Status::kReparse, found->reparse_index);
    return found->attributes;
}

// Everything asked for is granted: there are no descriptors yet.
std::uint32_t grant(std::uint32_t wanted) {
    if ((wanted & access::kMaximumAllowed) == 0) return wanted;
    return (wanted & ~access::kMaximumAllowed) | access::kFileAllAccess;
}

}  // namespace

std::uint32_t map_generic_access(std::uint32_t wanted) noexcept {
    std::uint32_t mapped = wanted & ~(access::kGenericRead | access::kGenericWrite | access::kGenericExecute |
                                      access::kGenericAll);
    if ((wanted & access::kGenericRead) != 0) mapped |= access::kFileGenericRead;
    if ((wanted & access::kGenericWrite) != 0) mapped |= access::kFileGenericWrite;
    if ((wanted & access::kGenericExecute) != 0) mapped |= access::kFileGenericExecute;
    if ((wanted & access::kGenericAll) != 0) mapped |= access::kFileAllAccess;
    return mapped;
}

Checked<std::uint32_t> check_open(FileSystem& file_system, const VolumeParams& params, const ParsedName& name,
                                  const AccessWanted& wanted) {
    if (!file_system.has_security_by_name()) return grant(wanted.access);
    const auto attributes = attributes_of(file_system, name.path);
    if (!attributes) return std::unexpected(attributes.error());
    const bool directory = is_directory(*attributes);
    if (name.trailing_backslash && !directory) return refuse(nt::Status::kObjectNameInvalid);
    if (is_to_be_resolved(params, *attributes, wanted.options)) return refuse(nt::Status::kReparse);
    if ((wanted.options & option::kDirectoryFile) != 0 && !directory)
        return refuse(nt::Status::kNotADirectory);
    if (directory && ((wanted.options & option::kNonDirectoryFile) != 0 || name.stream_syntax)) {
        return refuse(nt::Status::kFileIsADirectory);
    }
    std::uint32_t granted = grant(wanted.access);
    if (is_read_only(*attributes)) {
        if (!directory) {
            if ((wanted.access & kReadOnlyForbids) != 0) return refuse(nt::Status::kAccessDenied);
            granted &= ~kReadOnlyForbids;
        }
        if ((wanted.options & option::kDeleteOnClose) != 0) return refuse(nt::Status::kCannotDelete);
    }
    return granted;
}

Checked<std::uint32_t> check_create(FileSystem& file_system, const VolumeParams& params,
                                    const ParsedName& name, const AccessWanted& wanted,
                                    std::uint32_t attributes) {
    if (!file_system.has_security_by_name()) return grant(wanted.access);
    if (name.trailing_backslash && (wanted.options & option::kDirectoryFile) == 0) {
        return refuse(nt::Status::kObjectNameInvalid);
    }
    if (is_read_only(attributes) && (wanted.options & option::kDeleteOnClose) != 0) {
        return refuse(nt::Status::kCannotDelete);
    }
    if (const auto parent = check_parent(file_system, params, parent_of(name.path)); !parent) {
        return std::unexpected(parent.error());
    }
    return grant(wanted.access);
}

Refusal collision_status(FileSystem& file_system, const VolumeParams& params, const ParsedName& name,
                         const AccessWanted& wanted) {
    const bool directory_matters = (wanted.options & option::kNonDirectoryFile) != 0;
    const bool reparse_matters = params.reparse_points && (wanted.options & option::kOpenReparsePoint) == 0;
    if (!file_system.has_security_by_name() || (!directory_matters && !reparse_matters)) {
        return nt::Status::kObjectNameCollision;
    }
    const auto existing = attributes_of(file_system, name.path);
    if (!existing && existing.error().status == nt::Status::kReparse) return existing.error();
    if (existing && reparse_matters && is_to_be_resolved(params, *existing, wanted.options)) {
        return nt::Status::kReparse;
    }
    if (existing && directory_matters && is_directory(*existing)) return nt::Status::kFileIsADirectory;
    return nt::Status::kObjectNameCollision;
}

Checked<void> check_parent(FileSystem& file_system, const VolumeParams& params,
                           std::u16string_view directory) {
    if (!file_system.has_security_by_name()) return {};
    const auto attributes = attributes_of(file_system, directory);
    if (!attributes) {
        return attributes.error().status == nt::Status::kObjectNameNotFound
                   ? refuse(nt::Status::kObjectPathNotFound)
                   : std::unexpected(attributes.error());
    }
    if (is_to_be_resolved(params, *attributes, 0)) return refuse(nt::Status::kReparse);
    if (!is_directory(*attributes)) return refuse(nt::Status::kNotADirectory);
    return {};
}

Checked<void> check_replace(FileSystem& file_system, std::u16string_view target, bool ignore_read_only) {
    if (!file_system.has_security_by_name()) return {};
    const auto attributes = attributes_of(file_system, target);
    if (!attributes) {
        if (attributes.error().status == nt::Status::kObjectNameNotFound) return {};
        return std::unexpected(attributes.error());
    }
    if (is_read_only(*attributes) && !ignore_read_only) return refuse(nt::Status::kCannotDelete);
    return {};
}

}  // namespace lab::fsd
