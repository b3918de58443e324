// The transact queue and its threads: requests of the kernel half wait here until a dispatcher thread takes
// them, as a WinFsp file system sees it (winfsp-contract 3). Must never know: what a request asks for, where
// it came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "winfsp/winfsp.h"

namespace lab::winfsp {

// A request and its response in WinFsp's layout, for FspFileSystemGetOperationContext and the guard
// functions.
class Exchange {
  public:
    // `path` is left out of the record where it is longer than WinFsp's longest.
    Exchange(std::uint32_t kind, std::u16string_view path);

    FSP_FSCTL_TRANSACT_REQ& request() { return *reinterpret_cast<FSP_FSCTL_TRANSACT_REQ*>(request_); }
    FSP_FSCTL_TRANSACT_RSP& response() { return response_; }

  private:
    alignas(8) std::byte request_[sizeof(FSP_FSCTL_TRANSACT_REQ) + kFspPathBytesMax + sizeof(WCHAR)] = {};
    FSP_FSCTL_TRANSACT_RSP response_{};
};

class Dispatcher {
  public:
    // The object whose guard, operation table and debug mask apply. It outlives the dispatcher.
    explicit Dispatcher(FSP_FILE_SYSTEM& file_system);
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    // What a dispatcher thread runs for a request; its result is the request's, or STATUS_PENDING: then
    // FspFileSystemSendResponse brings it.
    using Work = std::function<NTSTATUS()>;

    // Queues the request and waits for its answer; STATUS_CANCELLED when the dispatcher was stopped. Requests
    // made before start() wait for it.
    NTSTATUS perform(Exchange& exchange, const Work& work);
    // Queues a request that nobody waits for.
    void post(std::unique_ptr<Exchange> exchange, Work work);

    // 0 threads: one per processor, 4 to 16; never fewer than 2.
    NTSTATUS start(ULONG threads);
    // Lets running callbacks end, cancels what is queued or pending.
    void stop();
    // FspFileSystemSendResponse: the answer to a request that is pending. An unknown Hint is ignored.
    void respond(const FSP_FSCTL_TRANSACT_RSP& response);

    // The request of the current dispatcher thread, or nullptr.
    static FSP_FILE_SYSTEM_OPERATION_CONTEXT* current();

  private:
    struct Job;

    void serve();
    NTSTATUS run(Job& job);
    // With the lock held.
    void finish(Job& job, NTSTATUS status);
    void enqueue(Job& job);
    static DWORD WINAPI thread_entry(void* self);

    FSP_FILE_SYSTEM& file_system_;
    SRWLOCK lock_ = SRWLOCK_INIT;
    CONDITION_VARIABLE work_ = CONDITION_VARIABLE_INIT;
    bool stopping_ = false;
    bool told_stopped_ = false;
    std::uint64_t last_hint_ = 0;
    std::deque<Job*> queue_;
    std::unordered_map<std::uint64_t, Job*> taken_;  // by Hint: running or pending
    std::vector<HANDLE> threads_;
};

}  // namespace lab::winfsp
