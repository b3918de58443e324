// Sockets as users and libvirt hand them to the daemon.
#include "host/listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "vhost_user/socket.h"

namespace host {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using vhost_user::Fd;

class ListenerTest : public ::testing::Test {
  protected:
    ListenerTest() {
        std::string name = (std::filesystem::temp_directory_path() / "listener.XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    ~ListenerTest() override { std::filesystem::remove_all(directory_); }

    std::string path() const { return (directory_ / "socket").string(); }
    std::string error_of_create() const {
        const auto listener = Listener::create(path(), "");
        return listener ? "no error" : listener.error();
    }

    std::filesystem::path directory_;
};

// A socket bound to the path by somebody else.
Fd bound(const std::string& path) {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return socket;
}

mode_t mode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
}

TEST_F(ListenerTest, AFrontEndCanConnect) {
    const auto listener = Listener::create(path(), "");
    ASSERT_TRUE(listener) << listener.error();
    EXPECT_TRUE(vhost_user::connect_unix(path(), vhost_user::within(5s)));
    const Fd connection(::accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(connection);
}

TEST_F(ListenerTest, TheSocketIsItsOwnersAlone) {
    const auto listener = Listener::create(path(), "");
    ASSERT_TRUE(listener) << listener.error();
    EXPECT_EQ(mode_of(path()), 0600U);
}

TEST_F(ListenerTest, AGroupMayUseIt) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const auto listener = Listener::create(path(), "daemon");
    ASSERT_TRUE(listener) << listener.error();
    EXPECT_EQ(mode_of(path()), 0660U);
    struct stat status {};
    ::lstat(path().c_str(), &status);
    EXPECT_EQ(status.st_gid, 1U);
}

TEST_F(ListenerTest, AGroupThatIsNoneIsAnErrorAndLeavesNothing) {
    const auto listener = Listener::create(path(), "no-such-group");
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error(), "there is no group no-such-group");
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(ListenerTest, NothingIsLeftAtTheEnd) {
    {
        const auto listener = Listener::create(path(), "");
        ASSERT_TRUE(listener) << listener.error();
        std::string pid;
        std::ifstream(path() + ".pid") >> pid;
        EXPECT_EQ(pid, std::to_string(::getpid()));
    }
    EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(ListenerTest, WhatIsReleasedStays) {
    {
        auto listener = Listener::create(path(), "");
        ASSERT_TRUE(listener) << listener.error();
        EXPECT_TRUE(listener->release());
    }
    EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(ListenerTest, ASocketThatNobodyListensOnIsReplaced) {
    { const Fd old = bound(path()); }
    ASSERT_TRUE(std::filesystem::exists(path()));
    const auto listener = Listener::create(path(), "");
    ASSERT_TRUE(listener) << listener.error();
    EXPECT_TRUE(vhost_user::connect_unix(path(), vhost_user::within(5s)));
}

TEST_F(ListenerTest, ASocketThatSomebodyListensOnIsLeftAlone) {
    const Fd other = bound(path());
    ASSERT_EQ(::listen(other.get(), 1), 0);
    EXPECT_THAT(error_of_create(), EndsWith("socket: address in use; is another virtiofsd running?"));
    EXPECT_TRUE(std::filesystem::exists(path()));
    EXPECT_FALSE(std::filesystem::exists(path() + ".pid"));
}

TEST_F(ListenerTest, OfTwoDaemonsOneStarts) {
    auto first = Listener::create(path(), "");
    ASSERT_TRUE(first) << first.error();
    first->take_descriptor().reset();  // it serves, and listens no more
    EXPECT_THAT(error_of_create(), HasSubstr("another virtiofsd holds"));
    EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(ListenerTest, AFileThatIsNoSocketIsLeftAlone) {
    std::ofstream(path()) << "text";
    EXPECT_THAT(error_of_create(), EndsWith("socket: there is a file that is no socket"));
    EXPECT_EQ(std::filesystem::file_size(path()), 4U);
    EXPECT_FALSE(std::filesystem::exists(path() + ".pid"));
}

TEST_F(ListenerTest, ADirectoryThatIsMissingIsAnError) {
    const auto listener = Listener::create((directory_ / "none" / "socket").string(), "");
    ASSERT_FALSE(listener);
    EXPECT_THAT(listener.error(), EndsWith("No such file or directory"));
}

TEST_F(ListenerTest, AnInheritedListeningSocketIsTaken) {
    Fd socket = bound(path());
    ASSERT_EQ(::listen(socket.get(), 1), 0);
    const int fd = ::dup(socket.get());
    {
        const auto listener = Listener::adopt(fd);
        ASSERT_TRUE(listener) << listener.error();
        EXPECT_EQ(listener->fd(), fd);
        EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    }
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
    EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(ListenerTest, AnInheritedDescriptorThatDoesNotListenIsAnError) {
    const auto error_of = [](int fd) {
        const auto listener = Listener::adopt(fd);
        return listener ? "no error" : listener.error();
    };
    const Fd socket = bound(path());
    EXPECT_THAT(error_of(socket.get()), EndsWith("the socket does not listen"));
    const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_THAT(error_of(file.get()), EndsWith("it is no UNIX stream socket"));
    const Fd internet(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_THAT(error_of(internet.get()), EndsWith("it is no UNIX stream socket"));
    EXPECT_EQ(error_of(999), "--fd=999: no such descriptor was inherited");
    EXPECT_NE(::fcntl(socket.get(), F_GETFD), -1);
}

}  // namespace
}  // namespace host
