// Capabilities and the system call filter, each in a child of its own; limits and the log.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <thread>

#include "host/capabilities.h"
#include "host/descriptor_limit.h"
#include "host/log.h"
#include "host/supervisor.h"
#include "host/syscall_filter.h"

namespace host {
namespace {

#define SKIP_UNLESS_ROOT() \
    if (::geteuid() != 0) GTEST_SKIP() << "needs root"

// The wait status of a child that runs `body` and exits with what it returns.
int status_of(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}
bool exits_with(int code, int status) {
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}
bool killed_by(int signal, int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

// A hexadecimal set of capabilities from /proc/self/status.
std::uint64_t capability_set(const std::string& name) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(name + ":")) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 16);
    }
    return ~0ULL;
}
std::uint64_t mask(std::initializer_list<unsigned> capabilities) {
    std::uint64_t bits = 0;
    for (const unsigned capability : capabilities)
        bits |= 1ULL << capability;
    return bits;
}
const std::uint64_t kServing = mask(
    {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETGID, CAP_SETUID, CAP_MKNOD, CAP_SETFCAP});

// The effective capabilities of a child confined with these options; 0 if it could not be.
std::uint64_t effective_with(const ProcessOptions& options) {
    int ends[2];
    if (::pipe(ends) != 0) return 0;
    status_of([&] {
        if (!confine_to_server_capabilities(options)) return 1;
        const std::uint64_t all[] = {capability_set("CapEff"), capability_set("CapPrm"),
                                     capability_set("CapBnd"), capability_set("CapInh"),
                                     capability_set("CapAmb")};
        const std::uint64_t result =
            all[0] == all[1] && all[2] == 0 && all[3] == 0 && all[4] == 0 ? all[0] : 0;
        return ::write(ends[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1;
    });
    std::uint64_t result = 0;
    ::close(ends[1]);
    if (::read(ends[0], &result, sizeof(result)) != sizeof(result)) result = 0;
    ::close(ends[0]);
    return result;
}

TEST(Capabilities, AreReducedToWhatServingTakes) {
    SKIP_UNLESS_ROOT();
    ProcessOptions options;
    EXPECT_EQ(effective_with(options), kServing | mask({CAP_DAC_READ_SEARCH}));
    options.server.file_handles = FileHandles::kNever;
    EXPECT_EQ(effective_with(options), kServing);
}

TEST(Capabilities, ChangesAreHeeded) {
    SKIP_UNLESS_ROOT();
    ProcessOptions options;
    options.server.file_handles = FileHandles::kNever;
    options.capability_changes = {{.capability = CAP_SYS_ADMIN, .keep = true},
                                  {.capability = CAP_MKNOD, .keep = false},
                                  {.capability = CAP_CHOWN, .keep = false},
                                  {.capability = CAP_CHOWN, .keep = true}};
    EXPECT_EQ(effective_with(options), (kServing | mask({CAP_SYS_ADMIN})) & ~mask({CAP_MKNOD}));
}

TEST(Capabilities, ThatAreNotThereCannotBeKept) {
    SKIP_UNLESS_ROOT();
    ProcessOptions options;
    options.capability_changes = {{.capability = CAP_SYS_ADMIN, .keep = true}};
    EXPECT_TRUE(exits_with(0, status_of([&] {
                               const unsigned few[] = {CAP_CHOWN};
                               if (!keep_capabilities(few)) return 1;
                               const auto confined = confine_to_server_capabilities(options);
                               return !confined && confined.error() ==
                                                       "--modcaps=+sys_admin: this process does not have it"
                                          ? 0
                                          : 2;
                           })));
    options = {};
    options.server.file_handles = FileHandles::kMandatory;
    options.capability_changes = {{.capability = CAP_DAC_READ_SEARCH, .keep = false}};
    EXPECT_TRUE(exits_with(0, status_of([&] { return confine_to_server_capabilities(options) ? 1 : 0; })));
}

TEST(Capabilities, OverFilesAreNotThereWhileAThreadActsAsAnotherUser) {
    SKIP_UNLESS_ROOT();
    EXPECT_TRUE(exits_with(0, status_of([] {
                               if (!confine_to_server_capabilities({})) return 1;
                               const std::uint64_t before = capability_set("CapEff");
                               ::setfsuid(1000);
                               constexpr std::uint64_t kOverFiles = 1ULL << CAP_DAC_OVERRIDE |
                                                                    1ULL << CAP_FOWNER | 1ULL << CAP_CHOWN |
                                                                    1ULL << CAP_FSETID;
                               if ((capability_set("CapEff") & kOverFiles) != 0) return 2;
                               if ((capability_set("CapEff") & 1ULL << CAP_SETUID) == 0) return 3;
                               ::setfsuid(0);
                               return capability_set("CapEff") == before ? 0 : 4;
                           })));
}

TEST(Capabilities, AreNotToBeHadAgain) {
    SKIP_UNLESS_ROOT();
    EXPECT_TRUE(exits_with(
        0, status_of([] {
            if (!confine_to_server_capabilities({})) return 1;
            if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 2;
            return ::mount("none", "/", nullptr, MS_REMOUNT, nullptr) != 0 && errno == EPERM ? 0 : 3;
        })));
}

int forbidden_call() {
    // Harmless, and nothing that a file server needs.
    return ::syscall(SYS_getpriority, 0, 0) >= 0 ? 0 : 1;
}

TEST(SystemCallFilter, KillsWhoMakesAnotherCall) {
    EXPECT_TRUE(killed_by(SIGSYS, status_of([] {
                              if (!apply_syscall_filter(SeccompMode::kKill, false)) return 1;
                              return forbidden_call();
                          })));
}

TEST(SystemCallFilter, CanRaiseASignalInstead) {
    EXPECT_TRUE(exits_with(42, status_of([] {
                               ::signal(SIGSYS, [](int) { ::_exit(42); });
                               if (!apply_syscall_filter(SeccompMode::kTrap, false)) return 1;
                               return forbidden_call();
                           })));
}

TEST(SystemCallFilter, CanLogOrLetPass) {
    for (const auto mode : {SeccompMode::kLog, SeccompMode::kNone}) {
        EXPECT_TRUE(exits_with(0, status_of([mode] {
                                   if (!apply_syscall_filter(mode, false)) return 1;
                                   return forbidden_call();
                               })));
    }
}

TEST(SystemCallFilter, ProgramsAreNotRun) {
    EXPECT_TRUE(killed_by(SIGSYS, status_of([] {
                              if (!apply_syscall_filter(SeccompMode::kKill, false)) return 1;
                              ::execl("/bin/true", "true", nullptr);
                              return 0;
                          })));
}

TEST(SystemCallFilter, NamespacesAreNotMade) {
    EXPECT_TRUE(killed_by(SIGSYS, status_of([] {
                              if (!apply_syscall_filter(SeccompMode::kKill, false)) return 1;
                              ::unshare(CLONE_NEWUSER);
                              return 0;
                          })));
}

TEST(SystemCallFilter, TheSystemLogsReconnectingFailsQuietly) {
    EXPECT_TRUE(exits_with(0, status_of([] {
                               if (!apply_syscall_filter(SeccompMode::kKill, true)) return 1;
                               return ::socket(AF_UNIX, SOCK_DGRAM, 0) < 0 && errno == EPERM ? 0 : 2;
                           })));
    EXPECT_TRUE(killed_by(SIGSYS, status_of([] {
                              if (!apply_syscall_filter(SeccompMode::kKill, false)) return 1;
                              return ::socket(AF_UNIX, SOCK_DGRAM, 0);
                          })));
}

TEST(SystemCallFilter, ThreadsAndMemoryUnderLoadAreNothingSpecial) {
    EXPECT_TRUE(exits_with(0, status_of([] {
                               if (!apply_syscall_filter(SeccompMode::kKill, false)) return 1;
                               std::vector<std::jthread> threads;
                               for (int t = 0; t < 24; ++t) {
                                   threads.emplace_back([t] {
                                       ::pthread_setname_np(::pthread_self(), "worker");
                                       for (std::size_t i = 0; i < 40; ++i) {
                                           std::vector<char> small(64 + i * 37);
                                           std::vector<char> large((1 << 17) + i * 4096,
                                                                   static_cast<char>(t));
                                           large.resize(large.size() * 2);
                                       }
                                   });
                               }
                               threads.clear();
                               start_log(LogLevel::kError, false);
                               return 0;
                           })));
}

TEST(Supervisor, ExitsAsItsChildDoes) {
    EXPECT_TRUE(exits_with(7, status_of([] {
                               const auto fork = fork_supervised();
                               if (!fork) return 1;
                               return fork->child == 0 ? 7 : supervise(*fork);
                           })));
    EXPECT_TRUE(exits_with(128 + SIGKILL, status_of([] {
                               start_log(LogLevel::kOff, false);
                               const auto fork = fork_supervised();
                               if (!fork) return 1;
                               if (fork->child == 0) ::raise(SIGKILL);
                               return supervise(*fork);
                           })));
}

TEST(Supervisor, HandsSignalsOn) {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        EXPECT_TRUE(exits_with(signal, status_of([signal] {
                                   sigset_t signals;
                                   ::sigemptyset(&signals);
                                   ::sigaddset(&signals, signal);
                                   ::sigprocmask(SIG_BLOCK, &signals, nullptr);
                                   const pid_t parent = ::getpid();
                                   const auto fork = fork_supervised();
                                   if (!fork) return 1;
                                   if (fork->child != 0) return supervise(*fork);
                                   ::kill(parent, signal);
                                   int received = 0;
                                   return ::sigwait(&signals, &received) == 0 ? received : 1;
                               })));
    }
}

TEST(Supervisor, ItsDeathIsItsChildsDeath) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_TRUE(killed_by(SIGKILL, status_of([&ends] {
                              const auto fork = fork_supervised();
                              if (!fork) return 1;
                              if (fork->child == 0) {
                                  if (!die_with_parent(*fork)) return 1;
                                  (void)!::write(ends[1], "x", 1);
                                  while (true)
                                      ::pause();
                              }
                              char ready = 0;
                              if (::read(ends[0], &ready, 1) != 1) return 2;
                              return ::raise(SIGKILL);
                          })));
    // The child held the other end of the pipe: its end is the end of the pipe.
    ::close(ends[1]);
    char none = 0;
    EXPECT_EQ(::read(ends[0], &none, 1), 0);
    ::close(ends[0]);
}

