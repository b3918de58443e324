// The UNIX socket that the front-end connects to: made at a path, or inherited.
// Must never know: what is said on it.
#pragma once

#include <expected>
#include <string>

#include "vhost_user/fd.h"

namespace host {

// A listening socket. One that was made here is removed from its path, with the pid file beside it, when the
// object goes; a fork's child that is not to do so calls release().
class Listener {
  public:
    // Makes a socket at `path`, for its owner and, unless `group` is empty, that group. A socket that nobody
    // listens on is replaced; path + ".pid" holds this process' number and is locked, so that of two daemons
    // one starts.
    static std::expected<Listener, std::string> create(const std::string& path, const std::string& group);
    // Takes over an inherited descriptor.
    static std::expected<Listener, std::string> adopt(int fd);

    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&&) = delete;
    ~Listener();

    int fd() const { return socket_.get(); }
    // Gives up the socket's descriptor; what is in the file system stays this object's to remove.
    vhost_user::Fd take_descriptor() { return std::move(socket_); }
    // Gives up the duty to remove anything, too.
    vhost_user::Fd release();

  private:
    explicit Listener(vhost_user::Fd socket) : socket_(std::move(socket)) {}

    vhost_user::Fd socket_;
    vhost_user::Fd pid_file_;
    std::string path_;  // to be removed unless empty, and so is the next
    std::string pid_path_;
};

}  // namespace host
