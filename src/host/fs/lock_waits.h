// Requests for locks that wait until others give theirs up. They keep no thread waiting: they are tried again
// and again, ever less often. Must never know: rings.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "fuse/protocol.h"
#include "host/async_io.h"
#include "host/fs/open_files.h"
#include "host/fs/reply.h"

namespace host {

class FuseWorker;

// What a request for a lock asks for.
struct LockRequest {
    fuse::NodeId node{};
    fuse::LkIn in;
    std::shared_ptr<OpenFile> file;
};

struct LockWait {
    LockWait(const LockRequest& request_waiting, const Reply& reply_to_it)
        : request(request_waiting), reply(reply_to_it) {}

    const LockRequest request;
    const Reply reply;
    std::atomic<bool> cancelled = false;  // it is answered with EINTR when its worker looks at it next
};

// The waiting requests of all workers, so that any thread can call one off. Thread-safe.
class LockWaitList {
  public:
    void add(const std::shared_ptr<LockWait>& wait);
    void remove(const LockWait& wait);

    void interrupt(std::uint64_t unique);
    void cancel_node(fuse::NodeId node);
    void cancel_all();

  private:
    template <typename Condition>
    void cancel(Condition&& concerns);

    std::mutex mutex_;
    std::vector<std::shared_ptr<LockWait>> waits_;
    std::atomic<std::size_t> count_ = 0;
};

// The waiting requests of one worker, which live on its thread.
class LockWaits final : public AsyncOperation {
  public:
    LockWaits(FuseWorker& worker, LockWaitList& list, AsyncIo* io) : worker_(worker), list_(list), io_(io) {}

    // Answers the request later; false if it cannot wait.
    bool add(const LockRequest& request, const Reply& reply);
    // Locks were given up, or waits called off: looks at once.
    void look();
    // Answers all with EINTR.
    void cancel() noexcept;

    void completed(std::int32_t result) noexcept override;

  private:
    bool start_timer() noexcept;

    FuseWorker& worker_;
    LockWaitList& list_;
    AsyncIo* const io_;
    std::vector<std::shared_ptr<LockWait>> waits_;  // in the order that they came in
    std::chrono::milliseconds pause_{};
    bool timer_runs_ = false;
};

}  // namespace host
