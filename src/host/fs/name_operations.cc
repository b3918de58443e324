// Names: links, removing, renaming.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

// The node, if the guest knows it, that is left without a name when this one goes. The guest may hold it
// without having it open: a process in the directory, a handle of Windows that is for deleting only.
std::optional<NodeTable::Pin> FuseWorker::node_without_name(const NodeTable::Pin& parent,
                                                            const char* name) const {
    struct statx status;
    if (::statx(parent.fd(), name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kNodeStatx, &status) != 0) {
        return std::nullopt;
    }
    if (!S_ISDIR(status.stx_mode) && status.stx_nlink != 1) return std::nullopt;
    return server_.nodes_.pin_known(info_of(status, parent.info().key.mount).key);
}

void FuseWorker::link(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::LinkIn>();
    const auto name = in ? arguments.name() : std::nullopt;
    if (!name) return reply.fail(Errno::kEINVAL);
    const auto node = pin(in->oldnode);
    if (!node) return reply.fail(node.error());
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    const DescriptorPath path(node->fd());
    if (::linkat(server_.proc_self_fd_.get(), path.c_str(), parent->fd(), name->c_str(), AT_SYMLINK_FOLLOW) !=
        0) {
        return reply.finish(errno);
    }
    answer_entry(*parent, name->c_str(), reply);
}

void FuseWorker::unlink(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto name = arguments.name();
    if (!name) return reply.fail(Errno::kEINVAL);
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    const auto removed = node_without_name(*parent, name->c_str());
    const int error = ::unlinkat(parent->fd(), name->c_str(), 0) == 0 ? 0 : errno;
    if (error == 0 && removed) NodeTable::outlive_names(*removed);
    reply.finish(error);
}

void FuseWorker::rmdir(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto name = arguments.name();
    if (!name) return reply.fail(Errno::kEINVAL);
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    const auto removed = node_without_name(*parent, name->c_str());
    const int error = ::unlinkat(parent->fd(), name->c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
    if (error == 0 && removed) NodeTable::outlive_names(*removed);
    reply.finish(error);
}

void FuseWorker::rename_with(const InHeader& header, fuse::NodeId new_directory, std::uint32_t flags,
                             Arguments arguments, const Reply& reply) {
    const auto old_name = arguments.name();
    const auto new_name = old_name ? arguments.name() : std::nullopt;
    constexpr std::uint32_t kKnown = fuse::kRenameNoReplace | fuse::kRenameExchange | fuse::kRenameWhiteout;
    if (!new_name || (flags & ~kKnown) != 0) return reply.fail(Errno::kEINVAL);
    const auto from = pin(header.node);
    if (!from) return reply.fail(from.error());
    const auto to = pin(new_directory);
    if (!to) return reply.fail(to.error());
    const auto replaced =
        (flags & fuse::kRenameNoReplace) == 0 ? node_without_name(*to, new_name->c_str()) : std::nullopt;
    const int result = flags == 0
                           ? ::renameat(from->fd(), old_name->c_str(), to->fd(), new_name->c_str())
                           : ::renameat2(from->fd(), old_name->c_str(), to->fd(), new_name->c_str(), flags);
    const int error = result == 0 ? 0 : errno;
    if (error == 0 && replaced && (flags & fuse::kRenameExchange) == 0) NodeTable::outlive_names(*replaced);
    reply.finish(error);
}

void FuseWorker::rename(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::RenameIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    rename_with(header, in->newdir, 0, arguments, reply);
}

void FuseWorker::rename2(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::Rename2In>();
    if (!in) return reply.fail(Errno::kEINVAL);
    rename_with(header, in->newdir, in->flags, arguments, reply);
}

void FuseWorker::readlink(const InHeader& header, Arguments, const Reply& reply) {
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    char target[PATH_MAX + 1];
    const ssize_t length = ::readlinkat(node->fd(), "", target, sizeof target);
    if (length < 0) return reply.finish(errno == ENOENT ? EINVAL : errno);  // ENOENT: it is no link
    if (length == sizeof target) return reply.fail(Errno::kENAMETOOLONG);
    reply.succeed({std::as_bytes(std::span(target, static_cast<std::size_t>(length)))});
}

}  // namespace host
