// Command lines as libvirt, scripts and people write them.
#include "host/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include <nlohmann/json.hpp>

#include "host/old_options.h"

namespace host {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Arguments = std::vector<std::string>;

auto parse(const Arguments& arguments) {
    std::vector<const char*> argv{"virtiofsd"};
    for (const auto& argument : arguments)
        argv.push_back(argument.c_str());
    return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

ProcessOptions options_of(const Arguments& arguments) {
    const auto parsed = parse(arguments);
    EXPECT_TRUE(parsed) << parsed.error();
    const auto* const options = parsed ? std::get_if<ProcessOptions>(&*parsed) : nullptr;
    EXPECT_NE(options, nullptr);
    return options != nullptr ? *options : ProcessOptions{};
}

// With a directory and a socket, which every start needs.
ProcessOptions with(Arguments arguments) {
    arguments.insert(arguments.begin(), {"--shared-dir=/srv", "--socket-path=/run/s"});
    return options_of(arguments);
}

std::string error_of(const Arguments& arguments) {
    const auto parsed = parse(arguments);
    return parsed ? "no error" : parsed.error();
}
std::string error_with(Arguments arguments) {
    arguments.insert(arguments.begin(), {"--shared-dir=/srv", "--socket-path=/run/s"});
    return error_of(arguments);
}

std::string answer_to(const Arguments& arguments) {
    const auto parsed = parse(arguments);
    const auto* const answer = parsed ? std::get_if<Answer>(&*parsed) : nullptr;
    return answer != nullptr ? answer->text : "no answer";
}

TEST(OldForm, LibvirtsCommandLineIsUnderstood) {
    const auto options = options_of(
        {"--fd=31", "-o", "source=/var/lib/a,,b,cache=always,sandbox=chroot,xattr,flock,no_posix_lock",
         "--thread-pool-size=16", "--rlimit-nofile=5000", "-d"});
    EXPECT_EQ(options.listener_fd, 31);
    EXPECT_EQ(options.shared_directory, "/var/lib/a,b");
    EXPECT_EQ(options.server.cache, CachePolicy::kAlways);
    EXPECT_EQ(options.sandbox, SandboxMode::kChroot);
    EXPECT_TRUE(options.server.xattr);
    EXPECT_TRUE(options.server.flock);
    EXPECT_FALSE(options.server.posix_locks);
    EXPECT_EQ(options.thread_pool_size, 16U);
    EXPECT_EQ(options.descriptor_limit, 5000U);
    EXPECT_EQ(options.log_level, LogLevel::kDebug);
}

TEST(OldForm, LibvirtsOtherChoicesAreUnderstood) {
    const auto options =
        options_of({"--fd=3", "-o", "source=/srv,cache=none,sandbox=namespace,no_xattr,no_flock,posix_lock"});
    EXPECT_EQ(options.server.cache, CachePolicy::kNever);
    EXPECT_EQ(options.sandbox, SandboxMode::kNamespace);
    EXPECT_FALSE(options.server.xattr);
    EXPECT_FALSE(options.server.flock);
    EXPECT_TRUE(options.server.posix_locks);
    EXPECT_FALSE(options.server.readdirplus);
    EXPECT_EQ(options.server.attr_timeout, 0s);
    EXPECT_EQ(options.log_level, LogLevel::kInfo);
}

TEST(OldForm, LibvirtsSmallestCommandLineIsUnderstood) {
    const auto options = options_of({"--fd=3", "-o", "source=/srv"});
    EXPECT_EQ(options.server.cache, CachePolicy::kAuto);
    EXPECT_EQ(options.server.entry_timeout, 1s);
    EXPECT_TRUE(options.server.readdirplus);
    EXPECT_FALSE(options.server.xattr);
    EXPECT_EQ(options.seccomp, SeccompMode::kKill);
    EXPECT_EQ(options.descriptor_limit, std::nullopt);
}

TEST(NewForm, LibvirtsCommandLineIsUnderstood) {
    const auto options =
        options_of({"--fd=31", "--shared-dir", "/srv/with space", "--cache", "never", "--sandbox", "chroot",
                    "--xattr", "--thread-pool-size=64", "--rlimit-nofile=0", "--log-level", "debug"});
    EXPECT_EQ(options.listener_fd, 31);
    EXPECT_EQ(options.shared_directory, "/srv/with space");
    EXPECT_EQ(options.server.cache, CachePolicy::kNever);
    EXPECT_EQ(options.sandbox, SandboxMode::kChroot);
    EXPECT_TRUE(options.server.xattr);
    EXPECT_EQ(options.thread_pool_size, 64U);
    EXPECT_EQ(options.descriptor_limit, 0U);
    EXPECT_EQ(options.log_level, LogLevel::kDebug);
}

TEST(NewForm, LibvirtsUserSessionIsUnderstood) {
    const auto options =
        options_of({"--fd=31", "--shared-dir", "/srv",
                    "--uid-map=:0:1000:1:", "--uid-map=:1:100000:65535:", "--gid-map=:0:1000:1:"});
    EXPECT_THAT(options.uid_map, ElementsAre(IdMapping{.inside = 0, .outside = 1000, .count = 1},
                                             IdMapping{.inside = 1, .outside = 100000, .count = 65535}));
    EXPECT_THAT(options.gid_map, ElementsAre(IdMapping{.inside = 0, .outside = 1000, .count = 1}));
}

TEST(NewForm, EverySwitchDoesWhatItIsCalled) {
    const auto server = with({"--writeback", "--allow-direct-io", "--xattr", "--security-label",
                              "--announce-submounts", "--readonly", "--killpriv-v2", "--preserve-noatime",
                              "--no-readdirplus", "--posix-lock", "--flock"})
                            .server;
    EXPECT_TRUE(server.writeback && server.allow_direct_io && server.xattr && server.security_label &&
                server.announce_submounts && server.readonly && server.killpriv_v2 &&
                server.preserve_noatime && server.posix_locks && server.flock);
    EXPECT_FALSE(server.readdirplus);
    const auto plain = with({}).server;
    EXPECT_FALSE(plain.writeback || plain.allow_direct_io || plain.xattr || plain.security_label ||
                 plain.announce_submounts || plain.readonly || plain.killpriv_v2 || plain.preserve_noatime ||
                 plain.posix_locks || plain.flock || plain.posix_acl);
    EXPECT_TRUE(plain.readdirplus);
}

TEST(NewForm, ValuesMayFollowOrBeJoined) {
    EXPECT_EQ(with({"--cache=metadata"}).server.cache, CachePolicy::kMetadata);
    EXPECT_EQ(with({"--cache", "metadata"}).server.cache, CachePolicy::kMetadata);
    EXPECT_EQ(with({"--cache=metadata"}).server.attr_timeout, 24h);
    EXPECT_EQ(with({"--inode-file-handles=mandatory"}).server.file_handles, FileHandles::kMandatory);
    EXPECT_EQ(with({"--inode-file-handles=fallback"}).server.file_handles, FileHandles::kPrefer);
    EXPECT_EQ(with({"--seccomp", "log"}).seccomp, SeccompMode::kLog);
    EXPECT_EQ(with({"--log-level=off"}).log_level, LogLevel::kOff);
    EXPECT_EQ(with({"--tag", "share"}).tag, "share");
    EXPECT_EQ(with({"--socket-group=kvm"}).socket_group, "kvm");
    EXPECT_TRUE(with({"--syslog"}).syslog);
}

TEST(NewForm, CapabilitiesAreAddedAndTaken) {
    const std::vector<CapabilityChange> expected{{.capability = CAP_SYS_ADMIN, .keep = true},
                                                 {.capability = CAP_CHOWN, .keep = false}};
    EXPECT_EQ(with({"--modcaps=+sys_admin:-chown"}).capability_changes, expected);
    EXPECT_EQ(with({"--modcaps=+CAP_SYS_ADMIN", "-o", "modcaps=-chown"}).capability_changes, expected);
    EXPECT_EQ(with({"--modcaps", "-chown"}).capability_changes.size(), 1U);
    EXPECT_THAT(error_with({"--modcaps=sys_admin"}), HasSubstr("\"sys_admin\" is no capability with + or -"));
    EXPECT_THAT(error_with({"--modcaps=+fly"}), HasSubstr("there is no capability \"fly\""));
    EXPECT_THAT(error_with({"--modcaps=+chown:"}), HasSubstr("is no capability with + or -"));
}

TEST(NewForm, IdRulesAndXattrRulesReachTheServer) {
    const auto server =
        with({"--translate-uid", "squash-guest:0:1001:4294967295", "--translate-uid=host:1001:1000:1",
              "--translate-gid=map:0:100:1", "--xattrmap=:map::user.virtiofs.:"})
            .server;
    EXPECT_EQ(server.uids.to_host(7), 1001U);
    EXPECT_EQ(server.uids.to_guest(1001), 1000U);
    EXPECT_EQ(server.gids.to_host(0), 100U);
    EXPECT_EQ(server.xattr_map.to_host("a.b"), "user.virtiofs.a.b");
    EXPECT_TRUE(server.xattr);
}

TEST(OldForm, EverythingThatQemusDaemonTakes) {
    const auto options =
        options_of({"--socket-path=/run/s", "-f", "-o",
                    "source=/srv,writeback,readdirplus,allow_direct_io,announce_submounts",
                    "-okillpriv_v2,posix_acl,security_label,timeout=2.5", "-o", "log_level=warn", "-o",
                    "modcaps=+sys_admin:-chown", "-o", "xattrmap=/map/trusted./user.virtiofs./"});
    const auto& server = options.server;
    EXPECT_TRUE(server.writeback && server.readdirplus && server.allow_direct_io &&
                server.announce_submounts && server.killpriv_v2 && server.posix_acl &&
                server.security_label && server.xattr);
    EXPECT_EQ(server.attr_timeout, 2500ms);
    EXPECT_EQ(server.entry_timeout, 2500ms);
    EXPECT_EQ(options.log_level, LogLevel::kWarning);
    EXPECT_EQ(options.capability_changes.size(), 2U);
    EXPECT_EQ(server.xattr_map.to_host("trusted.x"), "user.virtiofs.trusted.x");

    const auto opposite =
        options_of({"--socket-path=/run/s", "-o",
                    "source=/srv,no_writeback,no_readdirplus,no_allow_direct_io,no_killpriv_v2,"
                    "no_posix_acl,no_security_label,no_xattr,no_flock,no_posix_lock,debug"});
    EXPECT_FALSE(opposite.server.writeback || opposite.server.readdirplus || opposite.server.killpriv_v2);
    EXPECT_EQ(opposite.log_level, LogLevel::kDebug);
}

TEST(OldForm, CommasInValuesAreDoubledOrEscaped) {
    EXPECT_EQ(split_old_options("source=/a,,b\\,c\\\\d\\e=f,xattr"),
              (std::vector<OldOption>{{"source", "/a,b,c\\d\\e=f", true}, {"xattr", "", false}}));
    EXPECT_EQ(split_old_options("a=,b"), (std::vector<OldOption>{{"a", "", true}, {"b", "", false}}));
    EXPECT_EQ(split_old_options("a=,,"), (std::vector<OldOption>{{"a", ",", true}}));
    EXPECT_EQ(split_old_options("no_flock"), (std::vector<OldOption>{{"no-flock", "", false}}));
    for (const auto* const text : {"", ",", "xattr,", "xattr,,flock", "=b", "a=b,"}) {
        EXPECT_FALSE(split_old_options(text)) << text;
    }
}

TEST(Options, OfOneGivenTwiceTheLastCounts) {
    EXPECT_EQ(with({"--cache=always", "-o", "cache=none", "--cache=auto"}).server.cache, CachePolicy::kAuto);
    EXPECT_EQ(with({"--cache=always", "--cache=auto", "-o", "cache=none"}).server.cache, CachePolicy::kNever);
    EXPECT_TRUE(with({"-o", "no_xattr,xattr"}).server.xattr);
    EXPECT_FALSE(with({"--xattr", "-o", "no_xattr"}).server.xattr);
    EXPECT_EQ(with({"-d", "--log-level=error"}).log_level, LogLevel::kError);
}

TEST(Options, DirectoriesInBracketsAreOne) {
    EXPECT_EQ(options_of({"--fd=3", "--shared-dir=[a,b]"}).shared_directory, "[a,b]");
}

struct Refused {
    Arguments arguments;
    const char* because;
};

class OptionsRefused : public ::testing::TestWithParam<Refused> {};

TEST_P(OptionsRefused, WithASentence) {
    EXPECT_THAT(error_of(GetParam().arguments), HasSubstr(GetParam().because));
}

INSTANTIATE_TEST_SUITE_P(
    Contradictions, OptionsRefused,
    ::testing::Values(
        Refused{{}, "no directory to share"}, Refused{{"--fd=3"}, "no directory to share"},
        Refused{{"--shared-dir=/srv"}, "no socket to listen on"},
        Refused{{"--shared-dir=/srv", "--fd=3", "--socket-path=/s"}, "both --fd and --socket-path"},
        Refused{{"--shared-dir=/srv", "--fd=3", "--socket-group=kvm"}, "--socket-group with --fd"},
        Refused{{"--shared-dir=/srv", "--fd=3", "-o", "source=/other"},
                "two directories to share, /srv and /other"},
        Refused{{"--fd=3", "-o", "source=/srv,cache=none,writeback"}, "writeback with cache never"},
        Refused{{"--fd=3", "-o", "source=/srv,cache=metadata,writeback"}, "writeback with cache never"},
        Refused{{"--fd=3", "-o", "source=/srv,no_xattr,posix_acl"}, "no_xattr with posix-acl"},
        Refused{{"--fd=3", "-o", "source=/srv,posix_acl", "--translate-uid=map:0:1:1"},
                "posix-acl with --translate"},
        Refused{{"--fd=3", "--shared-dir=/srv", "--killpriv-v2", "--no-killpriv-v2"},
                "both killpriv-v2 and no-"},
        Refused{{"--fd=3", "--shared-dir=/srv", "--sandbox=none", "--uid-map=:0:1:1:"},
                "without --sandbox=namespace"}));

INSTANTIATE_TEST_SUITE_P(
    NotImplemented, OptionsRefused,
    ::testing::Values(Refused{{"--migration-mode=find-paths"}, "--migration-mode: not implemented"},
                      Refused{{"--migration-mode", "file-handles"}, "--migration-mode: not implemented"},
                      Refused{{"--migration-on-error=guest-error"}, "--migration-on-error: not implemented"},
                      Refused{{"--migration-verify-handles"}, "--migration-verify-handles: not implemented"},
                      Refused{{"--migration-confirm-paths"}, "--migration-confirm-paths: not implemented"},
                      Refused{{"--allow-mmap"}, "--allow-mmap: not implemented"},
                      Refused{{"--daemonize"}, "--daemonize: not implemented"},
                      Refused{{"-o", "allow_root"}, "allow-root: not implemented"},
                      Refused{{"-o", "max_idle_threads=3"}, "max-idle-threads: not implemented"}));

INSTANTIATE_TEST_SUITE_P(
    Values, OptionsRefused,
    ::testing::Values(
        Refused{{"--cache=some"}, "--cache: \"some\" is none of never, metadata, auto, always"},
        Refused{{"-o", "cache=some"}, "-o: cache: \"some\" is none of"},
        Refused{{"--sandbox=jail"}, "--sandbox: \"jail\" is none of namespace, chroot, none"},
        Refused{{"--seccomp=maybe"}, "--seccomp: \"maybe\" is none of none, kill, log, trap"},
        Refused{{"--inode-file-handles=always"}, "is none of never, prefer, mandatory"},
        Refused{{"--log-level=loud"}, "is none of off, error, warn, info, debug, trace"},
        Refused{{"--fd=x"}, "--fd: \"x\" is no number"}, Refused{{"--fd=-1"}, "--fd: \"-1\" is no number"},
        Refused{{"--fd=4294967296"}, "is no number from 0 to 2147483647"},
        Refused{{"--thread-pool-size=4097"}, "is no number from 0 to 4096"},
        Refused{{"--rlimit-nofile=1e6"}, "is no number"},
        Refused{{"--rlimit-nofile="}, "--rlimit-nofile: its value is empty"},
        Refused{{"-o", "timeout=-1"}, "is no number of seconds"},
        Refused{{"-o", "timeout=nan"}, "is no number of seconds"},
        Refused{{"--tag", "0123456789012345678901234567890123456"}, "is not 1 to 36 bytes of UTF-8"},
        Refused{{"--tag", "\xC3"}, "is not 1 to 36 bytes of UTF-8"},
        Refused{{"--uid-map=0:1:2"}, "is no :INSIDE:OUTSIDE:COUNT:"},
        Refused{{"--uid-map=:0:1:2"}, "is no :INSIDE:OUTSIDE:COUNT:"},
        Refused{{"--uid-map=:0:1:0:"}, "a count of 0 maps nothing"},
        Refused{{"--gid-map=:1:0:4294967295:"}, "ids end at 4294967294"},
        Refused{{"--translate-uid=map:0:0"}, "expected map:GUEST:HOST:COUNT"},
        Refused{{"--xattrmap=:ok:all:"}, "--xattrmap: xattr map, rule 1: expected"},
        Refused{{"-o", "xattr=yes"}, "-o: xattr takes no value"},
        Refused{{"-o", "source"}, "-o: source needs a value"},
        Refused{{"-o", "cash=none"}, "-o: there is no option \"cash\""},
        Refused{{"-o", "xattr,"}, "without name"}, Refused{{"--xattr=false"}, "--xattr"},
        Refused{{"--cash=none"}, "--cash=none"}, Refused{{"/srv"}, "/srv"},
        Refused{{"--shared-dir"}, "--shared-dir"},
        Refused{{"--socket-path", std::string(108, 'p')}, "a socket's path has 1 to 107 bytes"}));

TEST(Options, CapabilitiesAreWhatLibvirtReads) {
    const auto answer = nlohmann::json::parse(answer_to({"--print-capabilities"}));
    EXPECT_EQ(answer.at("type"), "fs");
    EXPECT_EQ(answer.at("features"), nlohmann::json::array({"separate-options"}));
}

TEST(Options, VersionNamesTheProgram) {
    EXPECT_EQ(answer_to({"--version"}), "virtiofsd " VIRTIOFS_VERSION "\n");
    EXPECT_EQ(answer_to({"-V"}), answer_to({"--version"}));
}

TEST(Options, HelpIsGroupedAndNoLineIsLong) {
    const auto help = answer_to({"-h"});
    EXPECT_EQ(help, answer_to({"--help"}));
    for (const auto* const part :
         {"The share:", "Where QEMU finds it:", "What the guest may keep:", "Confinement", "--shared-dir DIR",
          "--cache never|metadata|auto|always", "-o NAME[=VALUE],..."}) {
        EXPECT_THAT(help, HasSubstr(part));
    }
    for (std::size_t at = 0; at < help.size();) {
        const auto end = std::min(help.find('\n', at), help.size());
        EXPECT_LE(end - at, 104U) << help.substr(at, end - at);
        at = end + 1;
    }
}

}  // namespace
}  // namespace host
