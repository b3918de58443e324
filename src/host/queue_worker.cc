#include "host/queue_worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

namespace host {
namespace {

// Signals are for the main thread, but for those that a thread brings upon itself.
sigset_t foreign_signals() {
    sigset_t set;
    sigfillset(&set);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
        sigdelset(&set, own);
    return set;
}

std::unexpected<std::string> refuse(const std::string& what, int error) {
    return std::unexpected("cannot start a queue's thread: " + what + ": " + std::strerror(error));
}

}  // namespace

QueueWorker::QueueWorker(RequestHandler& handler, const vhost_user::StartedRing& ring,
                         QueueWorkerOptions options)
    : handler_(handler),
      options_(std::move(options)),
      kick_(ring.kick),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      spin_(options_.spin_room),
      ring_(ring),
      next_available_(ring.next_available) {}

std::expected<std::unique_ptr<QueueWorker>, std::string> QueueWorker::start(
    RequestHandler& handler, const vhost_user::StartedRing& ring, QueueWorkerOptions options) {
    std::unique_ptr<QueueWorker> worker(new QueueWorker(handler, ring, std::move(options)));
    if (!worker->epoll_ || !worker->wake_) return refuse("out of descriptors", errno);
    Started promise;
    auto started = promise.get_future();
    const sigset_t blocked = foreign_signals();
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int error = 0;
    try {
        worker->thread_ = std::thread(&QueueWorker::run, worker.get(), std::move(promise));
    } catch (const std::system_error& refused) {
        error = refused.code().value();
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) return refuse("no thread", error);
    if (auto result = started.get(); !result) return std::unexpected(result.error());
    return worker;
}

QueueWorker::~QueueWorker() {
    stop();
}

std::uint16_t QueueWorker::stop() {
    if (thread_.joinable()) {
        stopping_.store(true, std::memory_order_release);
        wake_.signal();
        thread_.join();
    }
    return next_available_;
}

void QueueWorker::move_to(const virtio::SplitRing& parts, vhost_user::GuestMemory::Pointer memory) {
    on_thread([&] { queue_->move_to(parts, std::move(memory)); });
}

void QueueWorker::set_call(std::shared_ptr<const vhost_user::Fd> call) {
    on_thread([&] { queue_->set_call(std::move(call)); });
}

void QueueWorker::on_thread(const std::function<void()>& command) {
    std::unique_lock lock(mutex_);
    command_ = &command;
    has_command_.store(true, std::memory_order_release);
    wake_.signal();
    command_done_.wait(lock, [this] { return command_ == nullptr; });
}

void QueueWorker::take_command() {
    const std::lock_guard lock(mutex_);
    has_command_.store(false, std::memory_order_relaxed);
    (*command_)();
    command_ = nullptr;
    command_done_.notify_one();
}

// All descriptors are watched for edges: a wake-up costs no system call but the wait itself.
bool QueueWorker::watch(int fd) {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = fd}};
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

std::expected<void, std::string> QueueWorker::set_up() {
    ::pthread_setname_np(::pthread_self(), options_.name.c_str());
    // The umask is the thread's own from here on.
    if (::unshare(CLONE_FS) != 0) return refuse("unshare", errno);
    if (!watch(wake_.get())) return refuse("epoll", errno);
    if (!watch(kick_->get())) return refuse("the kick descriptor that came from the front-end", errno);
    if (options_.async_capacity != 0) {
        auto io = AsyncIo::create(options_.async_capacity, options_.async_workers);
        if (io && watch((*io)->fd())) {
            io_ = std::move(*io);
        } else if (options_.log) {
            const int error = io ? errno : static_cast<int>(io.error());
            options_.log(options_.name + ": the kernel gives no io_uring (" + std::strerror(error) +
                         "): requests that wait for the disk are served one after another");
        }
    }
    queue_ = std::make_unique<RequestQueue>(ring_, io_.get());
    ring_ = {};
    worker_ = handler_.make_worker(io_.get());
    return {};
}

void QueueWorker::run(Started started) {
    auto ready = set_up();
    const bool serves = ready.has_value();
    started.set_value(std::move(ready));
    if (!serves) return;
    serve_until_stopped();
    finish_outstanding();
    next_available_ = queue_->next_available();
    worker_.reset();
    queue_.reset();
    io_.reset();
}

void QueueWorker::serve_until_stopped() {
    queue_->suppress_kicks();
    while (!stopping_.load(std::memory_order_acquire)) {
        if (has_command_.load(std::memory_order_acquire)) {
            take_command();
            queue_->suppress_kicks();
        }
        std::size_t done = queue_->serve(*worker_, options_.batch);
        // What is under way in the kernel is handed over first, so that it runs while the guest is told.
        if (io_ != nullptr) {
            io_->submit();
            if (io_->in_flight() != 0) done += io_->reap();
        }
        queue_->flush();
        report_fault();
        if (done != 0) continue;
        const bool found = spin_.look([this] {
            return queue_->has_requests() || stopping_.load(std::memory_order_relaxed) ||
                   has_command_.load(std::memory_order_relaxed) ||
                   (io_ != nullptr && io_->in_flight() != 0 && io_->reap() != 0);
        });
        if (found) continue;
        if (!queue_->enable_kicks()) sleep();
        queue_->suppress_kicks();
    }
}

// Completions come from the kernel alone then, so they come.
void QueueWorker::finish_outstanding() {
    worker_->stop_waiting();
    while (io_ != nullptr && io_->in_flight() != 0) {
        io_->submit();
        if (io_->reap() == 0) sleep();
    }
    assert(queue_->outstanding() == 0);
    queue_->flush();
    (void)queue_->enable_kicks();
}

void QueueWorker::sleep() {
    // What the kernel has not taken yet, it is offered again soon.
    const int time = io_ != nullptr && io_->has_unsubmitted() ? 1 : -1;
    std::array<epoll_event, 3> events;
    (void)::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), time);
}

void QueueWorker::report_fault() {
    const auto fault = queue_->take_fault();
    if (!fault || !options_.log) return;
    options_.log(options_.name + ": the guest has broken its queue (" + std::string(to_text(*fault)) +
                 "); no more requests are taken from it until it is reset");
}

}  // namespace host
