// A file under random operations, each checked against what memory says the file must hold: reads, writes,
// both through mappings, truncation, allocation, holes, copies within the file, closing and opening.
//   fsx FILE [--seed N] [--operations N] [--seconds N] [--length BYTES] [--beneath FILE]
// At a difference it prints the last operations and the seed, leaves the file, and exits with 1. --beneath
// names the same file where another file system shows it (the host's directory below a mount): it is
// compared, too.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Options {
    std::string path;
    std::string beneath;
    std::uint64_t seed = std::random_device{}();
    std::uint64_t operations = UINT64_MAX;
    std::chrono::seconds time{0};               // 0: as long as there are operations
    std::size_t length = std::size_t{1} << 20;  // the file is never longer
};

// The file is not what it should be, or a call failed that must not.
struct Difference : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Range {
    std::size_t offset = 0;
    std::size_t length = 0;
    std::size_t end() const { return offset + length; }
};

std::string text_of(const Range& range) {
    return std::to_string(range.offset) + " to " + std::to_string(range.end());
}

class Exerciser {
  public:
    explicit Exerciser(const Options& options) : options_(options), random_(options.seed) {
        reopen(O_CREAT | O_TRUNC);
    }
    ~Exerciser() { ::close(fd_); }
    Exerciser(const Exerciser&) = delete;
    Exerciser& operator=(const Exerciser&) = delete;

    void run();
    void print_log() const {
        for (const std::string& line : log_)
            std::printf("  %s\n", line.c_str());
    }
    std::uint64_t done() const { return done_; }

  private:
    struct Operation {
        const char* name;
        unsigned weight;
        bool (Exerciser::*run)();  // false: the file system cannot do it, and is not asked again
    };
    static std::vector<Operation> operations();

    std::size_t number(std::size_t below) { return below == 0 ? 0 : random_() % below; }
    // Within `below`, mostly short; offsets often at page boundaries, where errors live.
    Range range(std::size_t below) {
        std::size_t offset = number(below);
        if (number(4) == 0) offset = offset / 4096 * 4096;
        const std::size_t longest =
            std::min(below - offset, number(8) == 0 ? std::size_t{262144} : std::size_t{20000});
        return {.offset = offset, .length = longest == 0 ? 0 : 1 + number(longest)};
    }
    std::vector<char> fresh_bytes(std::size_t count) {
        std::vector<char> bytes(count);
        const auto stamp = static_cast<char>(1 + number(255));
        for (std::size_t i = 0; i < count; ++i)
            bytes[i] = static_cast<char>(stamp + i % 251);
        return bytes;
    }

    void say(const std::string& what) {
        log_.push_back(std::to_string(done_) + ": " + what);
        if (log_.size() > kKept) log_.pop_front();
    }
    [[noreturn]] static void fail(const std::string& call) {
        throw Difference(call + " failed: " + std::strerror(errno));
    }
    // Whether a call that may be unknown to the file system succeeded. It must not fail otherwise.
    static bool known(bool success, const char* call) {
        if (!success && errno != EOPNOTSUPP && errno != ENOSYS) fail(call);
        return success;
    }

