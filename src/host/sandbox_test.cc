// The sandbox from within: each test forks, confines the child for real and looks around in it.
#include "host/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>

#include "host/capabilities.h"
#include "host/syscall_filter.h"
#include "host/system_error.h"
#include "host/user_namespace.h"

namespace host {
namespace {

using vhost_user::Fd;

#define SKIP_UNLESS_ROOT() \
    if (::geteuid() != 0) GTEST_SKIP() << "needs root"

// A directory with a file, a subdirectory and a link that leads out of it; gone at the end.
class Share {
  public:
    Share() {
        std::string name = (std::filesystem::temp_directory_path() / "sandbox.XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        path_ = name;
        ::chmod(name.c_str(), 0777);
        std::ofstream(path_ / "file") << "text";
        std::filesystem::create_directory(path_ / "sub");
        std::filesystem::create_symlink("/etc/passwd", path_ / "out");
    }
    ~Share() {
        ::umount2((path_ / "sub").c_str(), MNT_DETACH);
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    const std::filesystem::path& path() const { return path_; }
    ProcessOptions options(SandboxMode mode) const {
        ProcessOptions options;
        options.shared_directory = path_.string();
        options.sandbox = mode;
        return options;
    }

  private:
    std::filesystem::path path_;
};

// What is to hold in a child; the first that does not is the test's message.
class Findings {
  public:
    void expect(bool holds, std::string_view what) {
        if (!holds && text_.empty()) text_ = what;
    }
    const std::string& text() const { return text_; }

  private:
    std::string text_;
};

using Look = std::function<void(const ServerRoots&, Findings&)>;

// Runs the daemon's own way into the sandbox in a process of its own, as `user` if that is not 0, and looks
// around at its end. What went wrong or did not hold; empty if nothing.
std::string in_sandbox(const ProcessOptions& options, const Look& look, uid_t user = 0) {
    int ends[2];
    if (::pipe(ends) != 0) return "no pipe";
    const pid_t outer = ::fork();
    if (outer == 0) {
        const auto say = [&ends](std::string_view text) {
            (void)!::write(ends[1], text.data(), text.size());
        };
        if (user != 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
                          ::setresuid(user, user, user) != 0 || ::prctl(PR_SET_DUMPABLE, 1) != 0)) {
            say("cannot become the user");
            ::_exit(1);
        }
        const auto fork = fork_for_sandbox(options);
        if (!fork) {
            say(fork.error());
            ::_exit(1);
        }
        if (*fork && (*fork)->child != 0) ::_exit(supervise(**fork));
        const auto roots = enter_sandbox(options, *fork);
        if (!roots) {
            say(roots.error());
            ::_exit(1);
        }
        Findings findings;
        look(*roots, findings);
        say(findings.text());
        ::_exit(findings.text().empty() ? 0 : 1);
    }
    ::close(ends[1]);
    std::string text;
    char piece[256];
    for (ssize_t size = 0; (size = ::read(ends[0], piece, sizeof(piece))) > 0;)
        text.append(piece, static_cast<std::size_t>(size));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(outer, &status, 0);
    if (text.empty() && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        text = fmt::format("wait status {:x}", status);
    return text;
}

bool opens(int directory, const char* path, int flags = O_PATH) {
    return static_cast<bool>(Fd(::openat(directory, path, flags | O_CLOEXEC)));
}
std::string contents(int directory, const char* path) {
    const Fd file(::openat(directory, path, O_RDONLY | O_CLOEXEC));
    char text[64];
    const auto size = file ? ::read(file.get(), text, sizeof(text)) : 0;
    return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}
ino_t inode(int directory, const char* path) {
    struct stat status {};
    return ::fstatat(directory, path, &status, AT_EMPTY_PATH) == 0 ? status.st_ino : 0;
}

void expect_only_the_share(const ServerRoots& roots, Findings& found) {
    const int shared = roots.directory.get();
    found.expect(contents(shared, "file") == "text", "the shared file is there");
    found.expect(opens(AT_FDCWD, "/file"), "the root is the shared directory");
    found.expect(inode(shared, "..") == inode(shared, "."), "nothing is above the root");
    found.expect(!opens(AT_FDCWD, "/etc") && !opens(AT_FDCWD, "/usr"), "the host's directories are gone");
    found.expect(!opens(shared, "out"), "links do not lead out");
    found.expect(!opens(AT_FDCWD, "/proc"), "there is no /proc");
    const Fd file(::openat(shared, "file", O_PATH | O_CLOEXEC));
    found.expect(contents(roots.proc_self_fd.get(), fmt::format("{}", file.get()).c_str()) == "text",
                 "descriptors are reopened through /proc/self/fd");
}

TEST(NamespaceSandbox, NothingButTheSharedDirectoryIsInSight) {
    SKIP_UNLESS_ROOT();
    const Share share;
    EXPECT_EQ(in_sandbox(share.options(SandboxMode::kNamespace),
                         [](const ServerRoots& roots, Findings& found) {
                             expect_only_the_share(roots, found);
                             const int descriptors = roots.proc_self_fd.get();
                             found.expect(inode(descriptors, "..") == inode(descriptors, "."),
                                          "nothing is above /proc/self/fd");
                             found.expect(::getpid() == 1, "the process is the first of its PID namespace");
                         }),
              "");
}

TEST(NamespaceSandbox, HasNoNetwork) {
    SKIP_UNLESS_ROOT();
    const Share share;
    EXPECT_EQ(in_sandbox(share.options(SandboxMode::kNamespace),
                         [](const ServerRoots&, Findings& found) {
                             const Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
                             sockaddr_storage loopback{};
                             const Fd internet(::socket(AF_INET, SOCK_STREAM, 0));
                             loopback.ss_family = AF_INET;
                             reinterpret_cast<unsigned char*>(&loopback)[4] = 127;
                             reinterpret_cast<unsigned char*>(&loopback)[7] = 1;
                             const int result =
                                 ::connect(internet.get(), reinterpret_cast<sockaddr*>(&loopback), 16);
                             found.expect(result != 0 && errno == ENETUNREACH, "not even loopback is up");
                         }),
              "");
}

TEST(NamespaceSandbox, SubmountsAreVisible) {
    SKIP_UNLESS_ROOT();
    const Share share;
    const auto sub = (share.path() / "sub").string();
    ASSERT_EQ(::mount("tmpfs", sub.c_str(), "tmpfs", 0, nullptr), 0);
    std::ofstream(sub + "/inner") << "inner";
    EXPECT_EQ(in_sandbox(share.options(SandboxMode::kNamespace),
                         [](const ServerRoots& roots, Findings& found) {
                             found.expect(contents(roots.directory.get(), "sub/inner") == "inner",
                                          "the submount is there");
                         }),
              "");
}

TEST(NamespaceSandbox, SubmountsThatTheHostAddsLaterAppear) {
    SKIP_UNLESS_ROOT();
    const Share share;
    const auto path = share.path().string();
    const auto sub = path + "/sub";
    ASSERT_EQ(::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(::mount(nullptr, path.c_str(), nullptr, MS_SHARED, nullptr), 0);
    std::array<int, 2> entered{};
    std::array<int, 2> mounted{};
    ASSERT_EQ(::pipe(entered.data()), 0);
    ASSERT_EQ(::pipe(mounted.data()), 0);
    const pid_t host = ::fork();
    if (host == 0) {
        ::close(entered[1]);
        char byte = 0;
        const bool go = ::read(entered[0], &byte, 1) == 1;
        const bool done =
            go && ::mount("tmpfs", sub.c_str(), "tmpfs", 0, nullptr) == 0 && ::write(mounted[1], "", 1) == 1;
        ::_exit(done ? 0 : 1);
    }
    ::close(mounted[1]);
    EXPECT_EQ(in_sandbox(share.options(SandboxMode::kNamespace),
                         [&](const ServerRoots& roots, Findings& found) {
                             const auto device = [&roots](const char* name) {
                                 struct stat status {};
                                 ::fstatat(roots.directory.get(), name, &status, 0);
                                 return status.st_dev;
                             };
                             found.expect(device("sub") == device("."), "there is no submount at first");
                             char byte = 0;
                             found.expect(
                                 ::write(entered[1], "", 1) == 1 && ::read(mounted[0], &byte, 1) == 1,
                                 "the host mounts");
                             found.expect(device("sub") != device("."), "then there is one");
                         }),
              "");
    ::close(entered[0]);
    ::close(entered[1]);
    ::close(mounted[0]);
    ::waitpid(host, nullptr, 0);
    ::umount2(sub.c_str(), MNT_DETACH);
    ::umount2(path.c_str(), MNT_DETACH);
}

TEST(NamespaceSandbox, MountsOfTheSandboxDoNotReachTheHost) {
    SKIP_UNLESS_ROOT();
    const Share share;
    EXPECT_EQ(in_sandbox(share.options(SandboxMode::kNamespace),
                         [](const ServerRoots&, Findings& found) {
                             found.expect(::mount("tmpfs", "/sub", "tmpfs", 0, nullptr) == 0,
                                          "root may mount");
                         }),
              "");
    struct stat outside {};
    struct stat inside {};
    ::stat(share.path().c_str(), &outside);
    ::stat((share.path() / "sub").c_str(), &inside);
    EXPECT_EQ(outside.st_dev, inside.st_dev);
}

TEST(NamespaceSandbox, DeviceFilesAreDead) {
    SKIP_UNLESS_ROOT();
    const Share share;
    ASSERT_EQ(::mknod((share.path() / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    EXPECT_EQ(in_sandbox(share.options(SandboxMode::kNamespace),
                         [](const ServerRoots& roots, Findings& found) {
                             found.expect(!opens(roots.directory.get(), "null", O_RDONLY) && errno == EACCES,
                                          "a device cannot be opened");
                         }),
              "");
}

TEST(NamespaceSandbox, ReadonlyIsTheKernelsWord) {
    SKIP_UNLESS_ROOT();
    const Share share;
    auto options = share.options(SandboxMode::kNamespace);
    options.server.readonly = true;
    EXPECT_EQ(in_sandbox(options,
                         [](const ServerRoots& roots, Findings& found) {
                             found.expect(!opens(roots.directory.get(), "file", O_WRONLY) && errno == EROFS,
                                          "nothing can be written");
                         }),
              "");
    EXPECT_TRUE(std::ofstream(share.path() / "file") << "more");
}

TEST(NamespaceSandbox, TheHostsRootCanBeShared) {
    SKIP_UNLESS_ROOT();
    ProcessOptions options;
    options.shared_directory = "/";
    options.sandbox = SandboxMode::kNamespace;
    EXPECT_EQ(in_sandbox(options,
                         [](const ServerRoots& roots, Findings& found) {
                             found.expect(opens(roots.directory.get(), "etc/passwd", O_RDONLY),
                                          "its files are there");
                             found.expect(opens(roots.proc_self_fd.get(), "0"),
                                          "descriptors can be reopened");
                         }),
              "");
}

TEST(ChrootSandbox, NothingButTheSharedDirectoryIsInSight) {
    SKIP_UNLESS_ROOT();
    const Share share;
    EXPECT_EQ(in_sandbox(share.options(SandboxMode::kChroot), expect_only_the_share), "");
}

TEST(NoSandbox, TheRootsAreTheHosts) {
    const Share share;
    EXPECT_EQ(in_sandbox(share.options(SandboxMode::kNone),
                         [](const ServerRoots& roots, Findings& found) {
                             found.expect(contents(roots.directory.get(), "file") == "text",
                                          "the file is there");
                             found.expect(opens(AT_FDCWD, "/etc"), "and so is the host");
                         }),
              "");
}

TEST(Sandbox, ADirectoryThatIsNoneIsAnError) {
    ProcessOptions options;
    options.shared_directory = "/etc/passwd";
    EXPECT_EQ(in_sandbox(options, {}), "cannot share /etc/passwd: Not a directory");
    options.shared_directory = "/nowhere";
    EXPECT_EQ(in_sandbox(options, {}), "cannot share /nowhere: No such file or directory");
}

TEST(Sandbox, IdMapsAreNotForRoot) {
    SKIP_UNLESS_ROOT();
    const Share share;
    auto options = share.options(SandboxMode::kNamespace);
    options.uid_map = {{.inside = 0, .outside = 0, .count = 1}};
    EXPECT_EQ(in_sandbox(options, {}),
              "--uid-map and --gid-map are for users other than root; see --translate-uid");
}

constexpr uid_t kNobody = 65534;

TEST(UserNamespace, AUserHasASandbox) {
    SKIP_UNLESS_ROOT();
    const Share share;
    EXPECT_EQ(
        in_sandbox(
            share.options(SandboxMode::kNamespace),
            [](const ServerRoots& roots, Findings& found) {
                expect_only_the_share(roots, found);
                found.expect(::geteuid() == kNobody, "who is the same inside");
                const Fd made(::openat(roots.directory.get(), "made", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
                struct stat status {};
                found.expect(made && ::fstat(made.get(), &status) == 0 && status.st_uid == kNobody,
                             "and makes files");
            },
            kNobody),
        "");
    struct stat made {};
    ASSERT_EQ(::stat((share.path() / "made").c_str(), &made), 0);
    EXPECT_EQ(made.st_uid, kNobody);
}

TEST(UserNamespace, WhoIsAloneDoesNotTryToActAsOthers) {
    SKIP_UNLESS_ROOT();
    const Share share;
    EXPECT_EQ(in_sandbox(
                  share.options(SandboxMode::kNamespace),
                  [](const ServerRoots&, Findings& found) {
                      __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
                      std::array<__user_cap_data_struct, 2> sets{};
                      found.expect(::syscall(SYS_capget, &header, sets.data()) == 0,
                                   "capabilities can be read");
                      const auto has = [&sets](unsigned capability) {
                          return (sets[capability / 32].permitted & (1U << (capability % 32))) != 0;
                      };
                      found.expect(!has(CAP_SETUID) && !has(CAP_SETGID), "there is nobody to change to");
                      found.expect(has(CAP_DAC_OVERRIDE), "but other capabilities are there");
                  },
                  kNobody),
              "");
}

TEST(UserNamespace, AUserCanBeItsRoot) {
    SKIP_UNLESS_ROOT();
    const Share share;
    auto options = share.options(SandboxMode::kNamespace);
    options.uid_map = {{.inside = 0, .outside = kNobody, .count = 1}};
    options.gid_map = {{.inside = 0, .outside = kNobody, .count = 1}};
    EXPECT_EQ(in_sandbox(
                  options,
                  [](const ServerRoots& roots, Findings& found) {
                      found.expect(::geteuid() == 0 && ::getegid() == 0, "inside it is root");
                      found.expect(static_cast<bool>(
                                       Fd(::openat(roots.directory.get(), "made", O_CREAT | O_WRONLY, 0600))),
                                   "it makes files");
                  },
                  kNobody),
              "");
    struct stat made {};
    ASSERT_EQ(::stat((share.path() / "made").c_str(), &made), 0);
    EXPECT_EQ(made.st_uid, kNobody);
}

// The ranges of nobody in /etc/subuid, for as long as a test lasts.
class SubordinateIds {
  public:
    SubordinateIds() {
        for (const auto* const path : {"/etc/subuid", "/etc/subgid"}) {
            std::ifstream file(path);
            before_.emplace_back(path, std::string(std::istreambuf_iterator<char>(file), {}));
            std::ofstream(path, std::ios::app) << "nobody:500000:65536\n";
        }
    }
    ~SubordinateIds() {
        for (const auto& [path, text] : before_)
            std::ofstream(path) << text;
    }
    SubordinateIds(const SubordinateIds&) = delete;
    SubordinateIds& operator=(const SubordinateIds&) = delete;

  private:
    std::vector<std::pair<std::string, std::string>> before_;
};

TEST(UserNamespace, RangesAreMappedByNewuidmap) {
    SKIP_UNLESS_ROOT();
    if (::access("/usr/bin/newuidmap", X_OK) != 0) GTEST_SKIP() << "needs newuidmap (Debian package uidmap)";
    const SubordinateIds ids;
    const Share share;
    auto options = share.options(SandboxMode::kNamespace);
    options.uid_map = {{.inside = 0, .outside = 500000, .count = 65536}};
    options.gid_map = {{.inside = 0, .outside = 500000, .count = 65536}};
    EXPECT_EQ(in_sandbox(
                  options,
                  [](const ServerRoots& roots, Findings& found) {
                      found.expect(::geteuid() == 0 && ::getegid() == 0, "inside it is root");
                      const Fd made(::openat(roots.directory.get(), "made", O_CREAT | O_WRONLY, 0600));
                      found.expect(::fchown(made.get(), 1000, 1001) == 0, "it gives files away");
                  },
                  kNobody),
              "");
    struct stat made {};
    ASSERT_EQ(::stat((share.path() / "made").c_str(), &made), 0);
    EXPECT_EQ(made.st_uid, 501000U);
    EXPECT_EQ(made.st_gid, 501001U);
}

TEST(UserNamespace, RangesThatAreNotTheUsersAreRefused) {
    SKIP_UNLESS_ROOT();
    if (::access("/usr/bin/newuidmap", X_OK) != 0) GTEST_SKIP() << "needs newuidmap (Debian package uidmap)";
    const Share share;
    auto options = share.options(SandboxMode::kNamespace);
    options.uid_map = {{.inside = 0, .outside = 0, .count = 1000}};
    const auto said = in_sandbox(options, {}, kNobody);
    EXPECT_TRUE(said.starts_with("cannot map ids into the user namespace: newuidmap refuses: ")) << said;
}

TEST(ChrootSandbox, IsNotForUsers) {
    SKIP_UNLESS_ROOT();
    const Share share;
    const auto said = in_sandbox(share.options(SandboxMode::kChroot), {}, kNobody);
    EXPECT_TRUE(said.ends_with("(needs root; --sandbox=namespace does not): Operation not permitted"))
        << said;
}

// Everything together, as the daemon starts.
std::string confined(const ProcessOptions& options, const Look& look, uid_t user = 0) {
    return in_sandbox(
        options,
        [&](const ServerRoots& roots, Findings& found) {
            if (const auto reduced = confine_to_server_capabilities(options); !reduced) {
                found.expect(false, reduced.error());
                return;
            }
            if (const auto filtered = apply_syscall_filter(options.seccomp, false); !filtered) {
                found.expect(false, filtered.error());
                return;
            }
            look(roots, found);
        },
        user);
}

TEST(Confinement, FilesCanBeServedInIt) {
    SKIP_UNLESS_ROOT();
    for (const auto mode : {SandboxMode::kNamespace, SandboxMode::kChroot, SandboxMode::kNone}) {
        const Share share;
        EXPECT_EQ(confined(share.options(mode),
                           [](const ServerRoots& roots, Findings& found) {
                               const int shared = roots.directory.get();
                               found.expect(::syscall(SYS_setgroups, 0, nullptr) == 0, "groups can be set");
                               found.expect(::syscall(SYS_unshare, CLONE_FS) == 0, "umask can be one's own");
                               ::setfsgid(1000);
                               ::setfsuid(1000);
                               const Fd made(::openat(shared, "made", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
                               struct stat status {};
                               found.expect(::fstat(made.get(), &status) == 0 && status.st_uid == 1000,
                                            "files have owners");
                               ::setfsuid(0);
                               ::setfsgid(0);
                               found.expect(::fchownat(shared, "made", 7, 8, 0) == 0,
                                            "owners can be changed");
                               found.expect(::mknodat(shared, "null", S_IFCHR | 0600, makedev(1, 3)) == 0,
                                            "devices can be made");
                               found.expect(::renameat2(shared, "made", shared, "moved", 0) == 0,
                                            "files can be renamed");
                           }),
                  "");
    }
}

TEST(Confinement, AUsersDaemonStartsWithoutPrivileges) {
    SKIP_UNLESS_ROOT();
    for (const auto mode : {SandboxMode::kNamespace, SandboxMode::kNone}) {
        const Share share;
        EXPECT_EQ(confined(
                      share.options(mode),
                      [](const ServerRoots& roots, Findings& found) {
                          found.expect(opens(roots.directory.get(), "made", O_CREAT | O_RDWR),
                                       "files can be made");
                      },
                      kNobody),
                  "");
    }
}

}  // namespace
}  // namespace host
