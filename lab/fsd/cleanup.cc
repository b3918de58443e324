// The end of a handle: IRP_MJ_CLEANUP and IRP_MJ_CLOSE, deletion among them (winfsp-contract 5).
#include "lab/fsd/fsd_impl.h"

namespace lab::fsd {

void Fsd::Impl::cleanup(FileId id) {
    const FileObjectRef object = objects_.find(id);
    if (!object) return;
    {
        // Waits for the handle's operations; later ones find it cleaned up.
        const std::unique_lock alone(object->activity);
        if (object->cleaned_up.exchange(true)) return;
    }
    cleanup(*object);
}

void Fsd::Impl::cleanup(FileObject& object) {
    if (object.is_volume()) return;
    const std::shared_lock no_rename(rename_lock_);
    const CleanupPlan plan = nodes_.begin_cleanup(object);
    if (plan.wanted) {
        std::optional<std::u16string_view> path;
        if (plan.flags.remove) path = plan.path;
        file_system_.cleanup(object.context, path, plan.flags);
    }
    nodes_.finish_cleanup(object, plan);
}

void Fsd::Impl::close(FileId id) {
    // A close without cleanup is the caller's mistake; the file system must not see one.
    cleanup(id);
    // The reference dropped here is the last unless an operation is still running.
    objects_.take(id);
}

}  // namespace lab::fsd
