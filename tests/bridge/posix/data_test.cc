// Bytes of files: sizes, holes, allocation, copies, flushing.
#include <sys/resource.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "tests/bridge/posix/fixture.h"

namespace posix {
namespace {

constexpr off_t kMegabyte = 1 << 20;

TEST_F(Posix, Truncate_ThatShortensAndLengthensLeavesZeros) {
    const std::string file = make_file("file", std::string(10000, 'a'));
    ASSERT_EQ(::truncate(file.c_str(), 5000), 0);
    ASSERT_EQ(::truncate(file.c_str(), 10000), 0);
    EXPECT_EQ(content_of(file), std::string(5000, 'a') + std::string(5000, '\0'));
    EXPECT_EQ(error_of(::truncate(file.c_str(), -1)), EINVAL);
    EXPECT_EQ(error_of(::truncate(make_directory("directory").c_str(), 0)), EISDIR);
}

TEST_F(Posix, Write_BeyondTheEndLeavesAHole) {
    const std::string file = make_file("file", "a");
    const Fd fd = open(file, O_RDWR);
    ASSERT_EQ(::pwrite(fd.get(), "b", 1, 4 * kMegabyte), 1);
    const struct stat found = stat_of(file);
    EXPECT_EQ(found.st_size, 4 * kMegabyte + 1);
    EXPECT_LT(found.st_blocks * 512, kMegabyte);
    char byte = 'x';
    EXPECT_EQ(::pread(fd.get(), &byte, 1, kMegabyte), 1);
    EXPECT_EQ(byte, '\0');
}

TEST_F(Posix, Seek_FindsDataAndHoles) {
    const Fd fd = open(path("file"), O_RDWR | O_CREAT);
    const std::string data(65536, 'a');
    ASSERT_EQ(::pwrite(fd.get(), data.data(), data.size(), kMegabyte), static_cast<ssize_t>(data.size()));
    ASSERT_EQ(::ftruncate(fd.get(), 2 * kMegabyte), 0);
    ASSERT_EQ(::fsync(fd.get()), 0);
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_DATA), kMegabyte);
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_HOLE), 0);
    EXPECT_EQ(::lseek(fd.get(), kMegabyte, SEEK_HOLE), kMegabyte + 65536);
    EXPECT_EQ(error_of(::lseek(fd.get(), kMegabyte + 65536, SEEK_DATA)), ENXIO);
    EXPECT_EQ(error_of(::lseek(fd.get(), 2 * kMegabyte, SEEK_HOLE)), ENXIO);
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_END), 2 * kMegabyte);
}

TEST_F(Posix, Offsets_BeyondFourGigabytesWork) {
    const Fd fd = open(path("file"), O_RDWR | O_CREAT);
    const off_t far = (off_t{5} << 30) + 123;
    ASSERT_EQ(::pwrite(fd.get(), "far", 3, far), 3);
    EXPECT_EQ(stat_of(path("file")).st_size, far + 3);
    char buffer[4] = {};
    EXPECT_EQ(::pread(fd.get(), buffer, 3, far), 3);
    EXPECT_STREQ(buffer, "far");
    EXPECT_EQ(::pread(fd.get(), buffer, 3, far - (off_t{4} << 30)), 3);
    EXPECT_EQ(buffer[0], '\0');
}

TEST_F(Posix, Fallocate_ExtendsOrKeepsTheSize) {
    const Fd fd = open(path("file"), O_RDWR | O_CREAT);
    ASSERT_EQ(::fallocate(fd.get(), 0, 0, kMegabyte), 0);
    EXPECT_EQ(stat_of(path("file")).st_size, kMegabyte);
    EXPECT_GE(stat_of(path("file")).st_blocks * 512, kMegabyte);
    ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, kMegabyte, kMegabyte), 0);
    EXPECT_EQ(stat_of(path("file")).st_size, kMegabyte);
    EXPECT_EQ(error_of(::fallocate(fd.get(), 0, 0, 0)), EINVAL);
    const Fd reading = open(path("file"), O_RDONLY);
    EXPECT_EQ(error_of(::fallocate(reading.get(), 0, 0, 1)), EBADF);
}