    void grow_to(std::size_t size) {
        if (model_.size() < size) model_.resize(size);
    }
    void put(std::size_t offset, const std::vector<char>& bytes) {
        grow_to(offset + bytes.size());
        std::copy(bytes.begin(), bytes.end(), model_.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    void compare(std::size_t offset, const char* found, std::size_t length, const char* how) const;
    void check_size() const;
    void check_all(int fd, const char* how) const;
    void reopen(int flags = 0);

    bool read();
    bool write();
    bool append();
    bool truncate();
    bool map_read();
    bool map_write();
    bool allocate();
    bool allocate_beyond();
    bool punch();
    bool zero();
    bool copy();
    bool close_and_open();
    bool sync();
    bool seek();
    bool whole();

    static constexpr std::size_t kKept = 60;

    const Options& options_;
    std::mt19937_64 random_;
    int fd_ = -1;
    std::vector<char> model_;
    std::deque<std::string> log_;
    std::uint64_t done_ = 0;
};

std::vector<Exerciser::Operation> Exerciser::operations() {
    return {{"read", 20, &Exerciser::read},
            {"write", 20, &Exerciser::write},
            {"append", 4, &Exerciser::append},
            {"truncate", 6, &Exerciser::truncate},
            {"mapped read", 12, &Exerciser::map_read},
            {"mapped write", 12, &Exerciser::map_write},
            {"fallocate", 3, &Exerciser::allocate},
            {"fallocate that keeps the size", 2, &Exerciser::allocate_beyond},
            {"punch hole", 5, &Exerciser::punch},
            {"zero range", 3, &Exerciser::zero},
            {"copy_file_range", 5, &Exerciser::copy},
            {"close and open", 3, &Exerciser::close_and_open},
            {"sync", 2, &Exerciser::sync},
            {"seek", 3, &Exerciser::seek},
            {"whole file", 1, &Exerciser::whole}};
}

void Exerciser::compare(std::size_t offset, const char* found, std::size_t length, const char* how) const {
    const auto wanted = model_.begin() + static_cast<std::ptrdiff_t>(offset);
    const auto [there, here] = std::mismatch(found, found + length, wanted);
    if (there == found + length) return;
    const auto at = static_cast<std::size_t>(there - found);
    std::size_t wrong = 0;
    for (std::size_t i = at; i < length; ++i)
        wrong += found[i] != wanted[static_cast<std::ptrdiff_t>(i)] ? 1 : 0;
    throw Difference(std::string(how) + ": byte " + std::to_string(offset + at) + " is " +
                     std::to_string(static_cast<unsigned char>(*there)) + " and should be " +
                     std::to_string(static_cast<unsigned char>(*here)) + "; " + std::to_string(wrong) +
                     " bytes differ up to " + std::to_string(offset + length));
}

void Exerciser::check_size() const {
    struct stat found;
    if (::fstat(fd_, &found) != 0) fail("fstat");
    if (static_cast<std::size_t>(found.st_size) != model_.size()) {
        throw Difference("the file has " + std::to_string(found.st_size) + " bytes and should have " +
                         std::to_string(model_.size()));
    }
}

void Exerciser::check_all(int fd, const char* how) const {
    std::vector<char> bytes(model_.size() + 1);
    std::size_t count = 0;
    while (count < bytes.size()) {
        const ssize_t got =
            ::pread(fd, bytes.data() + count, bytes.size() - count, static_cast<off_t>(count));
        if (got < 0) fail("pread");
        if (got == 0) break;
        count += static_cast<std::size_t>(got);
    }
    if (count != model_.size()) {
        throw Difference(std::string(how) + ": " + std::to_string(count) + " bytes could be read, not " +
                         std::to_string(model_.size()));
    }
    compare(0, bytes.data(), count, how);
}

void Exerciser::reopen(int flags) {
    if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) != 0) fail("close");
    fd_ = ::open(options_.path.c_str(), O_RDWR | O_CLOEXEC | flags, 0644);
    if (fd_ < 0) fail("open of " + options_.path);
}

bool Exerciser::read() {
    const Range where = range(model_.size());
    say("read " + text_of(where));
    std::vector<char> bytes(where.length);
    if (::pread(fd_, bytes.data(), where.length, static_cast<off_t>(where.offset)) !=
        static_cast<ssize_t>(where.length)) {
        fail("pread");
    }
    compare(where.offset, bytes.data(), where.length, "read");
    return true;
}

bool Exerciser::write() {
    const Range where = range(options_.length);
    say("write " + text_of(where));
    const std::vector<char> bytes = fresh_bytes(where.length);
    if (::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(where.offset)) !=
        static_cast<ssize_t>(bytes.size())) {
        fail("pwrite");
    }
    if (!bytes.empty()) put(where.offset, bytes);
    return true;
}

bool Exerciser::append() {
    const std::size_t room = options_.length - model_.size();
    const std::vector<char> bytes = fresh_bytes(number(std::min<std::size_t>(room, 10000)));
    say("append " + std::to_string(bytes.size()) + " at " + std::to_string(model_.size()));
    const int fd = ::open(options_.path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) fail("open to append");
    const bool written = ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    ::close(fd);
    if (!written) fail("appending write");
    put(model_.size(), bytes);
    return true;
}

bool Exerciser::truncate() {
    const std::size_t size = number(options_.length);
    say("truncate from " + std::to_string(model_.size()) + " to " + std::to_string(size));
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) fail("ftruncate");
    model_.resize(size);
    return true;
}

