// The program itself, as libvirt and people start and end it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "vhost_user/fd.h"
#include "vhost_user/socket.h"

namespace host {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using vhost_user::Fd;

constexpr int kPatience = 30'000;  // milliseconds; no test takes them

std::pair<Fd, Fd> make_pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    return {Fd(ends[0]), Fd(ends[1])};
}

// Reads until the text has come, or until the end if it is empty; what was read.
std::string read_until(int fd, std::string_view text) {
    std::string all;
    while (text.empty() || all.find(text) == std::string::npos) {
        pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&ready, 1, kPatience) != 1) {
            ADD_FAILURE() << "nothing more comes after: " << all;
            break;
        }
        std::array<char, 512> piece{};
        const auto size = ::read(fd, piece.data(), piece.size());
        if (size <= 0) break;
        all.append(piece.data(), static_cast<std::size_t>(size));
    }
    return all;
}

// A running virtiofsd; killed at the end if it still is.
class Program {
  public:
    struct Inherited {
        int fd = -1;  // is `as` in the program
        int as = -1;
    };

    explicit Program(std::vector<std::string> arguments, std::vector<Inherited> inherited = {}) {
        auto [out, out_end] = make_pipe();
        auto [err, err_end] = make_pipe();
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_adddup2(&actions, out_end.get(), STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, err_end.get(), STDERR_FILENO);
        for (const auto& [fd, as] : inherited)
            ::posix_spawn_file_actions_adddup2(&actions, fd, as);
        arguments.insert(arguments.begin(), VIRTIOFSD_BINARY);
        std::vector<char*> argv;
        for (auto& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        EXPECT_EQ(::posix_spawn(&pid_, VIRTIOFSD_BINARY, &actions, nullptr, argv.data(), environ), 0);
        ::posix_spawn_file_actions_destroy(&actions);
        out_ = std::move(out);
        err_ = std::move(err);
    }
    ~Program() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    pid_t pid() const { return pid_; }
    void wait_until_ready() { EXPECT_THAT(read_until(err_.get(), "waiting for"), HasSubstr("waiting for")); }
    void signal(int number) const { ::kill(pid_, number); }
    // The wait status; all of its processes are gone, since none holds its stderr.
    int end() {
        output_ = read_until(out_.get(), "");
        log_ = read_until(err_.get(), "");
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return status;
    }
    bool ends_with(int code) {
        const int status = end();
        return WIFEXITED(status) && WEXITSTATUS(status) == code;
    }
    const std::string& output() const { return output_; }
    const std::string& log() const { return log_; }

  private:
    pid_t pid_ = -1;
    Fd out_;
    Fd err_;
    std::string output_;
    std::string log_;
};

class ProgramTest : public ::testing::Test {
  protected:
    ProgramTest() {
        std::string name = (std::filesystem::temp_directory_path() / "program.XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
        std::filesystem::create_directory(directory_ / "share");
    }
    ~ProgramTest() override { std::filesystem::remove_all(directory_); }

    std::string share() const { return (directory_ / "share").string(); }
    std::string socket_path() const { return (directory_ / "socket").string(); }
    bool only_the_share_is_left() const {
        return std::distance(std::filesystem::directory_iterator(directory_), {}) == 1;
    }
    Fd listening() const {
        Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket_path().copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        EXPECT_EQ(::listen(socket.get(), 1), 0);
        return socket;
    }

    std::filesystem::path directory_;
};

TEST_F(ProgramTest, TellsLibvirtWhatItIs) {
    Program program({"--print-capabilities"});
    ASSERT_TRUE(program.ends_with(0)) << program.log();
    const auto answer = nlohmann::json::parse(program.output());
    EXPECT_EQ(answer.at("type"), "fs");
    EXPECT_THAT(answer.at("features"), ::testing::Contains("separate-options"));
    EXPECT_EQ(program.log(), "");
}

TEST_F(ProgramTest, ErrorsGoToStderrWithExitCodeOne) {
    Program program({"--shared-dir=/srv"});
    EXPECT_TRUE(program.ends_with(1));
    EXPECT_THAT(program.log(), HasSubstr("virtiofsd: no socket to listen on"));
    Program missing({"--shared-dir=/nowhere", "--socket-path=" + socket_path()});
    EXPECT_TRUE(missing.ends_with(1));
    EXPECT_EQ(missing.log(), "virtiofsd: error: cannot share /nowhere: No such file or directory\n");
    EXPECT_TRUE(only_the_share_is_left());
}

class ProgramInSandbox : public ProgramTest, public ::testing::WithParamInterface<const char*> {
  protected:
    void SetUp() override {
        if (::geteuid() != 0 && GetParam() != std::string_view("none")) GTEST_SKIP() << "needs root";
    }
    std::vector<std::string> arguments() const {
        return {"--shared-dir=" + share(), "--socket-path=" + socket_path(),
                std::string("--sandbox=") + GetParam()};
    }
};

INSTANTIATE_TEST_SUITE_P(, ProgramInSandbox, ::testing::Values("namespace", "chroot", "none"),
                         [](const auto& sandbox) { return std::string(sandbox.param); });

TEST_P(ProgramInSandbox, SignalsEndItAndNothingIsLeft) {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        Program program(arguments());
        program.wait_until_ready();
        std::string pid;
        std::ifstream(socket_path() + ".pid") >> pid;
        EXPECT_EQ(pid, std::to_string(program.pid()));
        program.signal(signal);
        EXPECT_TRUE(program.ends_with(0)) << program.log();
        EXPECT_TRUE(only_the_share_is_left());
    }
}

TEST_P(ProgramInSandbox, SignalsEndItWhileItServes) {
    Program program(arguments());
    program.wait_until_ready();
    const auto connection = vhost_user::connect_unix(socket_path(), vhost_user::within(20s));
    ASSERT_TRUE(connection) << connection.error();
    program.signal(SIGTERM);
    EXPECT_TRUE(program.ends_with(0)) << program.log();
    EXPECT_TRUE(only_the_share_is_left());
}

TEST_P(ProgramInSandbox, EndsWhenTheFrontEndHangsUp) {
    Program program(arguments());
    program.wait_until_ready();
    { const auto connection = vhost_user::connect_unix(socket_path(), vhost_user::within(20s)); }
    EXPECT_TRUE(program.ends_with(0)) << program.log();
    EXPECT_TRUE(only_the_share_is_left());
}

TEST_P(ProgramInSandbox, KilledItIsGoneWhole) {
    Program program(arguments());
    program.wait_until_ready();
    program.signal(SIGKILL);
    const int status = program.end();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    // What it left does not keep the next one from starting.
    Program next(arguments());
    next.wait_until_ready();
    next.signal(SIGTERM);
    EXPECT_TRUE(next.ends_with(0)) << next.log();
}

TEST_P(ProgramInSandbox, LibvirtsDescriptorsAreUsedAndOthersStayOpen) {
    const Fd socket = listening();
    auto [lock, lock_end] = make_pipe();
    Program program({"--fd=13", "-o", "source=" + share() + ",sandbox=" + GetParam()},
                    {{.fd = socket.get(), .as = 13}, {.fd = lock_end.get(), .as = 14}});
    lock_end.reset();
    program.wait_until_ready();
    pollfd open_in_program{.fd = lock.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&open_in_program, 1, 0), 0);
    program.signal(SIGTERM);
    EXPECT_TRUE(program.ends_with(0)) << program.log();
    EXPECT_EQ(::poll(&open_in_program, 1, kPatience), 1);
    EXPECT_TRUE(std::filesystem::exists(socket_path()));
}

}  // namespace
}  // namespace host
