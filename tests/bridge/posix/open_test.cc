// What open's flags mean, and special files.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "tests/bridge/posix/fixture.h"

namespace posix {
namespace {

TEST_F(Posix, ExclusiveCreate_IsRefusedIfTheNameIsTaken) {
    make_file("file");
    make_directory("directory");
    for (const char* const name : {"file", "directory"}) {
        EXPECT_EQ(error_of(::open(path(name).c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644)), EEXIST) << name;
    }
    EXPECT_EQ(error_of(::mkdir(path("file").c_str(), 0755)), EEXIST);
}

TEST_F(Posix, ExclusiveCreate_IsWonByOne) {
    for (int round = 0; round < 20; ++round) {
        const std::string file = path("file" + std::to_string(round));
        const auto race = [&](int ready, int go) {
            (void)!::write(ready, "", 1);
            char byte = 0;
            (void)!::read(go, &byte, 1);
            return ::open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644) >= 0 ? 1 : 0;
        };
        Process first(race);
        Process second(race);
        ASSERT_TRUE(first.wait_until_ready() && second.wait_until_ready());
        EXPECT_EQ(first.finish() + second.finish(), 1);
    }
}

TEST_F(Posix, Truncate_OnOpenEmptiesTheFile) {
    const std::string file = make_file("file", "content");
    const Fd other = open(file, O_RDONLY);
    open(file, O_WRONLY | O_TRUNC);
    struct stat found;
    ASSERT_EQ(::fstat(other.get(), &found), 0);
    EXPECT_EQ(found.st_size, 0);
    EXPECT_EQ(content_of(file), "");
}

TEST_F(Posix, Append_GoesToTheEndWhereverThatIs) {
    const std::string file = make_file("file", "content");
    const Fd appending = open(file, O_WRONLY | O_APPEND);
    const Fd other = open(file, O_WRONLY);
    ASSERT_EQ(::pwrite(other.get(), "!", 1, 20), 1);
    ASSERT_EQ(::write(appending.get(), "end", 3), 3);
    EXPECT_EQ(stat_of(file).st_size, 24);
    EXPECT_EQ(content_of(file).substr(20), "!end");
}

TEST_F(Posix, Append_BySeveralProcessesLosesNothing) {
    const std::string file = make_file("file");
    constexpr int kEach = 200;
    const auto append = [&](char letter) {
        return [&file, letter](int ready, int go) {
            const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND);
            (void)!::write(ready, "", 1);
            char byte = 0;
            (void)!::read(go, &byte, 1);
            const std::string line(100, letter);
            for (int i = 0; i < kEach; ++i) {
                if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 1;
            }
            return 0;
        };
    };
    {
        Process first(append('a'));
        Process second(append('b'));
        ASSERT_TRUE(first.wait_until_ready() && second.wait_until_ready());
        EXPECT_EQ(first.finish(), 0);
        EXPECT_EQ(second.finish(), 0);
    }
    const std::string content = content_of(file);
    ASSERT_EQ(content.size(), 2U * 100 * kEach);
    for (std::size_t at = 0; at < content.size(); at += 100)
        ASSERT_EQ(content.substr(at, 100), std::string(100, content[at]));
}

TEST_F(Posix, Open_OfADirectoryAsAFileIsRefused) {
    const std::string directory = make_directory("directory");
    const std::string file = make_file("file");
    EXPECT_EQ(error_of(::open(directory.c_str(), O_WRONLY)), EISDIR);
    EXPECT_EQ(error_of(::open(directory.c_str(), O_CREAT | O_RDONLY, 0644)), EISDIR);
    EXPECT_EQ(error_of(::open(file.c_str(), O_RDONLY | O_DIRECTORY)), ENOTDIR);
    EXPECT_EQ(error_of(::open((file + "/").c_str(), O_RDONLY)), ENOTDIR);
    EXPECT_EQ(error_of(::open(path("missing").c_str(), O_RDWR)), ENOENT);
}

