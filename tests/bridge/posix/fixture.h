// What POSIX promises of files, checked on the directory that VIRTIOFS_TEST_DIRECTORY names (without: the
// directory for temporary files): a scratch directory for each test, and calls made as somebody else. Must
// never know: what serves the directory.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vhost_user/fd.h"

namespace posix {

using vhost_user::Fd;

// Who makes a call.
struct Person {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups = {};  // supplementary
};
inline constexpr uid_t kAnn = 1001;
inline constexpr uid_t kBob = 1002;
inline constexpr gid_t kAnnsGroup = 2001;
inline constexpr gid_t kBobsGroup = 2002;
inline constexpr gid_t kTeam = 2010;

// 0, or errno of a call that returned -1.
int error_of(long result);

// Does something in a process of that person's; the result is what it returned (0 to 254).
int as(const Person& person, const std::function<int()>& action);

// A process of its own that is waited for at the end, e.g. one that holds a lock. `action` gets two
// descriptors: it writes a byte to `ready` when it is so far, and may read from `go`, where a byte comes
// when it is to end.
class Process {
  public:
    explicit Process(const std::function<int(int ready, int go)>& action);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    // Waits until it has written a byte; false if it ended before.
    bool wait_until_ready() const;
    // Lets it go on and waits for its end; what it returned.
    int finish();
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
    Fd ready_;
    Fd go_;
};

class Posix : public ::testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;

    // In the scratch directory, which everybody may use.
    std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }
    const std::string& directory() const { return directory_; }

    // Each fails the test if the call fails.
    Fd open(const std::string& at, int flags, mode_t mode = 0644) const;
    std::string make_file(std::string_view name, std::string_view content = "", mode_t mode = 0644) const;
    std::string make_directory(std::string_view name, mode_t mode = 0755) const;
    static std::string content_of(const std::string& at);
    static struct stat stat_of(const std::string& at);  // of a link itself
    static bool exists(const std::string& at);
    static std::vector<std::string> names_in(const std::string& at);  // sorted, without "." and ".."

  private:
    std::string directory_;
    mode_t umask_ = 0;
};

// For tests that switch to another user.
class PosixUsers : public Posix {
  protected:
    void SetUp() override {
        Posix::SetUp();
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become others";
    }
    const Person ann_{.uid = kAnn, .gid = kAnnsGroup};
    const Person bob_{.uid = kBob, .gid = kBobsGroup};
    const Person bob_of_team_{.uid = kBob, .gid = kBobsGroup, .groups = {kTeam}};
};

inline mode_t permissions_of(const struct stat& file) {
    return file.st_mode & 07777;
}

}  // namespace posix
