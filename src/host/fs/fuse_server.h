// The FUSE server on a shared directory: what its workers have in common.
// Must never know: transports, command lines, sandboxes.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "host/exchange.h"
#include "host/fs/lock_waits.h"
#include "host/fs/locks.h"
#include "host/fs/mounts.h"
#include "host/fs/node_table.h"
#include "host/fs/open_files.h"
#include "host/server_options.h"

namespace host {

class FuseServer final : public RequestHandler {
  public:
    // The error is a sentence for the user.
    static std::expected<std::unique_ptr<FuseServer>, std::string> create(ServerOptions options,
                                                                          ServerRoots roots);

    std::unique_ptr<RequestWorker> make_worker(AsyncIo* io) override;
    void reset() noexcept override;

    // For tests and statistics.
    const NodeTable& nodes() const { return nodes_; }

  private:
    friend class FuseWorker;

    FuseServer(ServerOptions options, vhost_user::Fd root, const NodeInfo& root_info,
               vhost_user::Fd proc_self_fd);

    const ServerOptions options_;
    const vhost_user::Fd proc_self_fd_;
    Mounts mounts_;
    NodeTable nodes_;
    HandleTable<OpenFile> files_{0};
    HandleTable<OpenDirectory> directories_{1};
    PosixLocks locks_;
    LockWaitList lock_wait_list_;
    // Descriptors of this number and above are not for what the guest decides how long to keep, so that all
    // else goes on when it keeps too much.
    const int reserved_from_;
    std::atomic<std::uint64_t> agreed_ = 0;  // init_flag bits of both sides; 0 before INIT
};

}  // namespace host
