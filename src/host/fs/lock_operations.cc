// Locks of byte ranges (fcntl) and of whole files (flock). With each kind only where both sides agreed on it;
// otherwise the guest's kernel keeps them to itself.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <optional>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

namespace {

bool is_flock(const fuse::LkIn& in) {
    return (in.lk_flags & fuse::kLkFlock) != 0;
}

// flock's operation; nullopt if the type is none.
std::optional<int> flock_operation(std::uint32_t type) {
    switch (type) {
        case F_RDLCK:
            return LOCK_SH | LOCK_NB;
        case F_WRLCK:
            return LOCK_EX | LOCK_NB;
        case F_UNLCK:
            return LOCK_UN;
        default:
            return std::nullopt;
    }
}

}  // namespace

Errno FuseWorker::try_lock(const LockRequest& request) {
    const int file = request.file->fd.get();
    if (is_flock(request.in)) {
        const auto operation = flock_operation(request.in.lk.type);
        if (!operation) return Errno::kEINVAL;
        return ::flock(file, *operation) == 0 ? Errno::kNone : static_cast<Errno>(errno);
    }
    const auto set = server_.locks_.set(request.node, LockOwner{request.in.owner}, request.in.lk, [&] {
        // The guest has checked that its own file allows the lock.
        vhost_user::Fd opened = to_keep(reopen(file, (options_.readonly ? O_RDONLY : O_RDWR) | O_NONBLOCK));
        if (!opened && (errno == EROFS || errno == EACCES || errno == ETXTBSY || errno == EPERM))
            opened = to_keep(reopen(file, O_RDONLY | O_NONBLOCK));
        return opened;
    });
    return set ? Errno::kNone : set.error();
}

Errno FuseWorker::try_lock_again(const LockRequest& request) noexcept {
    try {
        return try_lock(request);
    } catch (const std::bad_alloc&) {
        return Errno::kENOLCK;
    }
}

void FuseWorker::unlock(const LockRequest& request) {
    LockRequest undone = request;
    undone.in.lk.type = F_UNLCK;
    static_cast<void>(try_lock(undone));
}

void FuseWorker::getlk(const InHeader& header, Arguments arguments, const Reply& reply) {
    if (!agreed(fuse::init_flag::kPosixLocks)) return reply.fail(Errno::kENOSYS);
    const auto in = arguments.fixed<fuse::LkIn>();
    if (!in || is_flock(*in)) return reply.fail(Errno::kEINVAL);
    const auto file = server_.files_.find(in->fh);
    if (file == nullptr) return reply.fail(Errno::kEBADF);
    const auto found = server_.locks_.in_the_way(header.node, LockOwner{in->owner}, in->lk, file->fd.get());
    if (!found) return reply.fail(found.error());
    reply.succeed(fuse::LkOut{.lk = *found});
}

void FuseWorker::set_lock(const InHeader& header, Arguments arguments, const Reply& reply, bool waits) {
    const auto in = arguments.fixed<fuse::LkIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto needed = is_flock(*in) ? fuse::init_flag::kFlockLocks : fuse::init_flag::kPosixLocks;
    if (!agreed(needed)) return reply.fail(Errno::kENOSYS);
    const LockRequest request{.node = header.node, .in = *in, .file = server_.files_.find(in->fh)};
    if (request.file == nullptr) return reply.fail(Errno::kEBADF);
    const Errno error = try_lock(request);
    if (error == Errno::kEAGAIN && waits) {
        if (!lock_waits_.add(request, reply)) reply.fail(Errno::kENOLCK);
        return;
    }
    reply.finish(static_cast<int>(error));
    if (error == Errno::kNone && in->lk.type != F_WRLCK) lock_waits_.look();
}

void FuseWorker::setlk(const InHeader& header, Arguments arguments, const Reply& reply) {
    set_lock(header, arguments, reply, false);
}

void FuseWorker::setlkw(const InHeader& header, Arguments arguments, const Reply& reply) {
    set_lock(header, arguments, reply, true);
}

void FuseWorker::interrupt(Arguments arguments) {
    const auto in = arguments.fixed<fuse::InterruptIn>();
    if (!in) return;
    server_.lock_wait_list_.interrupt(in->unique);
    lock_waits_.look();
}

void FuseWorker::release_locks(fuse::NodeId node, std::uint64_t owner) {
    if (!agreed(fuse::init_flag::kPosixLocks)) return;
    server_.locks_.release(node, LockOwner{owner});
    lock_waits_.look();
}

void FuseWorker::stop_waiting() noexcept {
    lock_waits_.cancel();
}

}  // namespace host
