// Rename: the I/O manager's resolving of the new name, and WinFsp's rules for who may take it
// (winfsp-contract 10).
#include "lab/fsd/fsd_impl.h"
#include "nt/info_class.h"

namespace lab::fsd {
namespace {

namespace access = nt::access;
namespace flag = nt::rename_flag;
using nt::Status;

}  // namespace

IoStatus Fsd::Impl::rename(FileId id, const RenameRequest& request) {
    const auto active = enter_file(id);
    if (!active) return io(active.error());
    FileObject& object = **active;
    if ((object.granted_access & access::kDelete) == 0) return io(Status::kAccessDenied);
    if (request.extended && !params_.supports_posix_unlink_rename) return io(Status::kInvalidParameter);
    if (request.new_name.empty()) return io(Status::kInvalidParameter);
    const bool in_same_directory = request.root == FileId::kNone && !request.new_name.starts_with(u'\\');
    if (in_same_directory) return rename_locked(object, request, nullptr);

    // NT does not share DELETE here: a directory that someone may delete takes no new names.
    const std::uint32_t needed = object.node->is_directory ? access::kAppendData : access::kWriteData;
    const auto target = create_object({.name = request.new_name,
                                       .related = request.root,
                                       .desired_access = needed | access::kSynchronize,
                                       .share_access = nt::share::kRead | nt::share::kWrite,
                                       .options = nt::create_option::kOpenForBackupIntent},
                                      CreateKind::kTargetDirectory);
    if (!target) return io(target.error());
    const IoStatus result = rename_locked(object, request, target->object.get());
    // The close follows when the reference goes.
    cleanup(*target->object);
    return result;
}

IoStatus Fsd::Impl::rename_locked(FileObject& object, const RenameRequest& request,
                                  const FileObject* target_directory) {
    const std::unique_lock no_opens(rename_lock_);
    const std::uint32_t flags = request.extended ? request.flags : 0;
    const bool replace = request.replace_if_exists || (flags & flag::kReplaceIfExists) != 0;
    NodeTable::RenamePlan plan{
        .from = nodes_.snapshot(*object.node).path, .to = {}, .posix = (flags & flag::kPosixSemantics) != 0};
    if (is_root(plan.from)) return io(Status::kInvalidParameter);
    if (nodes_.is_posix_deleted(*object.node)) return io(Status::kAccessDenied);
    if (target_directory != nullptr) {
        plan.to = join(nodes_.snapshot(*target_directory->node).path, target_directory->target_name);
    } else {
        std::u16string_view name = request.new_name;
        if (name.ends_with(u'\\')) name.remove_suffix(1);
        if (!is_legal_component(name, params_.max_component_length)) return io(Status::kObjectNameInvalid);
        plan.to = join(parent_of(plan.from), name);
    }
    if (const auto allowed = nodes_.check_rename(*object.node, plan); !allowed) return io(allowed);
    if (plan.from == plan.to) return io(Status::kSuccess);
    if (replace) {
        const auto allowed = check_replace(file_system_, plan.to, (flags & flag::kIgnoreReadOnly) != 0);
        if (!allowed) return io(allowed.error().status);
    }
    if (const auto renamed = file_system_.rename(object.context, plan.from, plan.to, replace); !renamed) {
        return io(renamed);
    }
    nodes_.rename(plan);
    object.history |= did::kSetMetadata;
    return io(Status::kSuccess);
}

}  // namespace lab::fsd
