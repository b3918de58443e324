#include "lab/winfsp/dispatcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lab/winfsp/log.h"
#include "nt/status.h"

namespace lab::winfsp {
namespace {

constexpr NTSTATUS kPending = static_cast<NTSTATUS>(nt::Status::kPending);
constexpr NTSTATUS kCancelled = static_cast<NTSTATUS>(nt::Status::kCancelled);

class Lock {
  public:
    explicit Lock(SRWLOCK& lock) : lock_(lock) { AcquireSRWLockExclusive(&lock_); }
    ~Lock() { ReleaseSRWLockExclusive(&lock_); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

  private:
    SRWLOCK& lock_;
};

thread_local FSP_FILE_SYSTEM_OPERATION_CONTEXT* current_context = nullptr;

const char* name_of(std::uint32_t kind) {
    constexpr const char* kNames[FspFsctlTransactKindCount] = {"Reserved",
                                                               "Create",
                                                               "Overwrite",
                                                               "Cleanup",
                                                               "Close",
                                                               "Read",
                                                               "Write",
                                                               "QueryInformation",
                                                               "SetInformation",
                                                               "QueryEa",
                                                               "SetEa",
                                                               "FlushBuffers",
                                                               "QueryVolumeInformation",
                                                               "SetVolumeInformation",
                                                               "QueryDirectory",
                                                               "FileSystemControl",
                                                               "DeviceControl",
                                                               "Shutdown",
                                                               "LockControl",
                                                               "QuerySecurity",
                                                               "SetSecurity",
                                                               "QueryStreamInformation"};
    return kind < FspFsctlTransactKindCount ? kNames[kind] : "?";
}

ULONG default_thread_count() {
    DWORD_PTR process = 0;
    DWORD_PTR system = 0;
    GetProcessAffinityMask(GetCurrentProcess(), &process, &system);
    ULONG count = 0;
    for (; process != 0; process &= process - 1)
        ++count;
    return std::clamp<ULONG>(count, 4, 16);
}

}  // namespace

Exchange::Exchange(std::uint32_t kind, std::u16string_view path) {
    FSP_FSCTL_TRANSACT_REQ& record = request();
    record.Version = sizeof record;
    record.Kind = kind;
    std::size_t bytes = path.size() * sizeof(WCHAR);
    if (bytes > kFspPathBytesMax) bytes = 0;
    if (bytes != 0) {
        std::memcpy(request_ + sizeof record, path.data(), bytes);
        bytes += sizeof(WCHAR);
        record.FileName.Size = static_cast<UINT16>(bytes);
    }
    record.Size = static_cast<UINT16>((sizeof record + bytes + 7) & ~std::size_t{7});
    response_.Version = sizeof response_;
    response_.Size = sizeof response_;
    response_.Kind = kind;
}

struct Dispatcher::Job {
    Exchange* exchange = nullptr;
    const Work* work = nullptr;
    CONDITION_VARIABLE answered = CONDITION_VARIABLE_INIT;
    bool done = false;
    bool running = false;
    bool answered_while_running = false;
    NTSTATUS status = kCancelled;
    // What a request needs that nobody waits for; it is deleted with its end.
    std::unique_ptr<Exchange> own_exchange;
    Work own_work;
};

Dispatcher::Dispatcher(FSP_FILE_SYSTEM& file_system) : file_system_(file_system) {}

Dispatcher::~Dispatcher() {
    stop();
}

FSP_FILE_SYSTEM_OPERATION_CONTEXT* Dispatcher::current() {
    return current_context;
}

void Dispatcher::enqueue(Job& job) {
    const std::uint64_t hint = ++last_hint_;
    job.exchange->request().Hint = hint;
    job.exchange->response().Hint = hint;
    queue_.push_back(&job);
    WakeConditionVariable(&work_);
}

NTSTATUS Dispatcher::perform(Exchange& exchange, const Work& work) {
    Job job;
    job.exchange = &exchange;
    job.work = &work;
    const Lock lock(lock_);
    if (stopping_) return kCancelled;
    enqueue(job);
    while (!job.done)
        SleepConditionVariableSRW(&job.answered, &lock_, INFINITE, 0);
    return job.status;
}

void Dispatcher::post(std::unique_ptr<Exchange> exchange, Work work) {
    auto job = std::make_unique<Job>();
    job->own_exchange = std::move(exchange);
    job->own_work = std::move(work);
    job->exchange = job->own_exchange.get();
    job->work = &job->own_work;
    const Lock lock(lock_);
    if (!stopping_) enqueue(*job.release());
}

void Dispatcher::finish(Job& job, NTSTATUS status) {
    taken_.erase(job.exchange->request().Hint);
    if (job.own_exchange) {
        delete &job;
        return;
    }
    job.status = status;
    job.done = true;
    WakeConditionVariable(&job.answered);
}

NTSTATUS Dispatcher::run(Job& job) {
    FSP_FSCTL_TRANSACT_REQ* const request = &job.exchange->request();
    FSP_FSCTL_TRANSACT_RSP* const response = &job.exchange->response();
    FSP_FILE_SYSTEM_OPERATION_CONTEXT context{.Request = request, .Response = response};
    const UINT32 kind = request->Kind;
    const bool logged = (file_system_.DebugLog >> kind & 1) != 0;
    if (logged) {
        const auto* path = reinterpret_cast<const wchar_t*>(request->Buffer);
        debug_log("winfsp: >>%s%s%s", name_of(kind), request->FileName.Size != 0 ? " " : "",
                  request->FileName.Size != 0 ? to_utf8(path).c_str() : "");
    }
    current_context = &context;
    NTSTATUS status = 0;
    if (file_system_.EnterOperation != nullptr)
        status = file_system_.EnterOperation(&file_system_, request, response);
    if (status >= 0) {
        status = (*job.work)();
        if (file_system_.LeaveOperation != nullptr)
            file_system_.LeaveOperation(&file_system_, request, response);
    }
    current_context = nullptr;
    if (logged) debug_log("winfsp: <<%s = %08lx", name_of(kind), static_cast<unsigned long>(status));
    return status;
}

void Dispatcher::serve() {
    AcquireSRWLockExclusive(&lock_);
    for (;;) {
        while (queue_.empty() && !stopping_)
            SleepConditionVariableSRW(&work_, &lock_, INFINITE, 0);
        if (stopping_) break;
        Job& job = *queue_.front();
        queue_.pop_front();
        taken_[job.exchange->request().Hint] = &job;
        job.running = true;
        ReleaseSRWLockExclusive(&lock_);
        const NTSTATUS status = run(job);
        AcquireSRWLockExclusive(&lock_);
        job.running = false;
        if (job.answered_while_running) {
            finish(job, static_cast<NTSTATUS>(job.exchange->response().IoStatus.Status));
        } else if (status != kPending) {
            finish(job, status);
        }
    }
    const bool first = !std::exchange(told_stopped_, true);
    ReleaseSRWLockExclusive(&lock_);
    const auto* interface = file_system_.Interface;
    if (first && interface->DispatcherStopped != nullptr) interface->DispatcherStopped(&file_system_, TRUE);
}

DWORD WINAPI Dispatcher::thread_entry(void* self) {
    static_cast<Dispatcher*>(self)->serve();
    return 0;
}

NTSTATUS Dispatcher::start(ULONG threads) {
    const Lock lock(lock_);
    if (!threads_.empty() || stopping_) return static_cast<NTSTATUS>(nt::Status::kInvalidParameter);
    if (threads == 0) threads = default_thread_count();
    threads = std::max<ULONG>(threads, 2);
    for (ULONG i = 0; i < threads; ++i) {
        HANDLE thread = CreateThread(nullptr, 0, thread_entry, this, 0, nullptr);
        if (thread == nullptr) {
            if (threads_.empty()) return static_cast<NTSTATUS>(nt::Status::kInsufficientResources);
            break;
        }
        threads_.push_back(thread);
    }
    file_system_.DispatcherThread = threads_.front();
    file_system_.DispatcherThreadCount = static_cast<ULONG>(threads_.size());
    return 0;
}

void Dispatcher::stop() {
    std::vector<HANDLE> threads;
    {
        const Lock lock(lock_);
        stopping_ = true;
        file_system_.DispatcherStopping = 1;
        threads.swap(threads_);
        WakeAllConditionVariable(&work_);
    }
    for (HANDLE thread : threads) {
        WaitForSingleObject(thread, INFINITE);
        CloseHandle(thread);
    }
    file_system_.DispatcherThread = nullptr;
    const Lock lock(lock_);
    while (!queue_.empty()) {
        Job& job = *queue_.front();
        queue_.pop_front();
        finish(job, kCancelled);
    }
    while (!taken_.empty())
        finish(*taken_.begin()->second, kCancelled);
}

void Dispatcher::respond(const FSP_FSCTL_TRANSACT_RSP& response) {
    const Lock lock(lock_);
    const auto found = taken_.find(response.Hint);
    if (found == taken_.end()) return;
    Job& job = *found->second;
    if (job.exchange->request().Kind != response.Kind) return;
    std::memcpy(static_cast<void*>(&job.exchange->response()), &response, sizeof response);
    // The callback that started it may not have returned yet.
    if (job.running) {
        job.answered_while_running = true;
    } else {
        finish(job, static_cast<NTSTATUS>(response.IoStatus.Status));
    }
}

}  // namespace lab::winfsp
