#include "guest/service/ioctl_channel.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>

#include "guest/service/text.h"
#include "ioctl/contract.h"

namespace guest::service {
namespace {

constexpr unsigned kThreads = 2;
// A megabyte of data, as much as the protocol's 256 pages carry, and room for any header before it.
constexpr std::size_t kMaxMessageBytes = (1 << 20) + 4096;
// How long the channel's end waits for a driver to let go of cancelled requests; their memory is given up
// afterwards.
constexpr std::chrono::seconds kDriverPatience{5};

bool means_device_gone(DWORD error) {
    switch (error) {
        case ERROR_DEVICE_REMOVED:        // STATUS_DEVICE_REMOVED
        case ERROR_DEVICE_NOT_CONNECTED:  // STATUS_DEVICE_NOT_CONNECTED
        case ERROR_DEV_NOT_EXIST:         // STATUS_DEVICE_DOES_NOT_EXIST
        case 433:                         // ERROR_NO_SUCH_DEVICE, not in every SDK
        case ERROR_FILE_NOT_FOUND:        // STATUS_NO_SUCH_DEVICE
        case ERROR_BAD_COMMAND:           // STATUS_INVALID_DEVICE_STATE
        case ERROR_ACCESS_DENIED:         // STATUS_DELETE_PENDING
        case ERROR_INVALID_HANDLE:
        case ERROR_NOT_READY:
            return true;
        default:
            return false;
    }
}

template <typename Pieces>
std::size_t total_bytes(const Pieces& pieces) {
    std::size_t bytes = 0;
    for (const auto& piece : pieces)
        bytes += piece.size();
    return bytes;
}

}  // namespace

// One call to the driver. The port hands its OVERLAPPED back, which is its first member.
struct IoctlChannel::Request {
    OVERLAPPED overlapped{};
    std::atomic<int> holders{2};  // whoever submits it, and whoever finishes it
    Message* message = nullptr;   // none once the message was ended; guarded by mutex_
    bool unwanted = false;        // its message was ended; guarded by mutex_
    BufferPool::Buffer out;
    BufferPool::Buffer in;
    std::size_t out_bytes = 0;
    std::size_t in_bytes = 0;
};

std::expected<std::unique_ptr<IoctlChannel>, std::string> IoctlChannel::open(const Device& device,
                                                                             Epoch epoch,
                                                                             std::function<void()> on_lost) {
    UniqueHandle handle = open_device(device);
    if (!handle) {
        return std::unexpected("cannot open the virtio-fs device \"" + to_utf8(device.tag) +
                               "\": " + describe_error(GetLastError()));
    }
    UniqueHandle port(CreateIoCompletionPort(handle.get(), nullptr, 0, kThreads));
    if (!port) {
        return std::unexpected("cannot make a completion port for the virtio-fs device \"" +
                               to_utf8(device.tag) + "\": " + describe_error(GetLastError()));
    }
    return std::unique_ptr<IoctlChannel>(
        new IoctlChannel(std::move(handle), std::move(port), epoch, std::move(on_lost)));
}

IoctlChannel::IoctlChannel(UniqueHandle device, UniqueHandle port, Epoch epoch, std::function<void()> on_lost)
    : device_(std::move(device)), port_(std::move(port)), on_lost_(std::move(on_lost)), epoch_(epoch) {
    for (unsigned i = 0; i < kThreads; ++i)
        threads_.emplace_back([this] { serve_completions(); });
}

IoctlChannel::~IoctlChannel() {
    end_all_messages();
    wait_for_driver();
    for (std::size_t i = 0; i < threads_.size(); ++i)
        PostQueuedCompletionStatus(port_.get(), 0, 0, nullptr);
    for (std::thread& thread : threads_)
        thread.join();
}

void IoctlChannel::wait_for_driver() noexcept {
    std::unique_lock lock(mutex_);
    idle_.wait_for(lock, kDriverPatience, [this] { return at_driver_ == 0; });
}

Epoch IoctlChannel::epoch() const noexcept {
    return epoch_;
}

std::size_t IoctlChannel::max_message_bytes() const noexcept {
    return kMaxMessageBytes;
}

void IoctlChannel::set_sink(ChannelSink* sink) noexcept {
    std::unique_lock lock(sink_mutex_);
    sink_ = sink;
    sink_told_.wait(
        lock, [this] { return telling_ == std::thread::id() || telling_ == std::this_thread::get_id(); });
}

void IoctlChannel::submit(std::span<Message* const> messages) noexcept {
    for (Message* message : messages)
        submit_one(*message);
}

std::unique_ptr<IoctlChannel::Request> IoctlChannel::prepare(const Message& message) {
    auto request = std::make_unique<Request>();
    request->out_bytes = total_bytes(message.out);
    request->in_bytes = total_bytes(message.in);
    request->out = buffers_.take(request->out_bytes);
    request->in = buffers_.take(request->in_bytes);
    std::byte* end = request->out.bytes.get();
    for (const auto piece : message.out) {
        if (!piece.empty()) std::memcpy(end, piece.data(), piece.size());
        end += piece.size();
    }
    return request;
}

void IoctlChannel::submit_one(Message& message) noexcept {
    if (message.epoch != epoch_) return message.completed(std::unexpected(ChannelError::kLost));
    if (total_bytes(message.out) > kMaxMessageBytes || total_bytes(message.in) > kMaxMessageBytes) {
        return message.completed(std::unexpected(ChannelError::kRefused));
    }

    Request* request = nullptr;
    ChannelError problem = ChannelError::kLost;
    try {
        std::unique_ptr<Request> prepared = prepare(message);
        const std::lock_guard lock(mutex_);
        if (!lost_) {
            waiting_[&message] = prepared.get();
            ++at_driver_;
            request = prepared.release();
            request->message = &message;
        }
    } catch (const std::bad_alloc&) {
        problem = ChannelError::kRefused;
    }
    if (request == nullptr) return message.completed(std::unexpected(problem));

    // From here on the message may be gone.
    DWORD error = ERROR_SUCCESS;
    if (!DeviceIoControl(device_.get(), ioctl::kSubmitMessage, request->out.bytes.get(),
                         static_cast<DWORD>(request->out_bytes), request->in.bytes.get(),
                         static_cast<DWORD>(request->in_bytes), nullptr, &request->overlapped)) {
        error = GetLastError();
    }
    if (error != ERROR_SUCCESS && error != ERROR_IO_PENDING) {
        finish(request, error, 0);  // the port will not hear of it
    } else {
        // A cancellation that came before the call found nothing to cancel.
        const std::lock_guard lock(mutex_);
        if (request->unwanted && device_) CancelIoEx(device_.get(), &request->overlapped);
    }
    release(request);
}

void IoctlChannel::release(Request* request) noexcept {
    if (request->holders.fetch_sub(1) == 1) delete request;
}

void IoctlChannel::cancel(Message& message) noexcept {
    {
        const std::lock_guard lock(mutex_);
        const auto found = waiting_.find(&message);
        if (found == waiting_.end()) return;
        Request& request = *found->second;
        waiting_.erase(found);
        request.message = nullptr;
        request.unwanted = true;
        CancelIoEx(device_.get(), &request.overlapped);
    }
    message.completed(std::unexpected(ChannelError::kCancelled));
}

void IoctlChannel::finish(Request* request, DWORD error, std::uint32_t bytes) noexcept {
    if (means_device_gone(error)) lose();

    Message* message = nullptr;
    {
        const std::lock_guard lock(mutex_);
        message = std::exchange(request->message, nullptr);
        if (message != nullptr) waiting_.erase(message);
    }
    Outcome outcome = std::unexpected(ChannelError::kRefused);
    if (message != nullptr && error == ERROR_SUCCESS && bytes <= request->in_bytes) {
        const std::byte* next = request->in.bytes.get();
        std::size_t left = bytes;
        for (const auto piece : message->in) {
            const std::size_t part = std::min(left, piece.size());
            if (part == 0) continue;
            std::memcpy(piece.data(), next, part);
            next += part;
            left -= part;
        }
        outcome = bytes;
    } else if (error == ERROR_OPERATION_ABORTED) {
        outcome = std::unexpected(ChannelError::kCancelled);
    } else if (means_device_gone(error)) {
        // Another thread may be ending all messages and not have come to this one.
        outcome = std::unexpected(ChannelError::kLost);
    }
    buffers_.give_back(std::move(request->out));
    buffers_.give_back(std::move(request->in));
    {
        const std::lock_guard lock(mutex_);
        if (--at_driver_ == 0) idle_.notify_all();
    }
    release(request);
    if (message != nullptr) message->completed(outcome);
}

void IoctlChannel::end_all_messages() noexcept {
    for (;;) {
        Message* message = nullptr;
        {
            const std::lock_guard lock(mutex_);
            lost_ = true;
            if (waiting_.empty()) {
                if (device_) CancelIoEx(device_.get(), nullptr);
                return;
            }
            message = waiting_.begin()->first;
            waiting_.begin()->second->message = nullptr;
            waiting_.begin()->second->unwanted = true;
            waiting_.erase(waiting_.begin());
        }
        message->completed(std::unexpected(ChannelError::kLost));
    }
}

void IoctlChannel::lose() noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (lost_) return;
        lost_ = true;
    }
    end_all_messages();
    tell_sink();
    if (on_lost_) on_lost_();
}

