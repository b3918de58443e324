#include "vhost_user/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace vhost_user {
namespace {

std::unexpected<std::string> fail(std::string what) {
    return std::unexpected(std::move(what));
}

std::string reason(int error) {
    return std::strerror(error);
}

// True once the socket is ready, false if the deadline came first.
Result<bool> wait_for(int socket, short events, Deadline deadline) {
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd entry{.fd = socket, .events = events, .revents = 0};
        const int ready =
            ::poll(&entry, 1, static_cast<int>(std::clamp<long long>(left.count(), 0, 1 << 30)));
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) return fail("cannot wait for the vhost-user socket: " + reason(errno));
    }
}

// Receives exactly `into.size()` bytes, and descriptors on the way.
Result<void> receive_bytes(int socket, std::span<std::byte> into, std::vector<Fd>& fds, Deadline deadline) {
    while (!into.empty()) {
        const auto ready = wait_for(socket, POLLIN, deadline);
        if (!ready) return fail(ready.error());
        if (!*ready) return fail("no complete vhost-user message from the other side in time; is it stuck?");
        // Room for more than may come, so that too many are closed here instead of being lost by the kernel.
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 64)> control;
        iovec piece{.iov_base = into.data(), .iov_len = into.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got < 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            return fail("cannot read from the vhost-user socket: " + reason(errno));
        }
        for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
            const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
                fds.emplace_back(fd);
            }
        }
        if ((message.msg_flags & MSG_CTRUNC) != 0 || fds.size() > kMaxFds) {
            return fail("the vhost-user message carries too many descriptors");
        }
        if (got == 0) return fail("the other side of the vhost-user socket has hung up; did it exit?");
        into = into.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

}  // namespace

Result<Fd> connect_unix(const std::string& path, Deadline deadline) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string attempt = "cannot connect to the vhost-user socket " + path + ": ";
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return fail(attempt + "a socket's path has 1 to 107 bytes");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail(attempt + reason(errno));
    for (;;) {
        if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
            return socket;
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return fail(attempt + reason(errno) + "; is the daemon running?");
        // The listener's backlog is full, which no poll tells the end of: look again shortly.
        if (std::chrono::steady_clock::now() >= deadline) return fail(attempt + "the daemon does not accept");
        ::poll(nullptr, 0, 10);
    }
}

Result<void> send_message(int socket, Request request, std::uint32_t flags,
                          std::span<const std::byte> payload, std::span<const int> fds, Deadline deadline) {
    if (payload.size() > kMaxPayloadBytes || fds.size() > kMaxFds) {
        return fail("a vhost-user message may not be that large");
    }
    std::array<std::byte, sizeof(Header) + kMaxPayloadBytes> bytes;
    const Header header{
        .request = request, .flags = kVersion | flags, .size = static_cast<std::uint32_t>(payload.size())};
    std::memcpy(bytes.data(), &header, sizeof header);
    if (!payload.empty()) std::memcpy(bytes.data() + sizeof header, payload.data(), payload.size());
    std::span<std::byte> rest = std::span(bytes).first(sizeof header + payload.size());
    while (!rest.empty()) {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
        iovec piece{.iov_base = rest.data(), .iov_len = rest.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(fds.size_bytes());
            cmsghdr* const c = CMSG_FIRSTHDR(&message);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(fds.size_bytes());
            std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
        }
        const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return fail("cannot write to the vhost-user socket: " + reason(errno));
            const auto ready = wait_for(socket, POLLOUT, deadline);
            if (!ready) return fail(ready.error());
            if (!*ready)
                return fail("the other side of the vhost-user socket does not read in time; is it stuck?");
            continue;
        }
        rest = rest.subspan(static_cast<std::size_t>(sent));
        fds = {};  // they went with the first byte
    }
    return {};
}

Result<ReceivedMessage> receive_message(int socket, std::size_t max_payload, Deadline deadline) {
    ReceivedMessage message;
    auto received =
        receive_bytes(socket, std::as_writable_bytes(std::span(&message.header, 1)), message.fds, deadline);
    if (!received) return fail(received.error());
    if ((message.header.flags & kVersionMask) != kVersion) {
        return fail("the vhost-user message is of another version");
    }
    if (message.header.size > max_payload) {
        return fail("the vhost-user message claims " + std::to_string(message.header.size) +
                    " bytes of payload, " + std::to_string(max_payload) + " are expected at most");
    }
    message.payload.resize(message.header.size);
    received = receive_bytes(socket, message.payload, message.fds, deadline);
    if (!received) return fail(received.error());
    return message;
}

}  // namespace vhost_user
