// A hostile guest's ring through the request path: chains, tables and addresses are the input's; whatever a
// request names lies in the guest's memory, and every one that is taken is given back.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>

#include "host/request_queue.h"
#include "vhost_user/event_fd.h"

namespace {

using namespace host;

constexpr std::uint16_t kSize = 8;
constexpr std::size_t kBytes = 8192;
constexpr std::uint64_t kFirst = 0x10'0000;         // two regions, one behind the other,
constexpr std::uint64_t kSecond = kFirst + kBytes;  // so that a buffer can lie in both
constexpr std::uint64_t kUser = 0x7f00'0000'0000;

void require(bool holds) {
    if (!holds) std::abort();
}

// Touches all it is given, and finishes some requests later.
class TouchingWorker final : public RequestWorker {
  public:
    explicit TouchingWorker(std::uint8_t seed) : seed_(seed) {}
    void serve(Exchange& exchange) noexcept override {
        std::size_t bytes = 0;
        for (const iovec& piece : exchange.request) {
            const auto* const data = static_cast<const volatile std::byte*>(piece.iov_base);
            for (std::size_t i = 0; i < piece.iov_len; i += 64)
                sum_ = sum_ ^ data[i];
            sum_ = sum_ ^ data[piece.iov_len - 1];
            bytes += piece.iov_len;
        }
        require(bytes == exchange.request_bytes);
        bytes = 0;
        for (const iovec& piece : exchange.reply) {
            std::memset(piece.iov_base, 0, std::min<std::size_t>(piece.iov_len, 2));
            static_cast<std::byte*>(piece.iov_base)[piece.iov_len - 1] = std::byte{1};
            bytes += piece.iov_len;
        }
        require(bytes == exchange.reply_bytes);
        seed_ = static_cast<std::uint8_t>(seed_ * 5 + 3);
        if (seed_ % 4 == 0) exchange.before_blocking();
        if (seed_ % 3 == 0) {
            waiting_.push_back(&exchange);
            return;
        }
        exchange.finish(static_cast<std::uint32_t>(seed_ * 1000));
    }
    void finish_one() {
        if (waiting_.empty()) return;
        Exchange& exchange = *waiting_.back();
        waiting_.pop_back();
        for (const iovec& piece : exchange.reply)
            std::memset(piece.iov_base, 0, std::min<std::size_t>(piece.iov_len, 1));
        exchange.finish(1);
    }
    std::size_t waiting() const { return waiting_.size(); }

  private:
    std::uint8_t seed_;
    volatile std::byte sum_{};
    std::deque<Exchange*> waiting_;
};

vhost_user::GuestMemory::Pointer memory_of(const vhost_user::Fd& file) {
    auto first = vhost_user::GuestMemory{}.with(
        {.guest_address = kFirst, .bytes = kBytes, .user_address = kUser}, file);
    require(first.has_value());
    auto both = (*first)->with({.guest_address = kSecond,
                                .bytes = kBytes,
                                .user_address = kUser + 16 * kBytes,
                                .file_offset = kBytes},
                               file);
    require(both.has_value());
    return *both;
}

virtio::SplitRing parts_of(const vhost_user::GuestMemory& memory) {
    return {memory.at_user_address(kUser, virtio::ring_layout(kSize).bytes), kSize};
}

// Addresses are made likely to lie in or near the memory.
void plant(std::byte* memory, const std::uint8_t* data, std::size_t size) {
    std::memcpy(memory, data, std::min(size, 2 * kBytes));
    for (std::size_t at = 0; at + 16 <= std::min(size, 2 * kBytes); at += 16) {
        const bool in_rings = at >= 16 * kSize && at < virtio::ring_layout(kSize).bytes;
        std::uint64_t address = 0;
        std::memcpy(&address, memory + at, sizeof address);
        address = kFirst + address % (2 * kBytes + 64);
        if (!in_rings && memory[at + 7] != std::byte{0xff})
            std::memcpy(memory + at, &address, sizeof address);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // The same memory, mapped twice.
    static const vhost_user::Fd file(::memfd_create("chains", MFD_CLOEXEC));
    static const bool sized = ::ftruncate(file.get(), 2 * kBytes) == 0;
    static const auto memory = memory_of(file);
    static const auto anew = memory_of(file);
    require(sized);
    if (size < 2) return 0;
    std::byte* const bytes = memory->at_user_address(kUser, kBytes);
    std::memset(bytes, 0, kBytes);
    std::memset(memory->at_user_address(kUser + 16 * kBytes, kBytes), 0, kBytes);
    const std::size_t more = size > kBytes ? kBytes : 0;
    plant(bytes, data + 2, std::min(size - 2, kBytes));
    if (more != 0) plant(memory->at_user_address(kUser + 16 * kBytes, kBytes), data + kBytes, size - kBytes);

    const auto event = std::make_shared<vhost_user::Fd>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    std::uint8_t choices = data[0];
    RequestQueue queue({.parts = parts_of(*memory),
                        .event_index = data[1] % 2 == 1,
                        .memory = memory,
                        .kick = event,
                        .call = event,
                        .error = event},
                       nullptr);
    TouchingWorker worker(data[1]);
    for (int i = 0; i < 24; ++i) {
        queue.suppress_kicks();
        (void)queue.serve(worker, 4);
        queue.flush();
        require(queue.outstanding() == worker.waiting() && queue.outstanding() <= kSize);
        choices = static_cast<std::uint8_t>(choices * 7 + 1);
        if (choices % 2 == 0) worker.finish_one();
        if (choices % 5 == 0) queue.move_to(parts_of(*anew), anew);
        (void)queue.take_fault();
        // The ring is what a guest would write to, in the meantime.
        bytes[virtio::ring_layout(kSize).available + 2] = std::byte{choices};
        if (!queue.enable_kicks() && !queue.has_requests()) break;
    }
    while (worker.waiting() != 0)
        worker.finish_one();
    queue.flush();
    require(queue.outstanding() == 0);
    return 0;
}
