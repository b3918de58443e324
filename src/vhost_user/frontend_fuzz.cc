// The front-end against a back-end whose every byte and descriptor comes from the input: a clean error or a
// working connection, and no descriptor is left behind.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "vhost_user/frontend.h"
#include "virtio/split_ring.h"

namespace {

using namespace vhost_user;

void require(bool holds) {
    if (!holds) std::abort();
}

// The lowest free descriptor: the same before and after if none was leaked.
int next_free_fd() {
    const int fd = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
    require(fd >= 0);
    ::close(fd);
    return fd;
}

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : bytes_(std::as_bytes(std::span(data, size))) {}
    bool empty() const { return bytes_.empty(); }
    std::uint8_t byte() {
        if (empty()) return 0;
        const auto first = static_cast<std::uint8_t>(bytes_.front());
        bytes_ = bytes_.subspan(1);
        return first;
    }
    std::span<const std::byte> take(std::size_t count) {
        const auto part = bytes_.first(std::min(count, bytes_.size()));
        bytes_ = bytes_.subspan(part.size());
        return part;
    }

  private:
    std::span<const std::byte> bytes_;
};

void send_bytes(int socket, std::span<const std::byte> bytes, std::size_t fds) {
    if (bytes.empty()) return;
    constexpr std::size_t kMost = 80;  // more than the front-end has room for
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMost)> control{};
    std::array<int, kMost> numbers{};
    numbers.fill(socket);
    iovec piece{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    fds = std::min(fds, kMost);
    if (fds != 0) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(fds * sizeof(int));
        cmsghdr* const c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds * sizeof(int));
        std::memcpy(CMSG_DATA(c), numbers.data(), fds * sizeof(int));
    }
    // A full socket ends what the back-end says; that is an answer, too.
    (void)::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void send_number(int socket, Request request, std::uint64_t value) {
    (void)send_message(socket, request, kReplyFlag, std::as_bytes(std::span(&value, 1)), {},
                       within(std::chrono::seconds(1)));
}

// What the back-end says is sent ahead, then it hangs up: nothing is waited for.
void speak(int socket, Input& input) {
    const std::uint8_t opening = input.byte();
    if (opening % 4 != 0) {
        send_number(socket, Request::kGetFeatures, virtio::feature::kVersion1 | kProtocolFeaturesBit);
        send_number(socket, Request::kGetProtocolFeatures, opening % 4 == 1 ? ~0ULL : input.byte());
        if (opening % 4 == 1) {
            send_number(socket, Request::kGetQueueNum, 2);
            send_number(socket, Request::kSetFeatures, 0);
            send_number(socket, Request::kSetMemTable, 0);
        }
    }
    while (!input.empty()) {
        const std::uint8_t kind = input.byte();
        const std::size_t fds = kind >= 0xE0 ? input.byte() : 0;
        if (kind % 4 == 0) {
            send_bytes(socket, input.take(input.byte()), fds);
            continue;
        }
        // A message with a header that makes sense, or nearly.
        const auto request = Request{input.byte()};
        const std::uint8_t flags = input.byte();
        const auto payload = input.take(input.byte());
        Header header{.request = request,
                      .flags = kind % 4 == 1 ? kVersion | kReplyFlag : flags,
                      .size = static_cast<std::uint32_t>(payload.size())};
        if (kind % 4 == 3) header.size = std::uint32_t{flags} << input.byte() % 32;
        send_bytes(socket, std::as_bytes(std::span(&header, 1)), fds);
        send_bytes(socket, payload, 0);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const int before = next_free_fd();
    {
        std::array<int, 2> ends{};
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        Fd front_end(ends[0]);
        const Fd back_end(ends[1]);
        Input input(data, size);
        speak(back_end.get(), input);
        require(::shutdown(back_end.get(), SHUT_WR) == 0);
        auto front = FrontEnd::negotiate(std::move(front_end), {.timeout = std::chrono::seconds(2)});
        if (front) {
            require((front->features() & virtio::feature::kVersion1) != 0);
            if (front->max_rings()) require(*front->max_rings() != 0);
            const Region region{.place = {.bytes = 4096}, .fd = back_end.get()};
            if (front->set_memory(std::span(&region, 1)) &&
                front->start_ring({.index = 1, .size = 64, .kick = back_end.get(), .call = back_end.get()})) {
                const auto config = front->get_config(0, 40);
                if (config) require(config->size() == 40);
                (void)front->stop_ring(1);
            }
        }
    }
    require(next_free_fd() == before);
    return 0;
}
