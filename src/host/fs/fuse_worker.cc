#include "host/fs/fuse_worker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <new>
#include <system_error>

#include "host/fs/pending_data.h"

namespace host {

using fuse::Errno;
using fuse::Opcode;

DescriptorPath::DescriptorPath(int fd) {
    *std::to_chars(text_, text_ + sizeof text_ - 1, fd).ptr = '\0';
}

FuseWorker::FuseWorker(FuseServer& server, AsyncIo* io)
    : server_(server), options_(server.options_), io_(io), lock_waits_(*this, server.lock_wait_list_, io) {
    if (::fchdir(server.proc_self_fd_.get()) != 0)
        throw std::system_error(errno, std::generic_category(), "fchdir");
    ::umask(0);  // the guest has applied its own already
}

FuseWorker::~FuseWorker() = default;

const FuseWorker::Route* FuseWorker::route_of(Opcode opcode) {
    static constexpr auto kRoutes = [] {
        std::array<Route, fuse::kOpcodeLimit> routes{};
        const auto reads = [&](Opcode code, Operation operation) {
            routes[static_cast<std::uint32_t>(code)] = {operation, false};
        };
        const auto modifies = [&](Opcode code, Operation operation) {
            routes[static_cast<std::uint32_t>(code)] = {operation, true};
        };
        reads(Opcode::kInit, &FuseWorker::init);
        reads(Opcode::kDestroy, &FuseWorker::destroy);
        reads(Opcode::kStatfs, &FuseWorker::statfs);
        reads(Opcode::kSyncfs, &FuseWorker::syncfs);
        reads(Opcode::kLookup, &FuseWorker::lookup);
        reads(Opcode::kGetAttr, &FuseWorker::getattr);
        modifies(Opcode::kSetAttr, &FuseWorker::setattr);
        reads(Opcode::kStatx, &FuseWorker::statx);
        reads(Opcode::kAccess, &FuseWorker::access);
        modifies(Opcode::kMknod, &FuseWorker::mknod);
        modifies(Opcode::kMkdir, &FuseWorker::mkdir);
        modifies(Opcode::kSymlink, &FuseWorker::symlink);
        modifies(Opcode::kCreate, &FuseWorker::create);
        modifies(Opcode::kTmpfile, &FuseWorker::tmpfile);
        modifies(Opcode::kLink, &FuseWorker::link);
        modifies(Opcode::kUnlink, &FuseWorker::unlink);
        modifies(Opcode::kRmdir, &FuseWorker::rmdir);
        modifies(Opcode::kRename, &FuseWorker::rename);
        modifies(Opcode::kRename2, &FuseWorker::rename2);
        reads(Opcode::kReadLink, &FuseWorker::readlink);
        reads(Opcode::kOpen, &FuseWorker::open);
        reads(Opcode::kRelease, &FuseWorker::release);
        reads(Opcode::kFlush, &FuseWorker::flush);
        reads(Opcode::kFsync, &FuseWorker::fsync);
        modifies(Opcode::kFallocate, &FuseWorker::fallocate);
        reads(Opcode::kLseek, &FuseWorker::lseek);
        modifies(Opcode::kCopyFileRange, &FuseWorker::copy_file_range);
        reads(Opcode::kRead, &FuseWorker::read);
        modifies(Opcode::kWrite, &FuseWorker::write);
        reads(Opcode::kGetLk, &FuseWorker::getlk);
        reads(Opcode::kSetLk, &FuseWorker::setlk);
        reads(Opcode::kSetLkWait, &FuseWorker::setlkw);
        reads(Opcode::kOpenDir, &FuseWorker::opendir);
        reads(Opcode::kReleaseDir, &FuseWorker::releasedir);
        reads(Opcode::kFsyncDir, &FuseWorker::fsyncdir);
        reads(Opcode::kReadDir, &FuseWorker::readdir);
        reads(Opcode::kReadDirPlus, &FuseWorker::readdirplus);
        modifies(Opcode::kSetXattr, &FuseWorker::setxattr);
        reads(Opcode::kGetXattr, &FuseWorker::getxattr);
        reads(Opcode::kListXattr, &FuseWorker::listxattr);
        modifies(Opcode::kRemoveXattr, &FuseWorker::removexattr);
        return routes;
    }();
    const auto number = static_cast<std::uint32_t>(opcode);
    if (number >= kRoutes.size() || kRoutes[number].operation == nullptr) return nullptr;
    return &kRoutes[number];
}

void FuseWorker::serve(Exchange& exchange) noexcept {
    if (!request_.load(exchange)) {
        // Whose request it is cannot be said, unless its header is whole.
        if (exchange.request_bytes < sizeof(InHeader)) return exchange.finish(0);
        return Reply(exchange, request_.header().unique).fail(Errno::kEINVAL);
    }
    const InHeader header = request_.header();
    agreed_ = server_.agreed_.load(std::memory_order_acquire);
    switch (header.opcode) {
        case Opcode::kForget:
            forget(header, request_.arguments());
            return exchange.finish(0);
        case Opcode::kBatchForget:
            batch_forget(request_.arguments());
            return exchange.finish(0);
        case Opcode::kInterrupt:
            interrupt(request_.arguments());
            return exchange.finish(0);
        case Opcode::kNotifyReply:
            return exchange.finish(0);
        default:
            break;
    }
    const Reply reply(exchange, header.unique);
    const Route* const route = route_of(header.opcode);
    if (route == nullptr) return reply.fail(Errno::kENOSYS);
    if (agreed_ == 0 && header.opcode != Opcode::kInit) return reply.fail(Errno::kEIO);
    if (options_.readonly && route->modifies) return reply.fail(Errno::kEROFS);
    try {
        (this->*route->operation)(header, request_.arguments(), reply);
    } catch (const std::bad_alloc&) {  // thrown before the exchange was finished
        reply.fail(Errno::kENOMEM);
    }
}

FsResult<NodeTable::Pin> FuseWorker::pin(fuse::NodeId id) {
    auto pinned = server_.nodes_.pin(id);
    if (pinned || pinned.error() != Errno::kESTALE) return pinned;
    // Some file systems forget the handle of what has no name any more, even if it is open.
    const auto is_node = [id](const auto& open) { return open.node == id; };
    vhost_user::Fd fd;
    if (const auto file = server_.files_.find_if(is_node)) {
        fd = reopen(file->fd.get(), O_PATH);
    } else if (const auto directory = server_.directories_.find_if(is_node)) {
        fd = reopen(directory->fd.get(), O_PATH);
    }
    if (!fd) return pinned;
    return server_.nodes_.pin_by(id, std::move(fd));
}

FsResult<ActingAs> FuseWorker::act_as(const InHeader& header) {
    const auto uid = options_.uids.to_host(header.uid);
    if (!uid) return std::unexpected(uid.error());
    const auto gid = options_.gids.to_host(header.gid);
    if (!gid) return std::unexpected(gid.error());
    std::optional<std::uint32_t> further;
    if (request_.further_group()) {
        const auto group = options_.gids.to_host(*request_.further_group());
        if (!group) return std::unexpected(group.error());
        further = *group;
    }
    return ActingAs::begin(credentials_, *uid, *gid, further);
}

vhost_user::Fd FuseWorker::to_keep(vhost_user::Fd fd) {
    const int limit = server_.reserved_from_;
    if (fd.get() < limit) return fd;
    if (server_.nodes_.shrink()) {
        vhost_user::Fd lower(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
        if (lower && lower.get() < limit) return lower;
    }
    fd.reset();
    errno = EMFILE;
    return {};
}

vhost_user::Fd FuseWorker::reopen(int fd, int flags) {
    const DescriptorPath path(fd);
    return open_descriptor(
        [&] { return ::openat(server_.proc_self_fd_.get(), path.c_str(), flags | O_CLOEXEC); });
}

}  // namespace host