TEST_F(Posix, Descriptor_AllowsWhatItWasOpenedFor) {
    const std::string file = make_file("file", "content");
    const Fd reading = open(file, O_RDONLY);
    const Fd writing = open(file, O_WRONLY);
    const Fd neither = open(file, O_PATH);
    char byte = 0;
    EXPECT_EQ(error_of(::write(reading.get(), "x", 1)), EBADF);
    EXPECT_EQ(error_of(::read(writing.get(), &byte, 1)), EBADF);
    EXPECT_EQ(error_of(::read(neither.get(), &byte, 1)), EBADF);
    EXPECT_EQ(error_of(::ftruncate(reading.get(), 0)), EINVAL);
    struct stat found;
    EXPECT_EQ(::fstat(neither.get(), &found), 0);
    EXPECT_EQ(content_of(file), "content");
}

TEST_F(Posix, Open_ThroughADescriptorOfProcWorks) {
    const std::string file = make_file("file", "content");
    const Fd fd = open(file, O_PATH);
    EXPECT_EQ(content_of("/proc/self/fd/" + std::to_string(fd.get())), "content");
}

TEST_F(Posix, ManyDescriptors_OfOneFile) {
    const std::string file = make_file("file", "content");
    std::vector<Fd> fds;
    for (int i = 0; i < 300; ++i)
        fds.push_back(open(file, O_RDWR));
    ASSERT_EQ(::pwrite(fds.front().get(), "C", 1, 0), 1);
    char byte = 0;
    EXPECT_EQ(::pread(fds.back().get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, 'C');
}

TEST_F(Posix, Fifo_CarriesBytesBetweenProcesses) {
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0644), 0);
    EXPECT_TRUE(S_ISFIFO(stat_of(path("fifo")).st_mode));
    Process writer([&](int, int) {
        const int fd = ::open(path("fifo").c_str(), O_WRONLY);
        return ::write(fd, "hello", 5) == 5 ? 0 : 1;
    });
    EXPECT_EQ(content_of(path("fifo")), "hello");
    EXPECT_EQ(writer.finish(), 0);
}

TEST_F(Posix, Socket_CanBeConnectedTo) {
    const Fd at = open(directory(), O_PATH | O_DIRECTORY);
    const std::string name = "/proc/self/fd/" + std::to_string(at.get()) + "/socket";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(name.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, name.c_str(), name.size());
    const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_TRUE(S_ISSOCK(stat_of(path("socket")).st_mode));
    const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

TEST_F(PosixUsers, Device_KeepsItsNumbersAndWorks) {
    const std::string device = path("null");
    ASSERT_EQ(::mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    const struct stat found = stat_of(device);
    EXPECT_TRUE(S_ISCHR(found.st_mode));
    EXPECT_EQ(found.st_rdev, makedev(1, 3));
    const Fd fd(::open(device.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd && errno == EACCES) GTEST_SKIP() << "the file system is mounted without devices";
    EXPECT_EQ(::write(fd.get(), "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(::read(fd.get(), &byte, 1), 0);
    ASSERT_EQ(::mknod(path("block").c_str(), S_IFBLK | 0600, makedev(259, 70000)), 0);
    EXPECT_EQ(stat_of(path("block")).st_rdev, makedev(259, 70000));
}

TEST_F(Posix, Mapping_IsSharedBetweenProcessesAndWithWrites) {
    const std::string file = make_file("file", std::string(8192, 'a'));
    const Fd fd = open(file, O_RDWR);
    void* const memory = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(memory, MAP_FAILED) << std::strerror(errno);
    auto* const bytes = static_cast<volatile char*>(memory);
    Process other([&](int, int) {
        const int mine = ::open(file.c_str(), O_RDWR);
        void* const again = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);
        if (again == MAP_FAILED) return 1;
        static_cast<volatile char*>(again)[5000] = 'b';
        return ::pwrite(mine, "c", 1, 100) == 1 ? 0 : 2;
    });
    EXPECT_EQ(other.finish(), 0);
    EXPECT_EQ(bytes[5000], 'b');
    EXPECT_EQ(bytes[100], 'c');
    bytes[200] = 'd';
    char byte = 0;
    EXPECT_EQ(::pread(fd.get(), &byte, 1, 200), 1);
    EXPECT_EQ(byte, 'd');
    EXPECT_EQ(::msync(memory, 8192, MS_SYNC), 0);
    ::munmap(memory, 8192);
}

}  // namespace
}  // namespace posix
