#include "host/user_namespace.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <vector>

#include "host/system_error.h"
#include "vhost_user/fd.h"

namespace host {
namespace {

using vhost_user::Fd;

// What a user may do alone: to map the own id, to whatever it is inside.
bool is_own_id(std::span<const IdMapping> map, std::uint32_t own) {
    return map.size() == 1 && map[0].outside == own && map[0].count == 1;
}

std::expected<void, std::string> write_file(const std::string& path, std::string_view text) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return system_error(fmt::format("cannot write {}", path));
    }
    return {};
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 512> piece{};
    while (true) {
        const auto size = ::read(fd, piece.data(), piece.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return text;
        text.append(piece.data(), static_cast<std::size_t>(size));
    }
}

// Runs newuidmap or newgidmap on a process; the error is what it says.
std::expected<void, std::string> run_mapper(const std::string& program, pid_t pid,
                                            std::span<const IdMapping> map) {
    std::vector<std::string> arguments{program, fmt::format("{}", pid)};
    for (const auto& [inside, outside, count] : map) {
        for (const auto number : {inside, outside, count})
            arguments.push_back(fmt::format("{}", number));
    }
    std::vector<char*> argv;
    for (auto& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);

    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("cannot make a pipe");
    const Fd reading(ends[0]);
    Fd writing(ends[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, writing.get(), STDERR_FILENO);
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return system_error(fmt::format("cannot run {} (Debian package uidmap)", program), error);
    writing.reset();
    auto said = read_all(reading.get());
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    while (said.ends_with('\n'))
        said.pop_back();
    return std::unexpected(fmt::format("{} refuses: {}", program, said));
}

// From outside the namespace that `pid` is in.
std::expected<void, std::string> map_ids_of(pid_t pid, std::span<const IdMapping> uids,
                                            std::span<const IdMapping> gids, std::uint32_t own_uid,
                                            std::uint32_t own_gid) {
    const auto directory = fmt::format("/proc/{}", pid);
    const auto line = [](const IdMapping& map) { return fmt::format("{} {} 1", map.inside, map.outside); };
    auto mapped = is_own_id(uids, own_uid) ? write_file(directory + "/uid_map", line(uids[0]))
                                           : run_mapper("newuidmap", pid, uids);
    if (!mapped) return mapped;
    if (!is_own_id(gids, own_gid)) return run_mapper("newgidmap", pid, gids);
    mapped = write_file(directory + "/setgroups", "deny");
    return mapped ? write_file(directory + "/gid_map", line(gids[0])) : mapped;
}

}  // namespace

std::expected<void, std::string> enter_user_namespace(std::span<const IdMapping> uids,
                                                      std::span<const IdMapping> gids) {
    const auto own_uid = ::geteuid();
    const auto own_gid = ::getegid();
    const std::array own_uid_map{IdMapping{.inside = own_uid, .outside = own_uid, .count = 1}};
    const std::array own_gid_map{IdMapping{.inside = own_gid, .outside = own_gid, .count = 1}};
    if (uids.empty()) uids = own_uid_map;
    if (gids.empty()) gids = own_gid_map;

    // The mapping is made from outside, by a child that stays there.
    std::array<int, 2> go{};
    std::array<int, 2> said{};
    if (::pipe2(go.data(), O_CLOEXEC) != 0) return system_error("cannot make a pipe");
    Fd go_reading(go[0]);
    Fd go_writing(go[1]);
    if (::pipe2(said.data(), O_CLOEXEC) != 0) return system_error("cannot make a pipe");
    const Fd said_reading(said[0]);
    Fd said_writing(said[1]);
    const pid_t mapped = ::getpid();
    const pid_t mapper = ::fork();
    if (mapper < 0) return system_error("cannot fork");
    if (mapper == 0) {
        go_writing.reset();
        char byte = 0;
        if (::read(go_reading.get(), &byte, 1) != 1) ::_exit(0);  // there is no namespace
        const auto result = map_ids_of(mapped, uids, gids, own_uid, own_gid);
        if (!result) {
            const auto& text = result.error();
            (void)!::write(said_writing.get(), text.data(), text.size());
        }
        ::_exit(result ? 0 : 1);
    }
    go_reading.reset();
    said_writing.reset();
    const bool entered = ::unshare(CLONE_NEWUSER) == 0;
    const int error = errno;
    if (entered) (void)!::write(go_writing.get(), "", 1);
    go_writing.reset();
    const auto why = read_all(said_reading.get());
    int status = 0;
    while (::waitpid(mapper, &status, 0) < 0 && errno == EINTR) {
    }
    if (!entered) {
        return system_error(
            "cannot make a user namespace (are they allowed to users? --sandbox=none needs none)", error);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return std::unexpected(fmt::format("cannot map ids into the user namespace: {}", why));
    }
    return {};
}

std::expected<void, std::string> become_namespace_root() {
    // Either fails where 0 is not mapped, and then the process stays who it is.
    if (::setresgid(0, 0, 0) == 0 && ::setgroups(0, nullptr) != 0 && errno != EPERM) {
        return system_error("cannot leave the supplementary groups");
    }
    (void)::setresuid(0, 0, 0);
    return {};
}

bool is_alone_in_namespace() {
    for (const auto* const path : {"/proc/self/uid_map", "/proc/self/gid_map"}) {
        std::ifstream map(path);
        std::uint64_t ids = 0;
        for (IdMapping line; map >> line.inside >> line.outside >> line.count;)
            ids += line.count;
        if (ids == 1) return true;
    }
    return false;
}

}  // namespace host
