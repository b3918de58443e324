// The thread of one ring: waits for kicks and for what the kernel has completed, and has requests served.
// Must never know: what the requests say, the vhost-user protocol.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "host/request_queue.h"
#include "host/spin.h"
#include "vhost_user/event_fd.h"

namespace host {

// Told of what a user may want to know. Thread-safe.
using Log = std::function<void(const std::string& line)>;

struct QueueWorkerOptions {
    std::string name = "virtiofs";       // of the thread, at most 15 characters
    std::uint32_t async_capacity = 128;  // operations in flight in the kernel; 0: none, all are made in place
    std::uint32_t async_workers = 0;     // AsyncIo::create
    std::size_t batch = 16;              // requests between two looks at everything else
    SpinRoom* spin_room = nullptr;       // null: sleeps at once; outlives the worker
    Log log = {};
};

// All members are for one thread, which is not the worker's own.
class QueueWorker {
  public:
    // The error says what the system refused. The handler outlives the worker.
    static std::expected<std::unique_ptr<QueueWorker>, std::string> start(RequestHandler& handler,
                                                                          const vhost_user::StartedRing& ring,
                                                                          QueueWorkerOptions options);
    // Like stop().
    ~QueueWorker();
    QueueWorker(const QueueWorker&) = delete;
    QueueWorker& operator=(const QueueWorker&) = delete;

    // Takes no more requests, waits for the outstanding ones, and ends the thread. Where the ring would go
    // on.
    std::uint16_t stop();

    // Both return once the worker has taken notice, between two requests.
    void move_to(const virtio::SplitRing& parts, vhost_user::GuestMemory::Pointer memory);
    void set_call(std::shared_ptr<const vhost_user::Fd> call);

  private:
    QueueWorker(RequestHandler& handler, const vhost_user::StartedRing& ring, QueueWorkerOptions options);

    using Started = std::promise<std::expected<void, std::string>>;

    std::expected<void, std::string> set_up();
    void run(Started started);
    void serve_until_stopped();
    void finish_outstanding();
    bool watch(int fd);
    void sleep();
    void report_fault();
    void on_thread(const std::function<void()>& command);
    void take_command();

    RequestHandler& handler_;
    const QueueWorkerOptions options_;
    const std::shared_ptr<const vhost_user::Fd> kick_;
    vhost_user::EventFd wake_;
    vhost_user::Fd epoll_;

    // The worker's own.
    std::unique_ptr<AsyncIo> io_;
    std::unique_ptr<RequestQueue> queue_;
    std::unique_ptr<RequestWorker> worker_;
    Spin spin_;
    vhost_user::StartedRing ring_;  // until the queue is made

    std::atomic<bool> stopping_ = false;
    std::atomic<bool> has_command_ = false;
    std::mutex mutex_;  // guards command_
    std::condition_variable command_done_;
    const std::function<void()>* command_ = nullptr;
    std::uint16_t next_available_ = 0;
    std::thread thread_;
};

}  // namespace host
