#include "host/listener.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "host/system_error.h"

namespace host {
namespace {

using vhost_user::Fd;

std::string pid_path(const std::string& path) {
    return path + ".pid";
}

std::expected<gid_t, std::string> group_id(const std::string& name) {
    std::vector<char> buffer(1 << 16);
    group entry{};
    group* found = nullptr;
    const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error != 0) return system_error(fmt::format("cannot look up group {}", name), error);
    if (found == nullptr) return std::unexpected(fmt::format("there is no group {}", name));
    return found->gr_gid;
}

// Whether a socket bound to this very path listens. Asked of the kernel: to connect would disturb the
// listener.
bool is_listened_on(const std::string& path) {
    constexpr unsigned kAcceptsConnections = 0x10000;  // __SO_ACCEPTCON
    std::ifstream sockets("/proc/net/unix");
    for (std::string line; std::getline(sockets, line);) {
        std::istringstream fields(line);
        std::string number;
        std::string references;
        std::string protocol;
        std::string type;
        std::string state;
        std::string inode;
        std::string bound;
        unsigned flags = 0;
        fields >> number >> references >> protocol >> std::hex >> flags >> type >> state >> inode;
        std::getline(fields >> std::ws, bound);
        if (bound == path && (flags & kAcceptsConnections) != 0) return true;
    }
    return false;
}

// A locked file with this process' number.
std::expected<Fd, std::string> lock_pid_file(const std::string& path, const std::string& socket_path) {
    while (true) {
        Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
        if (!file) return system_error(fmt::format("cannot make {}", path));
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return system_error(fmt::format("cannot lock {}", path));
            return std::unexpected(
                fmt::format("cannot bind {}: another virtiofsd holds {}", socket_path, path));
        }
        // Whoever held the lock until now has removed the file at its end.
        struct stat locked {};
        struct stat present {};
        if (::fstat(file.get(), &locked) != 0) return system_error(fmt::format("cannot look at {}", path));
        if (::stat(path.c_str(), &present) != 0 || locked.st_ino != present.st_ino ||
            locked.st_dev != present.st_dev) {
            continue;
        }
        const auto text = fmt::format("{}\n", ::getpid());
        if (::ftruncate(file.get(), 0) != 0 || ::write(file.get(), text.data(), text.size()) < 0) {
            return system_error(fmt::format("cannot write {}", path));
        }
        return file;
    }
}

}  // namespace

std::expected<Listener, std::string> Listener::create(const std::string& path, const std::string& group) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        return std::unexpected(fmt::format("cannot bind {}: a socket's path has 1 to 107 bytes", path));
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const auto owner_group = group.empty() ? std::expected<gid_t, std::string>(0) : group_id(group);
    if (!owner_group) return std::unexpected(owner_group.error());

    auto pid_file = lock_pid_file(pid_path(path), path);
    if (!pid_file) return std::unexpected(std::move(pid_file.error()));
    // From here on the object removes what there is at its end.
    Listener listener{Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))};
    listener.pid_file_ = *std::move(pid_file);
    listener.pid_path_ = pid_path(path);
    if (!listener.socket_) return system_error("cannot make a UNIX socket");

    struct stat existing {};
    if (::lstat(path.c_str(), &existing) == 0) {
        const auto fail = [&path](std::string_view why) {
            return std::unexpected(fmt::format("cannot bind {}: {}", path, why));
        };
        if (!S_ISSOCK(existing.st_mode)) return fail("there is a file that is no socket");
        if (is_listened_on(path)) return fail("address in use; is another virtiofsd running?");
        if (::unlink(path.c_str()) != 0)
            return system_error(fmt::format("cannot replace the old socket {}", path));
    }
    const mode_t umask_before = ::umask(group.empty() ? 0177 : 0117);
    const int bound = ::bind(listener.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    const int bind_error = errno;
    ::umask(umask_before);
    if (bound != 0) return system_error(fmt::format("cannot bind {}", path), bind_error);
    listener.path_ = path;
    if (!group.empty() && ::lchown(path.c_str(), static_cast<uid_t>(-1), *owner_group) != 0) {
        return system_error(fmt::format("cannot give {} to group {}", path, group));
    }
    if (::listen(listener.fd(), 1) != 0) return system_error(fmt::format("cannot listen on {}", path));
    return listener;
}

std::expected<Listener, std::string> Listener::adopt(int fd) {
    const auto fail = [fd](std::string_view why) {
        return std::unexpected(fmt::format("--fd={}: {}", fd, why));
    };
    const auto option = [fd](int name) {
        int value = 0;
        socklen_t size = sizeof(value);
        return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
    };
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0) return fail("no such descriptor was inherited");
    if (option(SO_DOMAIN) != AF_UNIX || option(SO_TYPE) != SOCK_STREAM)
        return fail("it is no UNIX stream socket");
    if (option(SO_ACCEPTCONN) != 1) return fail("the socket does not listen");
    if (::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0) return fail("cannot be marked close-on-exec");
    return Listener(Fd(fd));
}

Listener::Listener(Listener&& other) noexcept
    : socket_(std::move(other.socket_)),
      pid_file_(std::move(other.pid_file_)),
      path_(std::exchange(other.path_, {})),
      pid_path_(std::exchange(other.pid_path_, {})) {}

Listener::~Listener() {
    if (!path_.empty()) ::unlinkat(AT_FDCWD, path_.c_str(), 0);
    if (!pid_path_.empty()) ::unlinkat(AT_FDCWD, pid_path_.c_str(), 0);
}

vhost_user::Fd Listener::release() {
    path_.clear();
    pid_path_.clear();
    pid_file_.reset();
    return std::move(socket_);
}

}  // namespace host