bool Exerciser::map_read() {
    const Range where = range(model_.size());
    if (where.length == 0) return true;
    say("mapped read " + text_of(where));
    const std::size_t start = where.offset / 4096 * 4096;
    void* const memory =
        ::mmap(nullptr, where.end() - start, PROT_READ, MAP_SHARED, fd_, static_cast<off_t>(start));
    if (memory == MAP_FAILED) fail("mmap");
    const std::vector<char> bytes(static_cast<char*>(memory) + (where.offset - start),
                                  static_cast<char*>(memory) + (where.end() - start));
    ::munmap(memory, where.end() - start);
    compare(where.offset, bytes.data(), bytes.size(), "mapped read");
    return true;
}

bool Exerciser::map_write() {
    const Range where = range(model_.size());
    if (where.length == 0) return true;
    const std::size_t start = where.offset / 4096 * 4096;
    const bool flush = number(2) == 0;
    say("mapped write " + text_of(where) + (flush ? ", flushed" : ""));
    void* const memory = ::mmap(nullptr, where.end() - start, PROT_READ | PROT_WRITE, MAP_SHARED, fd_,
                                static_cast<off_t>(start));
    if (memory == MAP_FAILED) fail("mmap");
    const std::vector<char> bytes = fresh_bytes(where.length);
    std::copy(bytes.begin(), bytes.end(), static_cast<char*>(memory) + (where.offset - start));
    const bool flushed = !flush || ::msync(memory, where.end() - start, MS_SYNC) == 0;
    ::munmap(memory, where.end() - start);
    if (!flushed) fail("msync");
    put(where.offset, bytes);
    return true;
}

bool Exerciser::allocate() {
    const Range where = range(options_.length);
    if (where.length == 0) return true;
    say("fallocate " + text_of(where));
    if (!known(::fallocate(fd_, 0, static_cast<off_t>(where.offset), static_cast<off_t>(where.length)) == 0,
               "fallocate")) {
        return false;
    }
    grow_to(where.end());
    return true;
}

bool Exerciser::allocate_beyond() {
    const Range where = range(options_.length);
    if (where.length == 0) return true;
    say("fallocate, keeping the size, " + text_of(where));
    return known(::fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(where.offset),
                             static_cast<off_t>(where.length)) == 0,
                 "fallocate that keeps the size");
}

bool Exerciser::punch() {
    const Range where = range(options_.length);
    if (where.length == 0) return true;
    say("punch hole " + text_of(where));
    if (!known(::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(where.offset),
                           static_cast<off_t>(where.length)) == 0,
               "punching a hole")) {
        return false;
    }
    for (std::size_t i = where.offset; i < std::min(where.end(), model_.size()); ++i)
        model_[i] = 0;
    return true;
}

bool Exerciser::zero() {
    const Range where = range(options_.length);
    if (where.length == 0) return true;
    say("zero range " + text_of(where));
    if (!known(::fallocate(fd_, FALLOC_FL_ZERO_RANGE, static_cast<off_t>(where.offset),
                           static_cast<off_t>(where.length)) == 0,
               "zeroing a range")) {
        return false;
    }
    put(where.offset, std::vector<char>(where.length));
    return true;
}

bool Exerciser::copy() {
    const Range from = range(model_.size());
    const std::size_t to = number(options_.length - from.length);
    if (from.length == 0 || (to < from.end() && from.offset < to + from.length))
        return true;  // overlaps: refused
    say("copy " + text_of(from) + " to " + std::to_string(to));
    std::size_t copied = 0;
    while (copied < from.length) {
        off_t in = static_cast<off_t>(from.offset + copied);
        off_t out = static_cast<off_t>(to + copied);
        const ssize_t count = ::copy_file_range(fd_, &in, fd_, &out, from.length - copied, 0);
        if (!known(count >= 0, "copy_file_range")) return false;
        if (count == 0) throw Difference("copy_file_range ended early");
        const auto source = model_.begin() + static_cast<std::ptrdiff_t>(from.offset + copied);
        const std::vector<char> bytes(source, source + count);
        put(to + copied, bytes);
        copied += static_cast<std::size_t>(count);
    }
    return true;
}

bool Exerciser::close_and_open() {
    say("close and open");
    reopen();
    check_size();
    return true;
}

