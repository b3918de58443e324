#include "host/syscall_filter.h"

#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <type_traits>

#include "host/sanitized.h"
#include "host/system_error.h"

namespace host {
namespace {

constexpr std::array kAllowed{
    // Memory
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(munmap),
    SCMP_SYS(membarrier), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock),
    // Threads, time, chance
    SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(futex_waitv), SCMP_SYS(get_robust_list), SCMP_SYS(getcpu),
    SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(gettid), SCMP_SYS(gettimeofday),
    SCMP_SYS(nanosleep), SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(sysinfo),
    SCMP_SYS(time), SCMP_SYS(uname),
    // Signals
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(signalfd4),
    // Waiting
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pselect6),
    SCMP_SYS(select), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_gettime), SCMP_SYS(timerfd_settime),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(io_uring_setup),
    // The connection
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(getsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(socketpair),
    // Descriptors
    SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl),
    SCMP_SYS(getrlimit), SCMP_SYS(pipe2),
    // Data of files
    SCMP_SYS(copy_file_range), SCMP_SYS(fadvise64), SCMP_SYS(fallocate), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
    SCMP_SYS(ftruncate), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2),
    SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2), SCMP_SYS(read), SCMP_SYS(readahead),
    SCMP_SYS(readv), SCMP_SYS(sync_file_range), SCMP_SYS(syncfs), SCMP_SYS(truncate), SCMP_SYS(write),
    SCMP_SYS(writev), SCMP_SYS(flock),
    // Names and attributes of files
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fchdir), SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr),
    SCMP_SYS(fremovexattr), SCMP_SYS(fsetxattr), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(getcwd),
    SCMP_SYS(getdents64), SCMP_SYS(getxattr), SCMP_SYS(lgetxattr), SCMP_SYS(linkat), SCMP_SYS(listxattr),
    SCMP_SYS(llistxattr), SCMP_SYS(lremovexattr), SCMP_SYS(lsetxattr), SCMP_SYS(lstat), SCMP_SYS(mkdirat),
    SCMP_SYS(mknodat), SCMP_SYS(name_to_handle_at), SCMP_SYS(newfstatat), SCMP_SYS(open_by_handle_at),
    SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(readlinkat), SCMP_SYS(removexattr), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(setxattr), SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx),
    SCMP_SYS(symlinkat), SCMP_SYS(umask), SCMP_SYS(unlinkat), SCMP_SYS(utimensat),
    // Acting as a user of the guest
    SCMP_SYS(capget), SCMP_SYS(capset), SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getgroups), SCMP_SYS(getresgid), SCMP_SYS(getresuid), SCMP_SYS(getuid), SCMP_SYS(setfsgid),
    SCMP_SYS(setfsuid), SCMP_SYS(setgroups), SCMP_SYS(setresgid), SCMP_SYS(setresuid)};

// fchmodat2, which libseccomp 2.5 has no name for; the number is the same everywhere.
constexpr int kFchmodat2 = 452;

// What the sanitizers' run-time libraries do for their reports.
constexpr std::array kOfSanitizers{SCMP_SYS(clone),
                                   SCMP_SYS(clone3),
                                   SCMP_SYS(ioctl),
                                   SCMP_SYS(open),
                                   SCMP_SYS(prctl),
                                   SCMP_SYS(prlimit64),
                                   SCMP_SYS(ptrace),
                                   SCMP_SYS(readlink),
                                   SCMP_SYS(setrlimit),
                                   SCMP_SYS(wait4),
                                   SCMP_SYS(process_vm_readv),
                                   SCMP_SYS(getdents),
                                   SCMP_SYS(getpgrp),
                                   SCMP_SYS(kill),
                                   SCMP_SYS(tgkill),
                                   SCMP_SYS(unlink),
                                   SCMP_SYS(mincore),
                                   SCMP_SYS(personality),
                                   SCMP_SYS(sched_setscheduler)};

scmp_arg_cmp equals(unsigned argument, scmp_datum_t value) {
    return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}

// Rules of one filter; the first that cannot be added is remembered.
class Filter {
  public:
    explicit Filter(std::uint32_t otherwise) : context_(::seccomp_init(otherwise)) {}

    void allow(int call) { add(SCMP_ACT_ALLOW, call); }
    template <typename... Conditions>
    void add(std::uint32_t action, int call, Conditions... conditions) {
        if (error_ != 0 || !context_) return;
        const std::array<scmp_arg_cmp, sizeof...(conditions)> all{conditions...};
        const int result = ::seccomp_rule_add_array(context_.get(), action, call, all.size(), all.data());
        // A call that this architecture has not.
        if (result != 0 && result != -EDOM) error_ = -result;
    }
    int load() {
        if (!context_) return ENOMEM;
        if (error_ != 0) return error_;
        // Frequent calls are found in few steps.
        ::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
        return -::seccomp_load(context_.get());
    }

  private:
    struct Release {
        void operator()(void* context) const { ::seccomp_release(context); }
    };
    std::unique_ptr<void, Release> context_;
    int error_ = 0;
};

}  // namespace

std::expected<void, std::string> apply_syscall_filter(SeccompMode mode, bool syslog) {
    if (mode == SeccompMode::kNone) return {};
    const std::uint32_t otherwise = mode == SeccompMode::kKill   ? SCMP_ACT_KILL_PROCESS
                                    : mode == SeccompMode::kTrap ? SCMP_ACT_TRAP
                                                                 : SCMP_ACT_LOG;
    Filter filter(otherwise);
    for (const int call : kAllowed)
        filter.allow(call);
    filter.allow(kFchmodat2);
    if (kSanitized) {
        for (const int call : kOfSanitizers)
            filter.allow(call);
    } else {
        // Threads and nothing else: glibc falls back to clone(), whose flags can be seen, where clone3() is
        // missing.
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(clone),
                   scmp_arg_cmp{
                       .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = CLONE_THREAD});
        filter.add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
        // A thread's name, what its capabilities are like, and what malloc asks.
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), equals(0, PR_SET_NAME));
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), equals(0, PR_GET_NAME));
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), equals(0, PR_GET_SECUREBITS));
        filter.add(SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), equals(0, PR_SET_VMA));
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), equals(0, PR_CAPBSET_READ));
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), equals(2, 0));  // read only
        // abort()
        filter.add(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), equals(0, static_cast<scmp_datum_t>(::getpid())));
        // Whether stderr is a terminal
        filter.add(SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl));
    }
    // A thread's own umask and working directory
    filter.add(SCMP_ACT_ALLOW, SCMP_SYS(unshare), equals(0, CLONE_FS));
    if (syslog) {
        filter.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket));
        filter.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(connect));
    }
    if (const int error = filter.load(); error != 0)
        return system_error("cannot apply the system call filter", error);
    return {};
}

}  // namespace host
