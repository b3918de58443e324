#include "lab/control/control.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

namespace lab {
namespace {

class ControlTest : public testing::Test {
  protected:
    void SetUp() override {
        auto socket = ControlSocket::listen(path_);
        ASSERT_TRUE(socket) << socket.error();
        socket_.emplace(std::move(*socket));
        thread_ = std::thread([this] {
            while (!ended_) {
                pollfd entry{.fd = socket_->fd(), .events = POLLIN, .revents = 0};
                if (::poll(&entry, 1, 20) > 0) {
                    socket_->serve_waiting(
                        [this](const std::string& order) -> std::expected<void, std::string> {
                            orders_.push_back(order);
                            if (order.starts_with("refuse")) return std::unexpected("no:\nnever");
                            return {};
                        });
                }
            }
        });
    }
    void TearDown() override {
        ended_ = true;
        if (thread_.joinable()) thread_.join();
    }

    const std::string path_ =
        (std::filesystem::temp_directory_path() / ("control-test-" + std::to_string(::getpid()))).string();
    std::optional<ControlSocket> socket_;
    std::vector<std::string> orders_;  // the thread's until it is joined
    std::atomic<bool> ended_ = false;
    std::thread thread_;
};

TEST_F(ControlTest, Order_IsCarriedOutBeforeTheAnswer) {
    EXPECT_TRUE(give_order(path_, "device remove"));
    EXPECT_TRUE(give_order(path_, "device add"));
    TearDown();
    EXPECT_EQ(orders_, (std::vector<std::string>{"device remove", "device add"}));
}

TEST_F(ControlTest, Refusal_ComesBackAsOneLine) {
    const auto refused = give_order(path_, "refuse this");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), "no: never");
}

TEST_F(ControlTest, PeerThatSaysNothing_DoesNotKeepOthersOut) {
    const int silent = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    ASSERT_EQ(::connect(silent, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_TRUE(give_order(path_, "device add"));
    ::close(silent);
}

TEST(ControlOrder, WithoutListener_FailsWithTheSocketsName) {
    const auto refused = give_order("/nonexistent/socket", "x");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().find("nothing takes orders at /nonexistent/socket"), std::string::npos);
    EXPECT_FALSE(give_order("/" + std::string(200, 'x'), "x"));
}

}  // namespace
}  // namespace lab
