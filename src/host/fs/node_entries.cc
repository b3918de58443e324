// What a name leads to, as the guest is told of it.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

namespace {

constexpr int kStatxFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;

std::unexpected<Errno> last_error() {
    return std::unexpected(static_cast<Errno>(errno));
}

// The part of a duration below a second.
std::uint32_t nanoseconds(std::chrono::nanoseconds time) {
    return static_cast<std::uint32_t>((time % std::chrono::seconds{1}).count());
}
std::uint64_t seconds(std::chrono::nanoseconds time) {
    return static_cast<std::uint64_t>(time / std::chrono::seconds{1});
}

bool can_be_opened(std::uint32_t type) {
    return type == fuse::mode::kDirectory || type == fuse::mode::kRegular;
}

}  // namespace

fuse::EntryOut FuseWorker::entry_of(fuse::NodeId id, const struct statx& status,
                                    std::uint64_t parent_mount) const {
    fuse::EntryOut entry{.node = id,
                         .entry_valid = seconds(options_.entry_timeout),
                         .attr_valid = seconds(options_.attr_timeout),
                         .entry_valid_nsec = nanoseconds(options_.entry_timeout),
                         .attr_valid_nsec = nanoseconds(options_.attr_timeout),
                         .attr = attr_of(status, options_)};
    if (agreed(fuse::init_flag::kSubmounts) && info_of(status, parent_mount).submount) {
        entry.attr.flags |= fuse::kAttrSubmount;
    }
    return entry;
}

FsResult<fuse::NodeId> FuseWorker::add_by_descriptor(const NodeTable::Pin& parent, vhost_user::Fd fd,
                                                     struct statx& status) {
    if (::statx(fd.get(), "", kStatxFlags | AT_EMPTY_PATH, kNodeStatx, &status) != 0) return last_error();
    const NodeInfo info = info_of(status, parent.info().key.mount);
    if (can_be_opened(info.type)) {
        static_cast<void>(server_.mounts_.handles_on(
            info.key.mount, fd.get(), info.type == fuse::mode::kDirectory, server_.proc_self_fd_.get()));
    }
    if (!server_.mounts_.known(info.key.mount)) {  // the node keeps it
        fd = to_keep(std::move(fd));
        if (!fd) return last_error();
    }
    return server_.nodes_.add(info, std::move(fd));
}

FsResult<fuse::EntryOut> FuseWorker::enter(const NodeTable::Pin& parent, const char* name) {
    struct statx status;
    if (::statx(parent.fd(), name, kStatxFlags, kNodeStatx, &status) != 0) return last_error();
    const std::uint64_t mount = parent.info().key.mount;
    if (const auto known = server_.nodes_.refer(info_of(status, mount), parent.fd(), name)) {
        return entry_of(*known, status, mount);
    }
    vhost_user::Fd fd =
        open_descriptor([&] { return ::openat(parent.fd(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC); });
    if (!fd) return last_error();
    const auto id = add_by_descriptor(parent, std::move(fd), status);
    if (!id) return std::unexpected(id.error());
    return entry_of(*id, status, mount);
}

// Cheaper than enter() for a node that may never be used, and needs no descriptor.
FsResult<fuse::EntryOut> FuseWorker::enter_by_handle(const NodeTable::Pin& parent, const char* name) {
    const std::uint64_t mount = parent.info().key.mount;
    if (!server_.mounts_.known(mount)) return enter(parent, name);
    struct statx status;
    if (::statx(parent.fd(), name, kStatxFlags, kNodeStatx, &status) != 0) return last_error();
    if (const auto known = server_.nodes_.refer(info_of(status, mount), parent.fd(), name)) {
        return entry_of(*known, status, mount);
    }
    if (status.stx_mnt_id != mount) return enter(parent, name);
    const auto handle = handle_of(parent.fd(), name);
    if (!handle || handle->mount != mount) return enter(parent, name);
    return entry_of(server_.nodes_.add(info_of(status, mount), *handle), status, mount);
}

FsResult<fuse::EntryOut> FuseWorker::enter_open(const NodeTable::Pin& parent, int file) {
    struct statx status;
    if (::statx(file, "", kStatxFlags | AT_EMPTY_PATH, kNodeStatx, &status) != 0) return last_error();
    const std::uint64_t mount = parent.info().key.mount;
    if (server_.mounts_.known(status.stx_mnt_id)) {
        if (const auto handle = handle_of(file, "")) {
            return entry_of(server_.nodes_.add(info_of(status, mount), *handle), status, mount);
        }
    }
    vhost_user::Fd fd = reopen(file, O_PATH);
    if (!fd) return last_error();
    const auto id = add_by_descriptor(parent, std::move(fd), status);
    if (!id) return std::unexpected(id.error());
    return entry_of(*id, status, mount);
}

void FuseWorker::answer_entry(const NodeTable::Pin& parent, const char* name, const Reply& reply) {
    const auto entry = enter(parent, name);
    if (!entry) return reply.fail(entry.error());
    reply.succeed(*entry);
}

void FuseWorker::lookup(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto name = arguments.name();
    if (!name) return reply.fail(Errno::kEINVAL);
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    answer_entry(*parent, name->c_str(), reply);
}

void FuseWorker::forget(const InHeader& header, Arguments arguments) {
    if (const auto forget = arguments.fixed<fuse::ForgetIn>()) forget_node(header.node, forget->nlookup);
}

void FuseWorker::forget_node(fuse::NodeId node, fuse::LookupCount count) {
    if (!server_.nodes_.forget(node, count)) return;
    server_.lock_wait_list_.cancel_node(node);
    server_.locks_.release_node(node);
}

void FuseWorker::batch_forget(Arguments arguments) {
    const auto batch = arguments.fixed<fuse::BatchForgetIn>();
    for (std::uint32_t left = batch ? batch->count : 0; left != 0; --left) {
        const auto one = arguments.fixed<fuse::ForgetOne>();
        if (!one) return;
        forget_node(one->node, one->nlookup);
    }
}

}  // namespace host
