#include "host/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <unistd.h>

#include <array>

#include "host/capabilities.h"
#include "host/mount_sandbox.h"
#include "host/system_error.h"
#include "host/user_namespace.h"

namespace host {
namespace {

using vhost_user::Fd;

constexpr std::array<unsigned, 2> kToActAsOthers{CAP_SETUID, CAP_SETGID};
constexpr int kPlace = O_PATH | O_DIRECTORY | O_CLOEXEC;

std::expected<Fd, std::string> open_place(const char* path) {
    Fd place(::open(path, kPlace));
    if (!place) return system_error(fmt::format("cannot open {}", path));
    return place;
}

// Files that only a group of ours may see are none of the guest's business.
std::expected<void, std::string> leave_groups() {
    // Without the right to (not root, or a user namespace that denies it) other ids cannot be had either.
    if (::setgroups(0, nullptr) != 0 && errno != EPERM)
        return system_error("cannot leave the supplementary groups");
    return {};
}

std::expected<ServerRoots, std::string> roots_of(const char* directory) {
    auto shared = open_place(directory);
    if (!shared) return std::unexpected(std::move(shared.error()));
    auto descriptors = open_place("/proc/self/fd");
    if (!descriptors) return std::unexpected(std::move(descriptors.error()));
    return ServerRoots{.directory = *std::move(shared), .proc_self_fd = *std::move(descriptors)};
}

std::expected<ServerRoots, std::string> change_root(const std::string& directory) {
    auto roots = roots_of(directory.c_str());
    if (!roots) return roots;
    if (::fchdir(roots->directory.get()) != 0 || ::chroot(".") != 0 || ::chdir("/") != 0) {
        return system_error(fmt::format(
            "cannot make {} the root directory (needs root; --sandbox=namespace does not)", directory));
    }
    return roots;
}

std::expected<ServerRoots, std::string> enter_namespaces(const ProcessOptions& options) {
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) {
        return system_error("cannot make mount, network, IPC and UTS namespaces");
    }
    auto roots = enter_mount_sandbox(options.shared_directory, options.server.readonly);
    if (!roots) return roots;
    // Not before: the way to the directory may be open to the user who started the daemon only.
    const auto became = become_namespace_root();
    return became ? std::move(roots) : std::unexpected(became.error());
}

}  // namespace

std::expected<std::optional<Fork>, std::string> fork_for_sandbox(const ProcessOptions& options) {
    const bool is_root = ::geteuid() == 0;
    if (!Fd(::open(options.shared_directory.c_str(), kPlace))) {
        return system_error(fmt::format("cannot share {}", options.shared_directory));
    }
    if (is_root && !(options.uid_map.empty() && options.gid_map.empty())) {
        return std::unexpected("--uid-map and --gid-map are for users other than root; see --translate-uid");
    }
    if (is_root) {
        if (const auto left = leave_groups(); !left) return std::unexpected(left.error());
    }
    if (options.sandbox == SandboxMode::kNone) return std::nullopt;
    if (options.sandbox == SandboxMode::kNamespace) {
        if (!is_root) {
            const auto entered = enter_user_namespace(options.uid_map, options.gid_map);
            if (!entered) return std::unexpected(entered.error());
        }
        if (::unshare(CLONE_NEWPID) != 0) {
            return system_error("cannot make a PID namespace (in a container, use --sandbox=chroot)");
        }
    }
    auto fork = fork_supervised();
    if (!fork) return std::unexpected(std::move(fork.error()));
    return *std::move(fork);
}

std::expected<ServerRoots, std::string> enter_sandbox(const ProcessOptions& options,
                                                      const std::optional<Fork>& fork) {
    const bool is_alone = is_alone_in_namespace();
    auto roots = options.sandbox == SandboxMode::kNone     ? roots_of(options.shared_directory.c_str())
                 : options.sandbox == SandboxMode::kChroot ? change_root(options.shared_directory)
                                                           : enter_namespaces(options);
    if (!roots) return roots;
    // Who cannot act as another serves as who it is, instead of failing at every try.
    if (const auto given_up =
            is_alone ? give_up_capabilities(kToActAsOthers) : std::expected<void, std::string>();
        !given_up) {
        return std::unexpected(given_up.error());
    }
    if (!fork) return roots;
    // Last, because a process that changes its ids is not tied any more.
    const auto tied = die_with_parent(*fork);
    return tied ? std::move(roots) : std::unexpected(tied.error());
}

}  // namespace host
