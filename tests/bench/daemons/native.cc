#include "tests/bench/daemons/native.h"

#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

#include "tests/bench/daemons/fuse_driver.h"
#include "tests/bench/rows.h"
#include "vhost_user/fd.h"

namespace bench {
namespace {

using vhost_user::Fd;

std::shared_ptr<Fd> open_or_fail(const std::string& path, int flags) {
    auto fd = std::make_shared<Fd>(::open(path.c_str(), flags | O_CLOEXEC, 0644));
    if (!*fd) throw Failure("cannot open " + path + ": " + std::strerror(errno));
    return fd;
}

void write_file(const std::string& path, std::size_t bytes) {
    std::error_code error;
    if (std::filesystem::file_size(path, error) == bytes && !error) return;
    const auto fd = open_or_fail(path, O_CREAT | O_TRUNC | O_WRONLY);
    const std::vector<char> piece(std::min(bytes, kMegabyte), 'x');
    for (std::size_t at = 0; at < bytes; at += piece.size()) {
        if (::write(fd->get(), piece.data(), piece.size()) != static_cast<ssize_t>(piece.size())) {
            throw Failure("cannot write " + path + ": " + std::strerror(errno));
        }
    }
    if (::fsync(fd->get()) != 0) throw Failure("cannot flush " + path);
}

void check(bool success, const char* what) {
    if (!success) throw Failure(std::string(what) + " failed: " + std::strerror(errno));
}

// Runs an operation so many times under the clock.
template <typename Operation>
std::function<Taken(std::size_t)> timed(Operation operation) {
    return [operation](std::size_t operations) mutable {
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < operations; ++i)
            operation();
        return Taken{.seconds =
                         std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
    };
}

struct Aligned {
    explicit Aligned(std::size_t bytes) : data(static_cast<std::byte*>(std::aligned_alloc(4096, bytes))) {
        if (data == nullptr) throw Failure("out of memory");
        std::memset(data, 0, bytes);
    }
    ~Aligned() { std::free(data); }
    Aligned(const Aligned&) = delete;
    Aligned& operator=(const Aligned&) = delete;
    std::byte* data;
};

std::size_t list(const std::string& path) {
    DIR* const directory = ::opendir(path.c_str());
    check(directory != nullptr, "opendir");
    std::size_t entries = 0;
    while (const dirent* const entry = ::readdir(directory)) {
        struct stat found;
        check(::fstatat(::dirfd(directory), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0, "fstatat");
        ++entries;
    }
    ::closedir(directory);
    return entries;
}

// Reads of a page each, so many in flight.
class DirectReads {
  public:
    DirectReads(const std::string& path, unsigned in_flight)
        : fd_(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC)),
          in_flight_(in_flight),
          memory_(in_flight * kPageBytes),
          pages_(in_flight, kDiskFileBytes / kPageBytes) {
        check(static_cast<bool>(fd_), "open with O_DIRECT");
        if (const int error = ::io_uring_queue_init(in_flight, &ring_, 0); error != 0) {
            throw Failure(std::string("no io_uring: ") + std::strerror(-error));
        }
    }
    ~DirectReads() { ::io_uring_queue_exit(&ring_); }
    DirectReads(const DirectReads&) = delete;
    DirectReads& operator=(const DirectReads&) = delete;

    Taken run(std::size_t operations) {
        const auto start = std::chrono::steady_clock::now();
        std::size_t begun = 0;
        for (; begun < std::min<std::size_t>(in_flight_, operations); ++begun)
            begin(begun);
        for (std::size_t done = 0; done < operations;) {
            check(::io_uring_submit_and_wait(&ring_, 1) >= 0, "io_uring");
            io_uring_cqe* entry = nullptr;
            while (::io_uring_peek_cqe(&ring_, &entry) == 0) {
                const std::uint64_t slot = entry->user_data;
                if (entry->res != static_cast<int>(kPageBytes)) throw Failure("a read on disk failed");
                ::io_uring_cqe_seen(&ring_, entry);
                ++done;
                if (begun == operations) continue;
                ++begun;
                begin(slot);
            }
        }
        return {.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
    }

  private:
    void begin(std::uint64_t slot) {
        io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
        ::io_uring_prep_read(entry, fd_.get(), memory_.data + slot * kPageBytes, kPageBytes,
                             pages_.next_offset());
        ::io_uring_sqe_set_data64(entry, slot);
    }

    Fd fd_;
    unsigned in_flight_;
    Aligned memory_;
    RandomPages pages_;
    io_uring ring_{};
};

}  // namespace

void prepare_memory(const std::string& directory) {
    for (std::size_t i = 0; i < kSmallFiles; ++i)
        write_file(directory + "/" + small_file(i), kPageBytes);
    write_file(directory + "/" + kDataFile, kDataFileBytes);
    const std::string many = directory + "/" + kFilesDirectory;
    std::filesystem::create_directory(many);
    for (std::size_t i = 0; i < kEntries; ++i)
        static_cast<void>(open_or_fail(many + "/file " + std::to_string(i) + ".txt", O_CREAT | O_WRONLY));
}

void prepare_disk(const std::string& directory) {
    write_file(directory + "/" + kDataFile, kDiskFileBytes);
}

Runs native_memory_rows(const std::string& directory) {
    const auto root = open_or_fail(directory, O_RDONLY | O_DIRECTORY);
    const auto data = open_or_fail(directory + "/" + kDataFile, O_RDWR);
    const auto buffer = std::make_shared<Aligned>(kMegabyte);
    const auto next = std::make_shared<std::uint64_t>(0);
    const auto next_megabyte = [next] {
        return static_cast<off_t>((*next)++ % (kDataFileBytes / kMegabyte) * kMegabyte);
    };

    const auto get_attr = timed([data] {
        struct stat found;
        check(::fstat(data->get(), &found) == 0, "fstat");
    });
    const auto look_up = timed([root, name = small_file(0)] {
        struct stat found;
        check(::fstatat(root->get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0, "fstatat");
    });
    const auto read = timed([=, pages = RandomPages(1, kDataFileBytes / kPageBytes)]() mutable {
        check(::pread(data->get(), buffer->data, kPageBytes, static_cast<off_t>(pages.next_offset())) ==
                  static_cast<ssize_t>(kPageBytes),
              "pread");
    });
    const auto long_read = timed([=] {
        check(
            ::pread(data->get(), buffer->data, kMegabyte, next_megabyte()) == static_cast<ssize_t>(kMegabyte),
            "pread");
    });
    const auto long_write = timed([=] {
        check(::pwrite(data->get(), buffer->data, kMegabyte, next_megabyte()) ==
                  static_cast<ssize_t>(kMegabyte),
              "pwrite");
    });
    const auto create = timed([=] {
        const int fd = ::openat(root->get(), "made", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        check(fd >= 0, "openat");
        check(::pwrite(fd, buffer->data, kPageBytes, 0) == static_cast<ssize_t>(kPageBytes), "pwrite");
        check(::close(fd) == 0 && ::unlinkat(root->get(), "made", 0) == 0, "close and unlink");
    });
    const auto read_directory = [once = timed([path = directory + "/" + kFilesDirectory] {
                                     if (list(path) != kEntries + 2)
                                         throw Failure("readdir: not all entries");
                                 })](std::size_t operations) {
        return once((operations + kEntries - 1) / kEntries);
    };
    return {{kGetAttr1, get_attr},
            {kGetAttr16, get_attr},
            {kLookup1, look_up},
            {kLookup16, look_up},
            {kRead1, read},
            {kRead16, read},
            {kLongRead, long_read},
            {kLongWrite, long_write},
            {kCreate1, create},
            {kCreate8, create},
            {kReadDirPlusKnown, read_directory},
            {kReadDirPlus, read_directory},
            {kReadDirPlusForget, read_directory}};
}

Runs native_disk_rows(const std::string& directory) {
    const std::string path = directory + "/" + kDataFile;
    const auto one = std::make_shared<DirectReads>(path, 1);
    const auto sixteen = std::make_shared<DirectReads>(path, 16);
    return {{kDirect1, [one](std::size_t operations) { return one->run(operations); }},
            {kDirect16, [sixteen](std::size_t operations) { return sixteen->run(operations); }}};
}

}  // namespace bench
