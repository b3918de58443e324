// The create sequence: the I/O manager's checks, WinFsp's before and after the file system is asked,
// overwrite (winfsp-contract 4.1 to 4.4).
#include <limits>
#include <utility>

#include "lab/fsd/fsd_impl.h"
#include "lab/fsd/upcase.h"
#include "nt/reparse.h"

namespace lab::fsd {
namespace {

namespace access = nt::access;
namespace attribute = nt::file_attribute;
namespace option = nt::create_option;
using nt::CreateAction;
using nt::Disposition;
using nt::Status;

constexpr std::uint32_t kValidAttributes = 0x00007FB7;  // FILE_ATTRIBUTE_VALID_FLAGS
constexpr std::uint64_t kMaxAllocation = std::numeric_limits<std::int64_t>::max();
// How often the I/O manager starts a create afresh with the name that a reparse point gave.
constexpr int kMostRestarts = 63;
constexpr std::uint32_t kSynchronous = option::kSynchronousIoAlert | option::kSynchronousIoNonalert;

// NtCreateFile's own refusals, before any driver sees the request.
bool is_valid_request(const CreateRequest& request) {
    const std::uint32_t options = request.options;
    if (request.disposition > Disposition::kOverwriteIf) return false;
    if ((request.share_access & ~nt::share::kAll) != 0) return false;
    if ((request.attributes & ~kValidAttributes) != 0) return false;
    if ((options & kSynchronous) == kSynchronous) return false;
    if ((options & option::kDirectoryFile) != 0) {
        if ((options & option::kNonDirectoryFile) != 0) return false;
        if (request.disposition != Disposition::kOpen && request.disposition != Disposition::kCreate &&
            request.disposition != Disposition::kOpenIf) {
            return false;
        }
    }
    if ((options & option::kDeleteOnClose) != 0 && (request.desired_access & access::kDelete) == 0)
        return false;
    if (request.allocation_size > kMaxAllocation) return false;
    const bool unbuffered = (options & option::kNoIntermediateBuffering) != 0;
    return !unbuffered || (request.desired_access & access::kAppendData) == 0;
}

bool replaces_data(Disposition disposition) {
    return disposition == Disposition::kSupersede || disposition == Disposition::kOverwrite ||
           disposition == Disposition::kOverwriteIf;
}

// The right that overwriting takes besides what the caller asked for.
std::uint32_t extra_access(Disposition disposition) {
    if (disposition == Disposition::kSupersede) return access::kDelete;
    return replaces_data(disposition) ? access::kWriteData : 0;
}

CreateAction action_on_existing(Disposition disposition) {
    if (disposition == Disposition::kSupersede) return CreateAction::kSuperseded;
    return replaces_data(disposition) ? CreateAction::kOverwritten : CreateAction::kOpened;
}

// As the file system sees them: the disposition in the top byte.
std::uint32_t options_with(Disposition disposition, std::uint32_t options) {
    return (options & 0x00FFFFFF) | (static_cast<std::uint32_t>(disposition) << 24);
}

}  // namespace

CreateResult Fsd::Impl::create(const CreateRequest& request) {
    auto created = create_object(request, CreateKind::kFile);
    if (!created) return {.io = io(created.error())};
    const FileId id = objects_.add(created->object);
    return {.io = io(Status::kSuccess, static_cast<std::uint64_t>(created->action)), .file = id};
}

nt::Result<ParsedName> Fsd::Impl::name_of(const CreateRequest& request) const {
    if (request.related == FileId::kNone) return parse_name(std::nullopt, request.name, name_rules());
    const FileObjectRef related = objects_.find(request.related);
    if (!related) return nt::fail(Status::kInvalidHandle);
    if (related->is_volume()) return nt::fail(Status::kInvalidParameter);
    return parse_name(nodes_.snapshot(*related->node).path, request.name, name_rules());
}

nt::Result<Fsd::Impl::Created> Fsd::Impl::create_object(const CreateRequest& request, CreateKind kind) {
    if (!is_valid_request(request)) return nt::fail(Status::kInvalidParameter);
    if (request.name.empty() && request.related == FileId::kNone) {
        FileObjectRef volume = make_object();
        volume->granted_access = map_generic_access(request.desired_access);
        volume->share_access = request.share_access;
        volume->options = request.options;
        return Created{.object = std::move(volume), .action = CreateAction::kOpened};
    }
    CreateRequest present = request;
    std::u16string name;
    for (int restarts = 0; restarts <= kMostRestarts; ++restarts) {
        const std::shared_lock no_rename(rename_lock_);
        auto created = create_named(present, kind);
        if (created) return *std::move(created);
        if (created.error().status != Status::kReparse) return nt::fail(created.error().status);
        auto next = resolve(present, kind, created.error().reparse_index);
        if (!next) return nt::fail(next.error());
        name = *std::move(next);
        present.name = name;
        present.related = FileId::kNone;
    }
    return nt::fail(Status::kReparsePointNotResolved);
}

Checked<Fsd::Impl::Created> Fsd::Impl::create_named(const CreateRequest& request, CreateKind kind) {
    const auto refuse = [](Status status) { return std::unexpected(Refusal(status)); };
    if (kind == CreateKind::kTargetDirectory) {
        auto name = name_of(request);
        if (!name) return refuse(name.error());
        return open_target_directory(request, *name);
    }
    const auto plan = plan_create(request);
    if (!plan) return refuse(plan.error());
    const auto admission = open_or_make(*plan);
    if (!admission) return std::unexpected(admission.error());
    auto created = admit(*plan, *admission);
    if (!created) return refuse(created.error());
    return *std::move(created);
}

// What WinFsp's DLL and kernel half make of STATUS_REPARSE: the name to start again with.
nt::Result<std::u16string> Fsd::Impl::resolve(const CreateRequest& request, CreateKind kind,
                                              std::uint32_t index) {
    const auto name = name_of(request);
    if (!name) return nt::fail(name.error());
    const bool resolve_last = kind == CreateKind::kFile && (request.options & option::kOpenReparsePoint) == 0;
    const auto resolved = file_system_.resolve_reparse_points(name->path, index, resolve_last);
    if (!resolved) return nt::fail(resolved.error());
    // Other tags have no driver here, and no other volume is there to go on at.
    if (resolved->tag != nt::kReparseTagSymlink) return nt::fail(Status::kIoReparseTagNotHandled);
    auto link = nt::parse_symlink(resolved->data);
    if (!link) return nt::fail(link.error());
    if (!link->relative) return nt::fail(Status::kIoReparseTagNotHandled);
    return std::move(link->name);
}

nt::Result<Fsd::Impl::CreatePlan> Fsd::Impl::plan_create(const CreateRequest& request) const {
    const bool as_directory = (request.options & option::kDirectoryFile) != 0;
    if ((request.options & option::kOpenByFileId) != 0) return nt::fail(Status::kNotImplemented);
    if (request.has_ea) {
        if (!params_.extended_attributes) return nt::fail(Status::kEasNotSupported);
        if ((request.options & option::kNoEaKnowledge) != 0) return nt::fail(Status::kAccessDenied);
        return nt::fail(Status::kNotSupported);
    }
    if (as_directory && request.disposition != Disposition::kOpen &&
        (request.attributes & attribute::kTemporary) != 0) {
        return nt::fail(Status::kInvalidParameter);
    }
    auto name = name_of(request);
    if (!name) return nt::fail(name.error());
    if (name->stream_syntax && as_directory) return nt::fail(Status::kNotADirectory);
    if (!name->stream.empty()) return nt::fail(Status::kNotSupported);
    if (is_root(name->path)) {
        if (request.disposition != Disposition::kOpen && request.disposition != Disposition::kOpenIf) {
            return nt::fail(Status::kAccessDenied);
        }
        if ((request.options & option::kDeleteOnClose) != 0) return nt::fail(Status::kCannotDelete);
    }
    CreatePlan plan{.name = *std::move(name),
                    .desired_access = map_generic_access(request.desired_access),
                    .share_access = request.share_access,
                    .attributes = request.attributes &
                                  ~(attribute::kNormal | attribute::kDirectory | attribute::kReparsePoint),
                    .options = request.options,
                    .allocation_size = round_to_unit(request.allocation_size),
                    .disposition = request.disposition};
    if (as_directory) plan.attributes |= attribute::kDirectory;
    return plan;
}

Checked<Fsd::Impl::Admission> Fsd::Impl::open_or_make(const CreatePlan& plan) {
    if (plan.disposition == Disposition::kCreate) return make_new(plan);
    auto opened = open_existing(plan);
    const bool must_exist =
        plan.disposition == Disposition::kOpen || plan.disposition == Disposition::kOverwrite;
    if (opened || must_exist || opened.error().status != Status::kObjectNameNotFound) return opened;
    return make_new(plan);
}

Checked<Fsd::Impl::Admission> Fsd::Impl::open_existing(const CreatePlan& plan) {
    const std::uint32_t extra = extra_access(plan.disposition);
    auto granted = check_open(file_system_, params_, plan.name,
                              {.access = plan.desired_access | extra, .options = plan.options});
    if (!granted) return std::unexpected(granted.error());
    // What only the check needed is not the handle's.
    if ((plan.desired_access & access::kMaximumAllowed) == 0) *granted &= ~(extra & ~plan.desired_access);
    auto opened = file_system_.open(plan.name.path, options_with(plan.disposition, plan.options), *granted);
    if (!opened) return std::unexpected(Refusal(opened.error()));
    return Admission{.opened = *std::move(opened),
                     .granted_access = *granted,
                     .action = action_on_existing(plan.disposition)};
}

Checked<Fsd::Impl::Admission> Fsd::Impl::make_new(const CreatePlan& plan) {
    const AccessWanted wanted{.access = plan.desired_access, .options = plan.options};
    const auto granted = check_create(file_system_, params_, plan.name, wanted, plan.attributes);
    if (!granted) return std::unexpected(granted.error());
    auto made = file_system_.create(plan.name.path, options_with(plan.disposition, plan.options), *granted,
                                    plan.attributes, plan.allocation_size);
    if (!made) {
        if (made.error() != Status::kObjectNameCollision) return std::unexpected(Refusal(made.error()));
        return std::unexpected(collision_status(file_system_, params_, plan.name, wanted));
    }
    return Admission{
        .opened = *std::move(made), .granted_access = *granted, .action = CreateAction::kCreated};
}

nt::Result<Fsd::Impl::Created> Fsd::Impl::admit(const CreatePlan& plan, const Admission& admission) {
    const Opened& opened = admission.opened;
    const auto refuse = [&](Status status) {
        file_system_.close(opened.context);
        return nt::fail(status);
    };
    std::u16string path = plan.name.path;
    if (!params_.case_sensitive_search) {
        // Without the file system's own spelling WinFsp falls back on capitals, visible in the file's name.
        if (opened.normalized_name.empty()) {
            path = upcase(path);
        } else if (!equal_ignoring_case(opened.normalized_name, path)) {
            return refuse(Status::kObjectNameInvalid);
        } else {
            path = opened.normalized_name;
        }
    }
    FileObjectRef object = make_object();
    object->granted_access = admission.granted_access;
    object->share_access = plan.share_access;
    object->options = plan.options;
    object->delete_on_close = (plan.options & option::kDeleteOnClose) != 0;
    const bool overwriting =
        admission.action == CreateAction::kOverwritten || admission.action == CreateAction::kSuperseded;
    if (const auto joined =
            nodes_.admit(*object, path, opened, overwriting ? extra_access(plan.disposition) : 0);
        !joined) {
        return refuse(joined.error());
    }
    if (admission.action == CreateAction::kCreated && opened.info.allocation_size > opened.info.file_size &&
        plan.allocation_size != 0) {
        nodes_.set_truncate_on_close(*object->node);
    }
    if (overwriting) {
        if (const auto overwritten = overwrite(*object, plan, admission); !overwritten) {
            // Closed without a cleanup: no handle ever was.
            nodes_.withdraw(*object);
            object->node = nullptr;
            file_system_.close(object->context);
            return nt::fail(overwritten.error());
        }
    }
    return Created{.object = std::move(object), .action = admission.action};
}

nt::Result<void> Fsd::Impl::overwrite(FileObject& object, const CreatePlan& plan,
                                      const Admission& admission) {
    if (object.node->is_directory) return nt::fail(Status::kObjectNameCollision);
    const std::uint32_t kept = attribute::kHidden | attribute::kSystem;
    if ((admission.opened.info.attributes & kept & ~plan.attributes) != 0)
        return nt::fail(Status::kAccessDenied);
    const auto info = file_system_.overwrite(
        object.context, plan.attributes, admission.action == CreateAction::kSuperseded, plan.allocation_size);
    if (!info) return nt::fail(info.error());
    nodes_.store_info(*object.node, *info);
    nodes_.set_truncate_on_close(*object.node);
    return {};
}

// What the I/O manager opens for a rename: the directory that the new name is in.
Checked<Fsd::Impl::Created> Fsd::Impl::open_target_directory(const CreateRequest& request,
                                                             const ParsedName& name) {
    const auto refuse = [](Status status) { return std::unexpected(Refusal(status)); };
    if (is_root(name.path)) return refuse(Status::kAccessDenied);
    if (name.stream_syntax) return refuse(Status::kObjectNameInvalid);
    const std::u16string directory(parent_of(name.path));
    if (const auto found = check_parent(file_system_, params_, directory); !found)
        return std::unexpected(found.error());
    CreatePlan plan{.name = {.path = directory, .stream = {}},
                    .desired_access = map_generic_access(request.desired_access),
                    .share_access = request.share_access,
                    .options = request.options | option::kDirectoryFile};
    auto opened =
        file_system_.open(directory, options_with(plan.disposition, plan.options), plan.desired_access);
    if (!opened) return refuse(opened.error());
    Admission admission{.opened = *std::move(opened), .granted_access = plan.desired_access};
    admission.action = CreateAction::kDoesNotExist;
    if (file_system_.has_security_by_name() && file_system_.attributes_by_name(name.path)) {
        admission.action = CreateAction::kExists;
    }
    auto created = admit(plan, admission);
    if (!created) return refuse(created.error());
    created->object->target_name = last_component(name.path);
    return *std::move(created);
}

}  // namespace lab::fsd
