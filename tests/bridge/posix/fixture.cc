#include "tests/bridge/posix/fixture.h"

#include <dirent.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

namespace posix {
namespace {

constexpr int kNobodyElse = 255;  // the person could not be become

bool become(const Person& person) {
    return ::setgroups(person.groups.size(), person.groups.data()) == 0 &&
           ::setresgid(person.gid, person.gid, person.gid) == 0 &&
           ::setresuid(person.uid, person.uid, person.uid) == 0;
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int error_of(long result) {
    return result < 0 ? errno : 0;
}

int as(const Person& person, const std::function<int()>& action) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(become(person) ? action() : kNobodyElse);
    return wait_for(pid);
}

Process::Process(const std::function<int(int ready, int go)>& action) {
    int ready[2];
    int go[2];
    if (::pipe2(ready, O_CLOEXEC) != 0 || ::pipe2(go, O_CLOEXEC) != 0) return;
    ready_ = Fd(ready[0]);
    go_ = Fd(go[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::close(ready[0]);
        ::close(go[1]);
        ::_exit(action(ready[1], go[0]));
    }
    ::close(ready[1]);
    ::close(go[0]);
}

Process::~Process() {
    finish();
}

bool Process::wait_until_ready() const {
    char byte = 0;
    return ::read(ready_.get(), &byte, 1) == 1;
}

int Process::finish() {
    if (pid_ < 0) return -1;
    // A byte, not the end of the file: processes begun later may have the descriptor, too.
    (void)!::write(go_.get(), "", 1);
    go_.reset();
    return wait_for(std::exchange(pid_, -1));
}

void Posix::SetUp() {
    umask_ = ::umask(022);
    ::signal(SIGPIPE, SIG_IGN);  // a Process may have ended when it is told to
    const char* const given = ::getenv("VIRTIOFS_TEST_DIRECTORY");
    directory_ = (given != nullptr ? std::string(given) : std::filesystem::temp_directory_path().string()) +
                 "/posix-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr) << directory_ << ": " << std::strerror(errno);
    ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
}

void Posix::TearDown() {
    std::error_code error;
    std::filesystem::remove_all(directory_, error);
    EXPECT_FALSE(error) << "cannot remove " << directory_ << ": " << error.message();
    ::umask(umask_);
}

Fd Posix::open(const std::string& at, int flags, mode_t mode) const {
    Fd fd(::open(at.c_str(), flags | O_CLOEXEC, mode));
    EXPECT_TRUE(fd) << at << ": " << std::strerror(errno);
    return fd;
}

std::string Posix::make_file(std::string_view name, std::string_view content, mode_t mode) const {
    const std::string at = path(name);
    const Fd fd = open(at, O_CREAT | O_EXCL | O_WRONLY, mode);
    EXPECT_EQ(::write(fd.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
    EXPECT_EQ(::fchmod(fd.get(), mode), 0);
    return at;
}

std::string Posix::make_directory(std::string_view name, mode_t mode) const {
    const std::string at = path(name);
    EXPECT_EQ(::mkdir(at.c_str(), 0700), 0) << at << ": " << std::strerror(errno);
    EXPECT_EQ(::chmod(at.c_str(), mode), 0);
    return at;
}

std::string Posix::content_of(const std::string& at) {
    const Fd fd(::open(at.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(fd) << at << ": " << std::strerror(errno);
    std::string content;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::read(fd.get(), buffer, sizeof buffer)) > 0)
        content.append(buffer, static_cast<std::size_t>(count));
    EXPECT_EQ(count, 0) << at << ": " << std::strerror(errno);
    return content;
}

struct stat Posix::stat_of(const std::string& at) {
    struct stat found {};
    EXPECT_EQ(::lstat(at.c_str(), &found), 0) << at << ": " << std::strerror(errno);
    return found;
}

bool Posix::exists(const std::string& at) {
    struct stat found;
    return ::lstat(at.c_str(), &found) == 0;
}

std::vector<std::string> Posix::names_in(const std::string& at) {
    std::vector<std::string> names;
    DIR* const directory = ::opendir(at.c_str());
    EXPECT_NE(directory, nullptr) << at << ": " << std::strerror(errno);
    if (directory == nullptr) return names;
    while (const dirent* const entry = ::readdir(directory)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(directory);
    std::ranges::sort(names);
    return names;
}

}  // namespace posix
