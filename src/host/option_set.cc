#include "host/option_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <iterator>

namespace host {
namespace {

using namespace std::chrono_literals;

// Stores the value if there is one.
template <typename T, typename To>
Parsed<void> store(Parsed<T> value, To& to) {
    if (!value) return std::unexpected(std::move(value.error()));
    to = static_cast<To>(*std::move(value));
    return {};
}

Parsed<void> not_implemented(std::string_view why) {
    return std::unexpected(fmt::format("not implemented: {}; leave it out", why));
}

}  // namespace

// One function a setting that does more than store its value.
struct OptionSet::Apply {
    using View = std::string_view;

    template <bool ServerOptions::*member, bool to>
    static Parsed<void> server_flag(OptionSet& set, View) {
        set.options_.server.*member = to;
        return {};
    }
    template <std::optional<bool> OptionSet::*member, bool to>
    static Parsed<void> choice(OptionSet& set, View) {
        set.*member = to;
        return {};
    }
    template <bool to>
    static Parsed<void> killpriv_v2(OptionSet& set, View) {
        if (set.killpriv_v2_.value_or(to) != to)
            return std::unexpected("both killpriv-v2 and no-killpriv-v2");
        set.killpriv_v2_ = to;
        return {};
    }
    static Parsed<void> shared_dir(OptionSet& set, View value) {
        auto& directory = set.options_.shared_directory;
        if (value.empty()) return std::unexpected("the directory has no name");
        if (!directory.empty() && directory != value) {
            return std::unexpected(fmt::format("two directories to share, {} and {}", directory, value));
        }
        directory = value;
        return {};
    }
    static Parsed<void> tag(OptionSet& set, View value) { return store(parse_tag(value), set.options_.tag); }
    static Parsed<void> socket_path(OptionSet& set, View value) {
        // sockaddr_un holds 107 bytes of a path.
        if (value.empty() || value.size() > 107) return std::unexpected("a socket's path has 1 to 107 bytes");
        set.options_.socket_path = value;
        return {};
    }
    static Parsed<void> socket_group(OptionSet& set, View value) {
        if (value.empty()) return std::unexpected("the group has no name");
        set.options_.socket_group = value;
        return {};
    }
    static Parsed<void> fd(OptionSet& set, View value) {
        set.has_fd_ = true;
        return store(parse_number(value, 0, INT_MAX), set.options_.listener_fd);
    }
    static Parsed<void> cache(OptionSet& set, View value) {
        return store(parse_cache(value), set.options_.server.cache);
    }
    static Parsed<void> timeout(OptionSet& set, View value) {
        return store(parse_seconds(value), set.timeout_);
    }
    static Parsed<void> xattrmap(OptionSet& set, View value) {
        return store(XattrMap::parse(value), set.options_.server.xattr_map);
    }
    static Parsed<void> file_handles(OptionSet& set, View value) {
        return store(parse_file_handles(value), set.options_.server.file_handles);
    }
    static Parsed<void> translate_uid(OptionSet& set, View value) {
        return set.options_.server.uids.add(value);
    }
    static Parsed<void> translate_gid(OptionSet& set, View value) {
        return set.options_.server.gids.add(value);
    }
    template <std::vector<IdMapping> ProcessOptions::*member>
    static Parsed<void> id_map(OptionSet& set, View value) {
        const auto mapping = parse_id_mapping(value);
        if (!mapping) return std::unexpected(mapping.error());
        (set.options_.*member).push_back(*mapping);
        return {};
    }
    static Parsed<void> sandbox(OptionSet& set, View value) {
        return store(parse_sandbox(value), set.options_.sandbox);
    }
    static Parsed<void> seccomp(OptionSet& set, View value) {
        return store(parse_seccomp(value), set.options_.seccomp);
    }
    static Parsed<void> modcaps(OptionSet& set, View value) {
        auto changes = parse_capability_changes(value);
        if (!changes) return std::unexpected(std::move(changes.error()));
        std::ranges::copy(*changes, std::back_inserter(set.options_.capability_changes));
        return {};
    }
    static Parsed<void> rlimit_nofile(OptionSet& set, View value) {
        return store(parse_number(value, 0, LONG_MAX), set.options_.descriptor_limit);
    }
    static Parsed<void> thread_pool_size(OptionSet& set, View value) {
        return store(parse_number(value, 0, 4096), set.options_.thread_pool_size);
    }
    static Parsed<void> log_level(OptionSet& set, View value) {
        return store(parse_log_level(value), set.options_.log_level);
    }
    static Parsed<void> debug(OptionSet& set, View) {
        set.options_.log_level = LogLevel::kDebug;
        return {};
    }
    static Parsed<void> syslog(OptionSet& set, View) {
        set.options_.syslog = true;
        return {};
    }
    static Parsed<void> nothing(OptionSet&, View) { return {}; }
    static Parsed<void> daemonize(OptionSet&, View) {
        return not_implemented("this daemon stays in the foreground; end the command with & instead");
    }
    static Parsed<void> allow_mmap(OptionSet&, View) {
        return not_implemented("shared mappings need --cache=auto or --cache=always");
    }
    static Parsed<void> allow_root(OptionSet&, View) {
        return not_implemented("every user of the guest has access");
    }
    static Parsed<void> idle_threads(OptionSet&, View) {
        return not_implemented("there are no idle threads to limit");
    }
    static Parsed<void> migration(OptionSet&, View) {
        return not_implemented("this daemon does not migrate guests");
    }
    static Parsed<void> migration_mode(OptionSet& set, View value) {
        return value == "none" ? Parsed<void>() : migration(set, value);
    }
    static Parsed<void> migration_on_error(OptionSet& set, View value) {
        return value == "abort" ? Parsed<void>() : migration(set, value);
    }
};

std::span<const OptionSet::Setting> OptionSet::settings() {
    using A = Apply;
    using S = ServerOptions;
    static constexpr std::string_view kShare = "The share";
    static constexpr std::string_view kListen = "Where QEMU finds it";
    static constexpr std::string_view kCaching = "What the guest may keep";
    static constexpr std::string_view kAccess = "What the guest may do";
    static constexpr std::string_view kIds = "Users and groups";
    static constexpr std::string_view kConfine = "Confinement and limits";
    static constexpr std::string_view kLog = "Log";
    static constexpr std::string_view kHidden;
    static constexpr Setting kSettings[] = {
        {"shared-dir", "DIR", kShare, "the directory to share", &A::shared_dir},
        {"source", "DIR", kHidden, "", &A::shared_dir},
        {"tag", "TAG", kShare,
         "name of the device, for front-ends that ask the daemon for it (QEMU does not; it has its own tag=)",
         &A::tag},
        {"announce-submounts", "", kShare,
         "tell the guest which directories are mount points, so that inode numbers stay unique",
         &A::server_flag<&S::announce_submounts, true>},
        {"no-announce-submounts", "", kHidden, "", &A::server_flag<&S::announce_submounts, false>},
        {"inode-file-handles", "never|prefer|mandatory", kShare,
         "remember files by file handles instead of open descriptors; prefer (default): where the file "
         "system has "
         "them and CAP_DAC_READ_SEARCH is there; mandatory: or do not start",
         &A::file_handles},

        {"socket-path", "PATH", kListen, "make a UNIX socket here", &A::socket_path},
        {"socket", "PATH", kHidden, "", &A::socket_path},
        {"socket-group", "GROUP", kListen, "members of this group may use the socket, too", &A::socket_group},
        {"fd", "FD", kListen, "use this inherited descriptor of a listening UNIX socket", &A::fd},

        {"cache", "never|metadata|auto|always", kCaching,
         "never: nothing; metadata: names and attributes for a day, no data; auto (default): names and "
         "attributes "
         "for a second, data while a file is open; always: everything for a day. \"none\" is never",
         &A::cache},
        {"timeout", "SECONDS", kCaching,
         "how long names and attributes stay valid, instead of what --cache says", &A::timeout},
        {"writeback", "", kCaching, "the guest may hold back writes; with --cache=auto or always only",
         &A::server_flag<&S::writeback, true>},
        {"no-writeback", "", kHidden, "", &A::server_flag<&S::writeback, false>},
        {"allow-direct-io", "", kCaching, "honour O_DIRECT of the guest's programs",
         &A::server_flag<&S::allow_direct_io, true>},
        {"no-allow-direct-io", "", kHidden, "", &A::server_flag<&S::allow_direct_io, false>},
        {"readdirplus", "", kHidden, "", &A::choice<&OptionSet::readdirplus_, true>},
        {"no-readdirplus", "", kCaching, "list directories without attributes (default with --cache=never)",
         &A::choice<&OptionSet::readdirplus_, false>},
        {"allow-mmap", "", kHidden, "", &A::allow_mmap},

        {"readonly", "", kAccess, "refuse whatever would change the directory",
         &A::server_flag<&S::readonly, true>},
        {"xattr", "", kAccess, "extended attributes", &A::choice<&OptionSet::xattr_, true>},
        {"no-xattr", "", kHidden, "", &A::choice<&OptionSet::xattr_, false>},
        {"xattrmap", "RULES", kAccess,
         "names of extended attributes on the host, e.g. :map::user.virtiofs.: (see virtiofsd(8)); turns "
         "xattr on",
         &A::xattrmap},
        {"posix-acl", "", kAccess, "POSIX access control lists; turns xattr on",
         &A::server_flag<&S::posix_acl, true>},
        {"no-posix-acl", "", kHidden, "", &A::server_flag<&S::posix_acl, false>},
        {"security-label", "", kAccess, "label new files as the guest says (SELinux); turns xattr on",
         &A::server_flag<&S::security_label, true>},
        {"no-security-label", "", kHidden, "", &A::server_flag<&S::security_label, false>},
        {"posix-lock", "", kAccess, "fcntl() locks hold against programs on the host, too",
         &A::server_flag<&S::posix_locks, true>},
        {"no-posix-lock", "", kHidden, "", &A::server_flag<&S::posix_locks, false>},
        {"flock", "", kAccess, "flock() locks hold against programs on the host, too",
         &A::server_flag<&S::flock, true>},
        {"no-flock", "", kHidden, "", &A::server_flag<&S::flock, false>},
        {"killpriv-v2", "", kAccess,
         "the daemon takes set-user-id bits off files that are written, for faster writes",
         &A::killpriv_v2<true>},
        {"no-killpriv-v2", "", kAccess, "that is left to the guest (default)", &A::killpriv_v2<false>},
        {"preserve-noatime", "", kAccess, "honour O_NOATIME of the guest's programs",
         &A::server_flag<&S::preserve_noatime, true>},

        {"translate-uid", "RULE", kIds,
         "user ids of the guest as others on the host; repeatable. guest:GUEST:HOST:COUNT, "
         "host:HOST:GUEST:COUNT, "
         "map:GUEST:HOST:COUNT (both ways), squash-guest:GUEST:HOST:COUNT, squash-host:HOST:GUEST:COUNT "
         "(many to "
         "one), forbid-guest:GUEST:COUNT",
         &A::translate_uid},
        {"translate-gid", "RULE", kIds, "the same for group ids", &A::translate_gid},
        {"uid-map", ":INSIDE:OUTSIDE:COUNT:", kIds,
         "run by a user who is not root: user ids of the daemon's user namespace, by newuidmap(1); "
         "repeatable",
         &A::id_map<&ProcessOptions::uid_map>},
        {"gid-map", ":INSIDE:OUTSIDE:COUNT:", kIds, "the same for group ids, by newgidmap(1)",
         &A::id_map<&ProcessOptions::gid_map>},

        {"sandbox", "namespace|chroot|none", kConfine,
         "namespace (default): mount, process, network and IPC namespaces of its own, nothing but the shared "
         "directory "
         "in sight; chroot: the shared directory as root; none: not recommended",
         &A::sandbox},
        {"seccomp", "kill|trap|log|none", kConfine,
         "what becomes of a system call that the daemon has no use for: the daemon is killed (default), gets "
         "SIGSYS, "
         "the call is logged by the kernel, nothing",
         &A::seccomp},
        {"modcaps", "+CAP:-CAP", kConfine,
         "capabilities to keep or to give up against the rule, e.g. +sys_admin:-chown", &A::modcaps},
        {"rlimit-nofile", "COUNT", kConfine,
         "limit of open files; 0 leaves it as it is. Default: 1000000 or as many as are allowed",
         &A::rlimit_nofile},
        {"thread-pool-size", "COUNT", kConfine,
         "at most so many threads wait for disks at once, per request queue; 0 (default): the kernel decides",
         &A::thread_pool_size},

        {"log-level", "error|warn|info|debug|trace|off", kLog, "what is told; default info", &A::log_level},
        {"loglevel", "LEVEL", kHidden, "", &A::log_level},
        {"debug", "", kLog, "the same as --log-level=debug", &A::debug},
        {"syslog", "", kLog, "tell the system log instead of stderr", &A::syslog},

        {"foreground", "", kLog, "stay in the foreground, as always", &A::nothing},

        {"daemonize", "", kHidden, "", &A::daemonize},
        {"allow-root", "", kHidden, "", &A::allow_root},
        {"max-idle-threads", "COUNT", kHidden, "", &A::idle_threads},
        {"migration-mode", "MODE", kHidden, "", &A::migration_mode},
        {"migration-on-error", "ACTION", kHidden, "", &A::migration_on_error},
        {"migration-verify-handles", "", kHidden, "", &A::migration},
        {"migration-confirm-paths", "", kHidden, "", &A::migration},
    };
    return kSettings;
}

const OptionSet::Setting* OptionSet::find(std::string_view name) {
    const auto all = settings();
    const auto found = std::ranges::find(all, name, &Setting::name);
    return found == all.end() ? nullptr : &*found;
}

Parsed<ProcessOptions> OptionSet::finish() const {
    ProcessOptions result = options_;
    ServerOptions& server = result.server;
    const bool cacheless = server.cache == CachePolicy::kNever || server.cache == CachePolicy::kMetadata;
    const bool needs_xattr = server.posix_acl || server.security_label || !server.xattr_map.is_identity();

    if (result.shared_directory.empty()) {
        return std::unexpected("no directory to share: give --shared-dir=DIR or -o source=DIR");
    }
    if (has_fd_ && !result.socket_path.empty()) {
        return std::unexpected("both --fd and --socket-path: the daemon listens on one socket");
    }
    if (!has_fd_ && result.socket_path.empty()) {
        return std::unexpected("no socket to listen on: give --socket-path=PATH or --fd=FD");
    }
    if (has_fd_ && !result.socket_group.empty()) {
        return std::unexpected("--socket-group with --fd: that socket's maker has chosen who may use it");
    }
    if (server.writeback && cacheless) {
        return std::unexpected(
            "writeback with cache never, none or metadata: the guest cannot hold back writes there");
    }
    if (xattr_ == false && needs_xattr) {
        return std::unexpected(
            "no_xattr with posix-acl, security-label or xattrmap: these are extended attributes");
    }
    if (server.posix_acl && !(server.uids.is_identity() && server.gids.is_identity())) {
        return std::unexpected(
            "posix-acl with --translate-uid or --translate-gid: ids in lists are not translated");
    }
    if (result.sandbox != SandboxMode::kNamespace && !(result.uid_map.empty() && result.gid_map.empty())) {
        return std::unexpected(
            "--uid-map or --gid-map without --sandbox=namespace: they are of a user namespace");
    }

    server.xattr = xattr_.value_or(false) || needs_xattr;
    server.killpriv_v2 = killpriv_v2_.value_or(false);
    server.readdirplus = readdirplus_.value_or(server.cache != CachePolicy::kNever);
    const auto timeout = timeout_.value_or(server.cache == CachePolicy::kNever  ? 0s
                                           : server.cache == CachePolicy::kAuto ? 1s
                                                                                : std::chrono::seconds(24h));
    server.entry_timeout = timeout;
    server.attr_timeout = timeout;
    return result;
}

}  // namespace host
