// Orders to a part of the lab while it runs: one line over a Unix socket, answered when it is carried out.
// Must never know: which orders there are.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace lab {

// Carries an order out; the error is a sentence for whoever gave it.
using OrderHandler = std::function<std::expected<void, std::string>(const std::string& order)>;

// The listening side. Removes its socket when it goes.
class ControlSocket {
  public:
    // `path`: of a socket that nothing listens on; a left-over one is replaced.
    static std::expected<ControlSocket, std::string> listen(const std::string& path);
    ControlSocket(ControlSocket&& other) noexcept;
    ControlSocket& operator=(ControlSocket&&) = delete;
    ~ControlSocket();

    int fd() const { return fd_; }  // readable when an order waits
    // Takes the orders that wait, if any, and answers each after `handler` returned. An order that does not
    // come within a second of its connection is dropped.
    void serve_waiting(const OrderHandler& handler) const;

  private:
    ControlSocket(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    int fd_ = -1;
    std::string path_;
};

// Gives an order and waits until it is carried out.
std::expected<void, std::string> give_order(const std::string& path, std::string_view order,
                                            std::chrono::seconds patience = std::chrono::seconds(120));

}  // namespace lab