TEST_F(Posix, PunchedHole_IsZeroAndTakesNoRoom) {
    const std::string file = make_file("file", std::string(kMegabyte, 'a'));
    const Fd fd = open(file, O_RDWR);
    ASSERT_EQ(::fsync(fd.get()), 0);
    ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, kMegabyte / 2), 0);
    EXPECT_LE(stat_of(file).st_blocks * 512, kMegabyte / 2 + 65536);
    const std::string content = content_of(file);
    ASSERT_EQ(content.size(), static_cast<std::size_t>(kMegabyte));
    EXPECT_EQ(content[65535], 'a');
    EXPECT_EQ(content.substr(65536, kMegabyte / 2), std::string(kMegabyte / 2, '\0'));
    EXPECT_EQ(content[65536 + kMegabyte / 2], 'a');
}

TEST_F(Posix, CopyFileRange_CopiesBetweenFiles) {
    const std::string from = make_file("from", std::string(100000, 'a') + std::string(100000, 'b'));
    const Fd in = open(from, O_RDONLY);
    const Fd out = open(path("to"), O_RDWR | O_CREAT);
    off_t at = 50000;
    std::size_t copied = 0;
    while (copied < 100000) {
        const ssize_t count = ::copy_file_range(in.get(), &at, out.get(), nullptr, 100000 - copied, 0);
        ASSERT_GT(count, 0) << errno;
        copied += static_cast<std::size_t>(count);
    }
    EXPECT_EQ(at, 150000);
    EXPECT_EQ(content_of(path("to")), std::string(50000, 'a') + std::string(50000, 'b'));
}

TEST_F(Posix, VectorsOfBuffers_AreWrittenAndReadInOrder) {
    const Fd fd = open(path("file"), O_RDWR | O_CREAT);
    std::array<std::string, 3> parts{std::string(3, 'a'), std::string(5000, 'b'), std::string(70000, 'c')};
    std::array<iovec, 3> pieces{};
    for (std::size_t i = 0; i < parts.size(); ++i)
        pieces[i] = {.iov_base = parts[i].data(), .iov_len = parts[i].size()};
    ASSERT_EQ(::pwritev(fd.get(), pieces.data(), 3, 10), 75003);
    EXPECT_EQ(content_of(path("file")), std::string(10, '\0') + parts[0] + parts[1] + parts[2]);
    for (std::string& part : parts)
        part.assign(part.size(), 'x');
    ASSERT_EQ(::preadv(fd.get(), pieces.data(), 3, 10), 75003);
    EXPECT_EQ(parts[1], std::string(5000, 'b'));
}

TEST_F(Posix, LongTransfers_ArriveWhole) {
    const Fd fd = open(path("file"), O_RDWR | O_CREAT);
    std::string data(9 * kMegabyte + 777, '\0');
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<char>(i * 31 + i / 4096);
    ASSERT_EQ(::write(fd.get(), data.data(), data.size()), static_cast<ssize_t>(data.size()));
    EXPECT_TRUE(content_of(path("file")) == data);
}

TEST_F(Posix, Read_AtTheEndIsShort) {
    const std::string file = make_file("file", "content");
    const Fd fd = open(file, O_RDONLY);
    char buffer[100];
    EXPECT_EQ(::pread(fd.get(), buffer, sizeof buffer, 4), 3);
    EXPECT_EQ(::pread(fd.get(), buffer, sizeof buffer, 7), 0);
    EXPECT_EQ(::pread(fd.get(), buffer, sizeof buffer, 1000), 0);
    const Fd directory = open(this->directory(), O_RDONLY);
    EXPECT_EQ(error_of(::read(directory.get(), buffer, 1)), EISDIR);
}

TEST_F(Posix, FileSizeLimit_IsKept) {
    const std::string file = make_file("file");
    Process limited([&](int, int) {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
        const int fd = ::open(file.c_str(), O_WRONLY);
        const std::string data(2000, 'a');
        if (::write(fd, data.data(), data.size()) != 1000) return 2;
        return error_of(::write(fd, data.data(), data.size()));
    });
    EXPECT_EQ(limited.finish(), EFBIG);
    EXPECT_EQ(stat_of(file).st_size, 1000);
}

TEST_F(Posix, Flushing_Works) {
    const std::string file = make_file("file", "content");
    const Fd fd = open(file, O_RDWR);
    EXPECT_EQ(::fsync(fd.get()), 0);
    EXPECT_EQ(::fdatasync(fd.get()), 0);
    EXPECT_EQ(::syncfs(fd.get()), 0);
    const Fd directory = open(this->directory(), O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(::fsync(directory.get()), 0);
    EXPECT_EQ(::fdatasync(directory.get()), 0);
    const Fd at_once = open(file, O_WRONLY | O_SYNC);
    EXPECT_EQ(::write(at_once.get(), "C", 1), 1);
    EXPECT_EQ(content_of(file), "Content");
}

}  // namespace
}  // namespace posix