TEST(Supervisor, AChildWhoseParentIsGoneDoesNotStart) {
    Fork fork;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    fork.parent = vhost_user::Fd(ends[0]);
    ::close(ends[1]);
    EXPECT_TRUE(exits_with(0, status_of([&fork] { return die_with_parent(fork) ? 1 : 0; })));
}

rlim_t soft_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

TEST(DescriptorLimit, IsWhatWasAskedFor) {
    EXPECT_TRUE(exits_with(0, status_of([] {
                               const auto set = set_descriptor_limit(200);
                               return set == 200U && soft_limit() == 200 ? 0 : 1;
                           })));
}

TEST(DescriptorLimit, ZeroLeavesItAsItIs) {
    const auto before = soft_limit();
    EXPECT_EQ(set_descriptor_limit(0), before);
    EXPECT_EQ(soft_limit(), before);
}

TEST(DescriptorLimit, WithoutTheRightToRaiseItTheHardLimitIsTaken) {
    EXPECT_TRUE(exits_with(0, status_of([] {
                               const rlimit low{100, 300};
                               if (::setrlimit(RLIMIT_NOFILE, &low) != 0 || !keep_capabilities({})) return 1;
                               if (set_descriptor_limit(std::nullopt) != 300U || soft_limit() != 300)
                                   return 2;
                               return set_descriptor_limit(301) ? 3 : 0;
                           })));
}

TEST(DescriptorLimit, MoreThanTheSystemHasIsAnError) {
    const auto set = set_descriptor_limit(1ULL << 40);
    ASSERT_FALSE(set);
    EXPECT_THAT(set.error(), ::testing::HasSubstr("sysctl fs.nr_open"));
}

TEST(Log, AMessageIsOneLineAndDoesNotSpeakToTerminals) {
    EXPECT_EQ(log_line("error", "cannot do it"), "virtiofsd: error: cannot do it\n");
    EXPECT_EQ(log_line("info", "a\nb\x1b[2J\x7f"), "virtiofsd: info: a\\x0ab\\x1b[2J\\x7f\n");
}

}  // namespace
}  // namespace host
