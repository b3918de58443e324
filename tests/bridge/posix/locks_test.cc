// Locks between processes: of whole files, and of ranges.
#include <sys/file.h>

#include <cerrno>

#include "tests/bridge/posix/fixture.h"

namespace posix {
namespace {

struct flock range(short type, off_t start, off_t length) {
    return {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length, .l_pid = 0};
}

// A process that holds what `lock` took, given a descriptor of the file, until it may end.
auto holding(const std::string& file, int (*lock)(int fd)) {
    return [file, lock](int ready, int go) {
        const int fd = ::open(file.c_str(), O_RDWR);
        if (fd < 0 || lock(fd) != 0) return 1;
        (void)!::write(ready, "", 1);
        char byte = 0;
        (void)!::read(go, &byte, 1);
        return 0;
    };
}

TEST_F(Posix, Flock_ExcludesOthersUntilItsHolderEnds) {
    const std::string file = make_file("file");
    const Fd fd = open(file, O_RDWR);
    {
        Process holder(holding(file, [](int of) { return ::flock(of, LOCK_EX); }));
        ASSERT_TRUE(holder.wait_until_ready());
        EXPECT_EQ(error_of(::flock(fd.get(), LOCK_EX | LOCK_NB)), EWOULDBLOCK);
        EXPECT_EQ(error_of(::flock(fd.get(), LOCK_SH | LOCK_NB)), EWOULDBLOCK);
    }
    EXPECT_EQ(::flock(fd.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(::flock(fd.get(), LOCK_UN), 0);
}

TEST_F(Posix, Flock_ThatIsSharedExcludesWritersOnly) {
    const std::string file = make_file("file");
    const Fd fd = open(file, O_RDWR);
    Process holder(holding(file, [](int of) { return ::flock(of, LOCK_SH); }));
    ASSERT_TRUE(holder.wait_until_ready());
    EXPECT_EQ(::flock(fd.get(), LOCK_SH | LOCK_NB), 0);
    EXPECT_EQ(error_of(::flock(fd.get(), LOCK_EX | LOCK_NB)), EWOULDBLOCK);
}

TEST_F(Posix, RangeLock_ExcludesOthersFromTheRange) {
    const std::string file = make_file("file", "content");
    const Fd fd = open(file, O_RDWR);
    Process holder(holding(file, [](int of) {
        const struct flock mine = range(F_WRLCK, 100, 50);
        return ::fcntl(of, F_SETLK, &mine);
    }));
    ASSERT_TRUE(holder.wait_until_ready());
    struct flock overlapping = range(F_RDLCK, 140, 100);
    EXPECT_EQ(error_of(::fcntl(fd.get(), F_SETLK, &overlapping)), EAGAIN);
    ASSERT_EQ(::fcntl(fd.get(), F_GETLK, &overlapping), 0);
    EXPECT_EQ(overlapping.l_type, F_WRLCK);
    EXPECT_EQ(overlapping.l_start, 100);
    EXPECT_EQ(overlapping.l_len, 50);
    EXPECT_EQ(overlapping.l_pid, holder.pid());
    struct flock beside = range(F_WRLCK, 150, 100);
    EXPECT_EQ(::fcntl(fd.get(), F_SETLK, &beside), 0);
}

TEST_F(Posix, RangeLock_IsWaitedFor) {
    const std::string file = make_file("file");
    auto holder = std::make_unique<Process>(holding(file, [](int of) {
        const struct flock mine = range(F_WRLCK, 0, 0);
        return ::fcntl(of, F_SETLK, &mine);
    }));
    ASSERT_TRUE(holder->wait_until_ready());
    Process waiter([&](int ready, int) {
        const int fd = ::open(file.c_str(), O_RDWR);
        (void)!::write(ready, "", 1);
        const struct flock mine = range(F_WRLCK, 0, 0);
        return error_of(::fcntl(fd, F_SETLKW, &mine));
    });
    ASSERT_TRUE(waiter.wait_until_ready());
    EXPECT_EQ(holder->finish(), 0);
    EXPECT_EQ(waiter.finish(), 0);
}

TEST_F(Posix, RangeLock_EndsWhenItsProcessClosesTheFile) {
    const std::string file = make_file("file");
    const Fd fd = open(file, O_RDWR);
    const struct flock whole = range(F_WRLCK, 0, 0);
    Process holder([&](int ready, int go) {
        const int mine = ::open(file.c_str(), O_RDWR);
        if (::fcntl(mine, F_SETLK, &whole) != 0) return 1;
        ::close(::open(file.c_str(), O_RDONLY));  // any descriptor of the file
        (void)!::write(ready, "", 1);
        char byte = 0;
        (void)!::read(go, &byte, 1);
        return 0;
    });
    ASSERT_TRUE(holder.wait_until_ready());
    EXPECT_EQ(error_of(::fcntl(fd.get(), F_SETLK, &whole)), 0);
}

TEST_F(Posix, RangeLock_OfADescriptorExcludesAnotherDescriptor) {
    const std::string file = make_file("file");
    const Fd first = open(file, O_RDWR);
    const Fd second = open(file, O_RDWR);
    struct flock whole = range(F_WRLCK, 0, 0);
    ASSERT_EQ(::fcntl(first.get(), F_OFD_SETLK, &whole), 0);
    EXPECT_EQ(error_of(::fcntl(second.get(), F_OFD_SETLK, &whole)), EAGAIN);
    whole.l_type = F_UNLCK;
    ASSERT_EQ(::fcntl(first.get(), F_OFD_SETLK, &whole), 0);
    whole.l_type = F_WRLCK;
    EXPECT_EQ(::fcntl(second.get(), F_OFD_SETLK, &whole), 0);
}

}  // namespace
}  // namespace posix
