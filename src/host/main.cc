// virtiofsd: from a command line to a confined process that serves.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <variant>

#include "host/capabilities.h"
#include "host/descriptor_limit.h"
#include "host/listener.h"
#include "host/log.h"
#include "host/options.h"
#include "host/sandbox.h"
#include "host/sanitized.h"
#include "host/serve.h"
#include "host/stop_signals.h"
#include "host/supervisor.h"
#include "host/syscall_filter.h"

namespace host {
namespace {

// Standard descriptors that are closed would become something else's.
bool open_standard_descriptors() {
    int fd = 0;
    do {
        fd = ::open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && ::close(fd) == 0;
}

int fail(const std::string& why) {
    spdlog::error("{}", why);
    return 1;
}

int run(const ProcessOptions& options) {
    const auto stop = catch_stop_signals();
    if (!stop) return fail(stop.error());
    auto listener = options.socket_path.empty() ? Listener::adopt(options.listener_fd)
                                                : Listener::create(options.socket_path, options.socket_group);
    if (!listener) return fail(listener.error());
    const auto descriptors = set_descriptor_limit(options.descriptor_limit);
    if (!descriptors) return fail(descriptors.error());
    spdlog::debug("{} files may be open", *descriptors);

    const auto fork = fork_for_sandbox(options);
    if (!fork) return fail(fork.error());
    if (*fork && (*fork)->child != 0) {
        listener->take_descriptor().reset();
        if (const auto kept = keep_capabilities(kSupervisorCapabilities); !kept) return fail(kept.error());
        return supervise(**fork);
    }
    // Of two processes, the parent tidies up.
    auto socket = *fork ? listener->release() : listener->take_descriptor();
    auto roots = enter_sandbox(options, *fork);
    if (!roots) return fail(roots.error());
    if (const auto confined = confine_to_server_capabilities(options); !confined)
        return fail(confined.error());
    if (const auto filtered = apply_syscall_filter(options.seccomp, options.syslog); !filtered) {
        return fail(filtered.error());
    }
    return serve(options, std::move(socket), *std::move(roots), stop->get());
}

}  // namespace
}  // namespace host

// A hook of LeakSanitizer, which nothing calls in other builds. It cannot look for leaks where there is no
// /proc, or where children are born into a PID namespace that is over.
extern "C" int __lsan_is_turned_off();   // NOLINT(bugprone-reserved-identifier)
extern "C" int __lsan_is_turned_off() {  // NOLINT(bugprone-reserved-identifier)
    struct stat own {};
    struct stat of_children {};
    const bool can_fork = ::stat("/proc/self/ns/pid", &own) == 0 &&
                          ::stat("/proc/self/ns/pid_for_children", &of_children) == 0 &&
                          own.st_ino == of_children.st_ino;
    return host::kSanitized && !can_fork ? 1 : 0;
}

int main(int argc, char** argv) {
    if (!host::open_standard_descriptors()) return 1;
    const auto parsed = host::parse_command_line(argc, argv);
    if (!parsed) {
        std::fprintf(stderr, "virtiofsd: %s\nvirtiofsd: --help tells what there is\n",
                     parsed.error().c_str());
        return 1;
    }
    if (const auto* const answer = std::get_if<host::Answer>(&*parsed)) {
        return std::fputs(answer->text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0 ? 0 : 1;
    }
    const auto& options = std::get<host::ProcessOptions>(*parsed);
    host::start_log(options.log_level, options.syslog);
    return host::run(options);
}
