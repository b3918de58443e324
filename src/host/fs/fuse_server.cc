#include "host/fs/fuse_server.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "host/fs/attributes.h"
#include "host/fs/fuse_worker.h"

namespace host {
namespace {

constexpr rlim_t kMostReserved = 64;

int first_reserved_descriptor() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return INT_MAX;
    const rlim_t most = std::min<rlim_t>(limit.rlim_cur, INT_MAX);
    return static_cast<int>(most - std::min(kMostReserved, most / 4));
}

}  // namespace

FuseServer::FuseServer(ServerOptions options, vhost_user::Fd root, const NodeInfo& root_info,
                       vhost_user::Fd proc_self_fd)
    : options_(std::move(options)),
      proc_self_fd_(std::move(proc_self_fd)),
      mounts_(options_.file_handles != FileHandles::kNever),
      nodes_(std::move(root), root_info, mounts_, options_.descriptor_budget),
      reserved_from_(first_reserved_descriptor()) {}

std::expected<std::unique_ptr<FuseServer>, std::string> FuseServer::create(ServerOptions options,
                                                                           ServerRoots roots) {
    struct statx status;
    if (::statx(roots.directory.get(), "", AT_EMPTY_PATH, kNodeStatx, &status) != 0) {
        return std::unexpected(std::string("cannot look at the shared directory: ") + std::strerror(errno));
    }
    const NodeInfo info = info_of(status, status.stx_mnt_id);
    if (info.type != fuse::mode::kDirectory) {
        return std::unexpected(
            "what is to be shared is not a directory; name one with --shared-dir or -o source=");
    }
    if ((status.stx_mask & STATX_MNT_ID) == 0) {
        return std::unexpected(
            "this kernel does not tell mounts apart (statx without STATX_MNT_ID); 5.8 or later is needed");
    }
    const int root = roots.directory.get();
    const int proc = roots.proc_self_fd.get();
    const bool mandatory = options.file_handles == FileHandles::kMandatory;
    std::unique_ptr<FuseServer> server(
        new FuseServer(std::move(options), std::move(roots.directory), info, std::move(roots.proc_self_fd)));
    if (!server->mounts_.handles_on(info.key.mount, root, true, proc) && mandatory) {
        return std::unexpected(
            "--inode-file-handles=mandatory: the shared directory's file system has no file handles, or the "
            "right to "
            "use them (CAP_DAC_READ_SEARCH) is missing; use prefer or never");
    }
    return server;
}

std::unique_ptr<RequestWorker> FuseServer::make_worker(AsyncIo* io) {
    return std::make_unique<FuseWorker>(*this, io);
}

void FuseServer::reset() noexcept {
    agreed_.store(0, std::memory_order_release);
    lock_wait_list_.cancel_all();
    locks_.clear();
    files_.clear();
    directories_.clear();
    nodes_.clear();
}

}  // namespace host
