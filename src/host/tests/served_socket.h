// For tests: a VhostServer on a thread of its own, and the front-end's end of its socket.
// Must never know: who speaks to it.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "host/vhost_server.h"
#include "vhost_user/event_fd.h"

namespace host {

class ServedSocket {
  public:
    using Result = std::expected<VhostServer::Ended, std::string>;

    explicit ServedSocket(RequestHandler& handler, VhostServerOptions options = {}) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        front_ = vhost_user::Fd(ends[0]);
        options.log = [this](const std::string& line) {
            const std::lock_guard lock(mutex_);
            log_ += line + "\n";
        };
        server_ = std::make_unique<VhostServer>(handler, std::move(options));
        result_ = std::async(std::launch::async, [this, back = ends[1]] {
            return server_->serve(vhost_user::Fd(back), stop_.get());
        });
    }
    ~ServedSocket() { stop_.signal(); }

    vhost_user::Fd take_front() { return std::move(front_); }
    void stop() { stop_.signal(); }
    // How it ended; once. An error if it has not in time.
    Result wait() {
        if (result_.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
            return std::unexpected(std::string("the server still runs"));
        }
        return result_.get();
    }
    std::string log() {
        const std::lock_guard lock(mutex_);
        return log_;
    }

  private:
    vhost_user::EventFd stop_;
    vhost_user::Fd front_;
    std::mutex mutex_;
    std::string log_;
    std::unique_ptr<VhostServer> server_;
    std::future<Result> result_;  // last: its destructor waits
};

}  // namespace host
