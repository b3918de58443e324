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

// Following reparse points is not modelled yet: they open with kOpenReparsePoint only.
bool is_unresolved(const VolumeParams& params, std::uint32_t attributes, std::uint32_t options) {
    return params.reparse_points && (attributes & attribute::kReparsePoint) != 0 &&
           (options & option::kOpenReparsePoint) == 0;
}

nt::Result<std::uint32_t> attributes_of(FileSystem& file_system, std::u16string_view path) {
    auto attributes = file_system.attributes_by_name(path);
    if (!attributes && attributes.error() == nt::Status::kReparse) {
        return nt::fail(nt::Status::kIoReparseTagNotHandled);
    }
    return attributes;
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

nt::Result<std::uint32_t> check_open(FileSystem& file_system, const VolumeParams& params,
                                     const ParsedName& name, const AccessWanted& wanted) {
    if (!file_system.has_security_by_name()) return grant(wanted.access);
    const auto attributes = attributes_of(file_system, name.path);
    if (!attributes) return nt::fail(attributes.error());
    const bool directory = is_directory(*attributes);
    if (name.trailing_backslash && !directory) return nt::fail(nt::Status::kObjectNameInvalid);
    if (is_unresolved(params, *attributes, wanted.options))
        return nt::fail(nt::Status::kIoReparseTagNotHandled);
    if ((wanted.options & option::kDirectoryFile) != 0 && !directory)
        return nt::fail(nt::Status::kNotADirectory);
    if (directory && ((wanted.options & option::kNonDirectoryFile) != 0 || name.stream_syntax)) {
        return nt::fail(nt::Status::kFileIsADirectory);
    }
    std::uint32_t granted = grant(wanted.access);
    if (is_read_only(*attributes)) {
        if (!directory) {
            if ((wanted.access & kReadOnlyForbids) != 0) return nt::fail(nt::Status::kAccessDenied);
            granted &= ~kReadOnlyForbids;
        }
        if ((wanted.options & option::kDeleteOnClose) != 0) return nt::fail(nt::Status::kCannotDelete);
    }
    return granted;
}

nt::Result<std::uint32_t> check_create(FileSystem& file_system, const VolumeParams& params,
                                       const ParsedName& name, const AccessWanted& wanted,
                                       std::uint32_t attributes) {
    if (!file_system.has_security_by_name()) return grant(wanted.access);
    if (name.trailing_backslash && (wanted.options & option::kDirectoryFile) == 0) {
        return nt::fail(nt::Status::kObjectNameInvalid);
    }
    if (is_read_only(attributes) && (wanted.options & option::kDeleteOnClose) != 0) {
        return nt::fail(nt::Status::kCannotDelete);
    }
    if (const auto parent = check_parent(file_system, params, parent_of(name.path)); !parent) {
        return nt::fail(parent.error());
    }
    return grant(wanted.access);
}

nt::Status collision_status(FileSystem& file_system, const VolumeParams& params, const ParsedName& name,
                            const AccessWanted& wanted) {
    const bool directory_matters = (wanted.options & option::kNonDirectoryFile) != 0;
    const bool reparse_matters = params.reparse_points && (wanted.options & option::kOpenReparsePoint) == 0;
    if (!file_system.has_security_by_name() || (!directory_matters && !reparse_matters)) {
        return nt::Status::kObjectNameCollision;
    }
    const auto existing = attributes_of(file_system, name.path);
    if (existing && directory_matters && is_directory(*existing)) return nt::Status::kFileIsADirectory;
    return nt::Status::kObjectNameCollision;
}

nt::Result<void> check_parent(FileSystem& file_system, const VolumeParams& params,
                              std::u16string_view directory) {
    if (!file_system.has_security_by_name()) return {};
    const auto attributes = attributes_of(file_system, directory);
    if (!attributes) {
        return nt::fail(attributes.error() == nt::Status::kObjectNameNotFound
                            ? nt::Status::kObjectPathNotFound
                            : attributes.error());
    }
    if (is_unresolved(params, *attributes, 0)) return nt::fail(nt::Status::kIoReparseTagNotHandled);
    if (!is_directory(*attributes)) return nt::fail(nt::Status::kNotADirectory);
    return {};
}

nt::Result<void> check_replace(FileSystem& file_system, std::u16string_view target, bool ignore_read_only) {
    if (!file_system.has_security_by_name()) return {};
    const auto attributes = attributes_of(file_system, target);
    if (!attributes) {
        if (attributes.error() == nt::Status::kObjectNameNotFound) return {};
        return nt::fail(attributes.error());
    }
    if (is_read_only(*attributes) && !ignore_read_only) return nt::fail(nt::Status::kCannotDelete);
    return {};
}

}  // namespace lab::fsd
