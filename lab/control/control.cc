#include "lab/control/control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace lab {
namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr std::chrono::seconds kOrderPatience{1};
constexpr char kDone[] = "done";

std::string because(const std::string& what) {
    return what + ": " + std::strerror(errno);
}

// A descriptor that is closed.
class Closing {
  public:
    explicit Closing(int fd) : fd_(fd) {}
    ~Closing() {
        if (fd_ >= 0) ::close(fd_);
    }
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

std::optional<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) return std::nullopt;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

std::string too_long(const std::string& path) {
    return path + ": too long for the path of a Unix socket";
}

// One line without its end; nothing when the peer hangs up, says too much or is too slow.
std::optional<std::string> read_line(int fd, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::string line;
    for (char c = 0; line.size() < kLongestLine; line += c) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0) return std::nullopt;
        if (::recv(fd, &c, 1, 0) != 1) return std::nullopt;
        if (c == '\n') return line;
    }
    return std::nullopt;
}

bool write_line(int fd, std::string line) {
    for (char& c : line) {
        if (c == '\n') c = ' ';
    }
    line += '\n';
    return ::send(fd, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size());
}

}  // namespace

std::expected<ControlSocket, std::string> ControlSocket::listen(const std::string& path) {
    const auto address = address_of(path);
    if (!address) return std::unexpected(too_long(path));
    Closing fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd.get() < 0) return std::unexpected(because("cannot make a socket"));
    ::unlink(path.c_str());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) < 0 ||
        ::listen(fd.get(), 8) < 0) {
        return std::unexpected(because("cannot listen at " + path));
    }
    return ControlSocket(fd.release(), path);
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

ControlSocket::~ControlSocket() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path_.c_str());
}

void ControlSocket::serve_waiting(const OrderHandler& handler) const {
    for (;;) {
        const Closing peer(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
        if (peer.get() < 0) return;
        const auto order = read_line(peer.get(), kOrderPatience);
        if (!order) continue;
        const auto done = handler(*order);
        // Whoever gave the order and did not wait for the answer does not need it.
        static_cast<void>(write_line(peer.get(), done ? kDone : done.error()));
    }
}

std::expected<void, std::string> give_order(const std::string& path, std::string_view order,
                                            std::chrono::seconds patience) {
    const auto address = address_of(path);
    if (!address) return std::unexpected(too_long(path));
    const Closing fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) return std::unexpected(because("cannot make a socket"));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) < 0)
        return std::unexpected(because("nothing takes orders at " + path));
    if (!write_line(fd.get(), std::string(order))) return std::unexpected(because("cannot write to " + path));
    const auto answer = read_line(fd.get(), patience);
    if (!answer) return std::unexpected("no answer from " + path);
    if (*answer != kDone) return std::unexpected(*answer);
    return {};
}

}  // namespace lab
