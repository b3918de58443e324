// One request in service, as the part that answers it sees it, and the seam between transport and FUSE
// server. Must never know: rings and descriptors, or what the bytes say.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace host {

class AsyncIo;

// The guest's memory of one request and its reply. The guest may change the request at any time: what is
// checked is copied first. Lives, with the memory it names, until finish() was called.
class Exchange {
  public:
    std::span<const iovec> request;  // readable
    std::size_t request_bytes = 0;
    std::span<const iovec> reply;  // writable; empty for requests without reply
    std::size_t reply_bytes = 0;

    // The reply is written, `bytes_written` counts from its start; once, on the thread that serve() ran on.
    // The exchange is gone afterwards. The guest sees it with the worker's next batch.
    virtual void finish(std::uint32_t bytes_written) noexcept = 0;

    // The thread may now wait for long: shows the guest what is finished so far.
    virtual void before_blocking() noexcept = 0;

  protected:
    ~Exchange() = default;
};

// Answers the requests of one queue. Made, used and destroyed on that queue's thread.
class RequestWorker {
  public:
    virtual ~RequestWorker() = default;

    // Finishes the exchange, now or later from a completion of the AsyncIo it was made with. Whatever is
    // outstanding has been finished before the worker is destroyed.
    virtual void serve(Exchange& exchange) noexcept = 0;

    // What waits for the guest's or others' doing, and not for the kernel alone, is finished now, as if it
    // had been interrupted.
    virtual void stop_waiting() noexcept {}
};

// What stands behind all queues. Thread-safe.
class RequestHandler {
  public:
    virtual ~RequestHandler() = default;

    // `io` lives longer than the worker; null where the kernel gives none, then everything is done in
    // serve().
    virtual std::unique_ptr<RequestWorker> make_worker(AsyncIo* io) = 0;

    // The front-end is gone or has reset the device: the guest's nodes, files and locks are given up. No
    // worker is in serve() and nothing is outstanding.
    virtual void reset() noexcept = 0;
};

}  // namespace host
