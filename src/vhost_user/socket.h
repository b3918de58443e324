// One vhost-user connection as whole messages with descriptors, every wait bounded by a deadline.
// Must never know: what the messages mean, or which side of the protocol it serves.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "vhost_user/fd.h"
#include "vhost_user/protocol.h"

namespace vhost_user {

// What was attempted, on what, and why it failed.
template <typename T>
using Result = std::expected<T, std::string>;

using Deadline = std::chrono::steady_clock::time_point;
inline Deadline within(std::chrono::milliseconds time) {
    return std::chrono::steady_clock::now() + time;
}

struct ReceivedMessage {
    Header header;
    std::vector<std::byte> payload;  // header.size bytes
    std::vector<Fd> fds;
};

// Connects to a listening UNIX socket. Waits for neither the file nor the listener to appear.
Result<Fd> connect_unix(const std::string& path, Deadline deadline);

// Sends a message whole. Never raises SIGPIPE.
Result<void> send_message(int socket, Request request, std::uint32_t flags,
                          std::span<const std::byte> payload, std::span<const int> fds, Deadline deadline);

// Receives a message whole, be it in pieces. A payload beyond max_payload, another version, or more than
// kMaxFds descriptors are errors after which the connection is out of step and must be closed.
Result<ReceivedMessage> receive_message(int socket, std::size_t max_payload, Deadline deadline);

}  // namespace vhost_user
