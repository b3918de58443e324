// virtiofs-mount's parts on a real kernel and a real daemon. Need root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "lab/bridge/local_mount.h"
#include "lab/channel/daemon.h"

namespace {

using lab::LocalMount;

class Mount : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root";
        std::string made = (std::filesystem::temp_directory_path() / "mount-test-XXXXXX").string();
        ASSERT_NE(::mkdtemp(made.data()), nullptr);
        directory_ = made;
        std::filesystem::create_directory(share());
        std::filesystem::create_directory(mountpoint());
        auto daemon = lab::Daemon::start({.directory = share()});
        ASSERT_TRUE(daemon) << daemon.error();
        daemon_ = std::move(*daemon);
        vhost_user::Fd signals = lab::block_signals();
        const lab::Carrier::Options options;
        auto socket = vhost_user::connect_unix(daemon_->socket_path(), vhost_user::within(options.timeout));
        ASSERT_TRUE(socket) << socket.error();
        auto carrier = lab::Carrier::connect(std::move(*socket), options);
        ASSERT_TRUE(carrier) << carrier.error();
        ASSERT_TRUE(lab::leave_mount_namespace());
        auto mount = LocalMount::make(std::move(*carrier), mountpoint(), std::move(signals));
        ASSERT_TRUE(mount) << mount.error();
        mount_ = std::move(*mount);
    }
    void TearDown() override {
        mount_.reset();
        daemon_.reset();
        std::error_code error;
        std::filesystem::remove_all(directory_, error);
        EXPECT_FALSE(error) << error.message();
    }

    std::string share() const { return directory_ + "/share"; }
    std::string mountpoint() const { return directory_ + "/mount"; }
    // A shell script, to which $1 is the mount point.
    int run(const std::string& script) {
        const auto code = mount_->run({"sh", "-c", script, "sh", mountpoint()});
        EXPECT_TRUE(code) << code.error();
        return code.value_or(-1);
    }
    static std::string content_of(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::string directory_;
    std::unique_ptr<lab::Daemon> daemon_;
    std::unique_ptr<LocalMount> mount_;
};

TEST_F(Mount, Files_AreThoseOfTheShare) {
    std::ofstream(share() + "/there") << "content";
    EXPECT_EQ(content_of(mountpoint() + "/there"), "content");
    std::ofstream(mountpoint() + "/here") << "more";
    EXPECT_EQ(content_of(share() + "/here"), "more");
    EXPECT_TRUE(mount_->unmount());
    EXPECT_TRUE(std::filesystem::is_empty(mountpoint()));
    mount_.reset();
    EXPECT_TRUE(daemon_->wait_for_exit(std::chrono::seconds(10)));
}

TEST_F(Mount, LongFiles_ArriveWhole) {
    std::string data(std::size_t{5} << 20, '\0');
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<char>(i * 7 + i / 4096);
    std::ofstream(mountpoint() + "/file", std::ios::binary) << data;
    EXPECT_TRUE(content_of(share() + "/file") == data);
    EXPECT_TRUE(content_of(mountpoint() + "/file") == data);
}

TEST_F(Mount, ExitCode_IsTheProgramsOwn) {
    EXPECT_EQ(run("exit 7"), 7);
    EXPECT_EQ(run("kill -TERM $$"), 128 + SIGTERM);
    EXPECT_EQ(mount_->run({"/nonexistent/program"}).value_or(0), 127);
    EXPECT_TRUE(mount_->unmount());
}

TEST_F(Mount, KilledDaemon_LeavesADeadMount) {
    std::ofstream(share() + "/file") << "content";
    std::thread killer([&] { daemon_->kill(); });
    // Until the mount is dead; ENOTCONN is said in these words.
    EXPECT_EQ(run("until LC_ALL=C stat $1/missing 2>&1 | grep -q 'not connected'; do :; done"), 0);
    killer.join();
    EXPECT_NE(mount_->loss(), "");
    EXPECT_FALSE(mount_->unmount());
}

TEST_F(Mount, DaemonKilledInTheMiddleOfARequest_EndsTheRequest) {
    daemon_->pause();
    std::thread killer([&] { daemon_->kill(); });
    EXPECT_NE(run("stat $1/missing 2>/dev/null"), 0);
    killer.join();
}

TEST_F(Mount, UnmountWhileInUse_IsAnError) {
    std::ofstream(share() + "/file") << "content";
    const vhost_user::Fd fd(::open((mountpoint() + "/file").c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(fd);
    EXPECT_FALSE(mount_->unmount());
    char byte = 0;
    // The cache may still know the first bytes; nobody can say more about the file.
    EXPECT_TRUE(::pread(fd.get(), &byte, 1, 1 << 20) <= 0);
}

TEST_F(Mount, UnmountBySomebodyElse_EndsTheWait) {
    ASSERT_EQ(::umount2(mountpoint().c_str(), 0), 0);
    mount_->wait();
    EXPECT_EQ(mount_->loss(), "");
    EXPECT_TRUE(mount_->unmount());
}

TEST_F(Mount, ManyThreads_GetTheirOwnBytes) {
    constexpr int kThreads = 16;
    constexpr int kRounds = 30;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int number = 0; number < kThreads; ++number) {
        threads.emplace_back([&, number] {
            for (int round = 0; round < kRounds; ++round) {
                const std::string name =
                    mountpoint() + "/" + std::to_string(number) + "-" + std::to_string(round % 4);
                const std::string data(1 + static_cast<std::size_t>(round) * 4001,
                                       static_cast<char>('a' + number));
                std::ofstream(name, std::ios::binary) << data;
                if (content_of(name) != data) ++wrong;
                if (round % 4 == 3 && ::unlink(name.c_str()) != 0) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(mount_->unmount());
}

}  // namespace