bool IoctlChannel::is_lost() const noexcept {
    const std::lock_guard lock(mutex_);
    return lost_;
}

void IoctlChannel::let_go() noexcept {
    lose();
    wait_for_driver();
    UniqueHandle device;  // closed without the lock
    const std::lock_guard lock(mutex_);
    device = std::move(device_);
}

void IoctlChannel::tell_sink() noexcept {
    ChannelSink* sink = nullptr;
    {
        const std::lock_guard lock(sink_mutex_);
        sink = sink_;
        telling_ = std::this_thread::get_id();
    }
    if (sink != nullptr) sink->channel_lost(epoch_);
    {
        const std::lock_guard lock(sink_mutex_);
        telling_ = std::thread::id();
    }
    sink_told_.notify_all();
}

void IoctlChannel::serve_completions() noexcept {
    for (;;) {
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr;
        const BOOL succeeded = GetQueuedCompletionStatus(port_.get(), &bytes, &key, &overlapped, INFINITE);
        if (overlapped == nullptr) return;  // the destructor's word to stop
        const DWORD error = succeeded ? ERROR_SUCCESS : GetLastError();
        static_assert(offsetof(Request, overlapped) == 0);
        finish(reinterpret_cast<Request*>(overlapped), error, bytes);
    }
}

}  // namespace guest::service