bool Exerciser::sync() {
    const bool data_only = number(2) == 0;
    say(data_only ? "fdatasync" : "fsync");
    if ((data_only ? ::fdatasync(fd_) : ::fsync(fd_)) != 0) fail("sync");
    return true;
}

// A hole holds zeros, and the file ends in a hole.
bool Exerciser::seek() {
    const std::size_t from = number(model_.size());
    say("fsync, and seek from " + std::to_string(from));
    if (model_.empty()) return true;
    // FUSE asks the host, which knows nothing of what is still in this machine's cache.
    if (::fsync(fd_) != 0) fail("fsync");
    const off_t data = ::lseek(fd_, static_cast<off_t>(from), SEEK_DATA);
    if (data < 0 && errno != ENXIO) fail("lseek to data");
    const std::size_t end = data < 0 ? model_.size() : static_cast<std::size_t>(data);
    if (end > model_.size()) throw Difference("there are said to be data beyond the end");
    for (std::size_t i = from; i < end; ++i) {
        if (model_[i] != 0) throw Difference("byte " + std::to_string(i) + " is said to lie in a hole");
    }
    const off_t hole = ::lseek(fd_, static_cast<off_t>(from), SEEK_HOLE);
    if (hole < 0) fail("lseek to a hole");
    if (static_cast<std::size_t>(hole) > model_.size()) throw Difference("a hole begins beyond the end");
    return true;
}

bool Exerciser::whole() {
    say("the whole file");
    check_size();
    check_all(fd_, "the whole file");
    if (options_.beneath.empty()) return true;
    if (::fsync(fd_) != 0) fail("fsync");  // mapped writes stay in the cache until then
    const int fd = ::open(options_.beneath.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("open of " + options_.beneath);
    try {
        check_all(fd, "the file beneath");
    } catch (...) {
        ::close(fd);
        throw;
    }
    ::close(fd);
    return true;
}

void Exerciser::run() {
    std::vector<Operation> choice = operations();
    const auto end = std::chrono::steady_clock::now() + options_.time;
    for (; done_ < options_.operations; ++done_) {
        if (options_.time.count() != 0 && done_ % 16 == 0 && std::chrono::steady_clock::now() > end) break;
        std::size_t sum = 0;
        for (const Operation& operation : choice)
            sum += operation.weight;
        std::size_t ticket = number(sum);
        auto chosen = choice.begin();
        while (ticket >= chosen->weight)
            ticket -= (chosen++)->weight;
        if ((this->*chosen->run)()) {
            check_size();
        } else {
            std::printf("fsx: the file system has no %s\n", chosen->name);
            choice.erase(chosen);
        }
    }
    whole();
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (!word.starts_with("--")) {
            if (!options.path.empty()) return false;
            options.path = word;
            continue;
        }
        if (++i == argc) return false;
        const std::uint64_t number = std::strtoull(argv[i], nullptr, 10);
        if (word == "--seed") {
            options.seed = number;
        } else if (word == "--operations") {
            options.operations = number;
        } else if (word == "--seconds") {
            options.time = std::chrono::seconds(number);
        } else if (word == "--length") {
            options.length = std::max<std::size_t>(number, 8192);
        } else if (word == "--beneath") {
            options.beneath = argv[i];
        } else {
            return false;
        }
    }
    return !options.path.empty() && (options.operations != UINT64_MAX || options.time.count() != 0);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(
            stderr,
            "usage: fsx FILE [--seed N] [--operations N] [--seconds N] [--length BYTES] [--beneath FILE]\n"
            "  with --operations or --seconds\n");
        return 2;
    }
    std::printf("fsx: seed %llu\n", static_cast<unsigned long long>(options.seed));
    std::fflush(stdout);
    try {
        Exerciser exerciser(options);
        try {
            exerciser.run();
        } catch (const Difference& difference) {
            std::printf("The last operations:\n");
            exerciser.print_log();
            std::printf("fsx: %s: %s\nfsx: again with --seed %llu\n", options.path.c_str(), difference.what(),
                        static_cast<unsigned long long>(options.seed));
            return 1;
        }
        std::printf("fsx: %llu operations, no difference\n",
                    static_cast<unsigned long long>(exerciser.done()));
    } catch (const Difference& difference) {
        std::printf("fsx: %s\n", difference.what());
        return 1;
    }
    ::unlink(options.path.c_str());
    return 0;
}
