// The Windows program of the benchmark: times file operations on a drive with plain Win32 calls and prints a
// line for each of rows.h, the median of repetitions. Usage:
//   bench.exe DIRECTORY [SCALE]
// DIRECTORY holds the data file and the directory for many files; with SCALE everything is that many times
// less.
#include <windows.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/rows.h"

namespace {

constexpr int kRepetitions = 3;
constexpr std::size_t kRandomReadsEach = 4000;

void check(bool success, const char* what) {
    if (!success)
        throw std::runtime_error(std::string(what) + ": Windows error " + std::to_string(GetLastError()));
}

class Handle {
  public:
    Handle(const std::wstring& path, DWORD access, DWORD disposition)
        : handle_(CreateFileW(path.c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, disposition,
                              FILE_ATTRIBUTE_NORMAL, nullptr)) {
        check(handle_ != INVALID_HANDLE_VALUE, "CreateFile");
    }
    ~Handle() { CloseHandle(handle_); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    void read(std::vector<char>& buffer, std::uint64_t offset) const {
        OVERLAPPED at = position(offset);
        DWORD done = 0;
        check(ReadFile(handle_, buffer.data(), static_cast<DWORD>(buffer.size()), &done, &at) != 0,
              "ReadFile");
        check(done == buffer.size(), "ReadFile: less than asked for");
    }
    void write(const std::vector<char>& buffer, std::uint64_t offset) const {
        OVERLAPPED at = position(offset);
        DWORD done = 0;
        check(WriteFile(handle_, buffer.data(), static_cast<DWORD>(buffer.size()), &done, &at) != 0,
              "WriteFile");
        check(done == buffer.size(), "WriteFile: less than asked for");
    }

  private:
    static OVERLAPPED position(std::uint64_t offset) {
        OVERLAPPED at{};
        at.Offset = static_cast<DWORD>(offset);
        at.OffsetHigh = static_cast<DWORD>(offset >> 32);
        return at;
    }
    HANDLE handle_;
};

double microseconds_of(const std::function<void()>& work) {
    LARGE_INTEGER frequency, begin, end;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&begin);
    work();
    QueryPerformanceCounter(&end);
    return static_cast<double>(end.QuadPart - begin.QuadPart) * 1e6 / static_cast<double>(frequency.QuadPart);
}

class Bench {
  public:
    Bench(std::wstring directory, std::size_t scale)
        : data_(directory + L"\\" + wide(bench::kDataFile)),
          files_(directory + L"\\" + wide(bench::kFilesDirectory)),
          scale_(scale) {}

    void run() {
        const std::size_t megabytes = bench::kDataBytes / bench::kMegabyte / scale_;
        std::vector<char> buffer(bench::kMegabyte, 'x');
        const Handle data(data_, GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
        measure(bench::kSequentialRead, megabytes, [&] {
            for (std::size_t i = 0; i < megabytes; ++i)
                data.read(buffer, i * bench::kMegabyte);
        });
        measure(bench::kSequentialWrite, megabytes, [&] {
            for (std::size_t i = 0; i < megabytes; ++i)
                data.write(buffer, i * bench::kMegabyte);
        });
        const std::size_t reads = kRandomReadsEach / scale_ / bench::kInFlight * bench::kInFlight;
        measure(bench::kRandomRead, reads, [&] { read_randomly(1, reads); });
        measure(bench::kRandomReads, reads, [&] { read_randomly(bench::kInFlight, reads); });

        for (int i = 0; i < kRepetitions; ++i) {
            once(bench::kCreate, [](const std::wstring& path) { Handle(path, GENERIC_WRITE, CREATE_NEW); });
            once(bench::kOpen, [](const std::wstring& path) { Handle(path, GENERIC_READ, OPEN_EXISTING); });
            once(bench::kAttributes, [](const std::wstring& path) {
                WIN32_FILE_ATTRIBUTE_DATA attributes;
                check(GetFileAttributesExW(path.c_str(), GetFileExInfoStandard, &attributes) != 0,
                      "GetFileAttributesEx");
            });
            times_[bench_index(bench::kList)].push_back(microseconds_of([&] { list(); }) / files());
            once(bench::kDelete,
                 [](const std::wstring& path) { check(DeleteFileW(path.c_str()) != 0, "DeleteFile"); });
        }
        for (const char* const row : kFileRows)
            print(row, times_[bench_index(row)]);
    }

  private:
    static constexpr const char* kFileRows[] = {bench::kCreate, bench::kOpen, bench::kAttributes,
                                                bench::kList, bench::kDelete};

    static std::wstring wide(const char* text) {
        return std::wstring(text, text + std::char_traits<char>::length(text));
    }
    static std::size_t bench_index(const char* row) {
        return static_cast<std::size_t>(std::find(std::begin(kFileRows), std::end(kFileRows), row) -
                                        std::begin(kFileRows));
    }
    double files() const { return static_cast<double>(bench::kFiles / scale_); }

    static void print(const char* row, std::vector<double> times) {
        std::sort(times.begin(), times.end());
        std::printf("%s%.2f: %s\n", bench::kFigurePrefix, times[times.size() / 2], row);
        std::fflush(stdout);
    }

    static void measure(const char* row, std::size_t operations, const std::function<void()>& work) {
        std::vector<double> times;
        for (int i = 0; i < kRepetitions; ++i)
            times.push_back(microseconds_of(work) / static_cast<double>(operations));
        print(row, std::move(times));
    }

    void once(const char* row, const std::function<void(const std::wstring&)>& each) {
        times_[bench_index(row)].push_back(microseconds_of([&] {
                                               for (std::size_t i = 0; i < bench::kFiles / scale_; ++i)
                                                   each(files_ + L"\\file " + std::to_wstring(i) + L".txt");
                                           }) /
                                           files());
    }

    void list() const {
        WIN32_FIND_DATAW entry;
        const HANDLE search = FindFirstFileW((files_ + L"\\*").c_str(), &entry);
        check(search != INVALID_HANDLE_VALUE, "FindFirstFile");
        std::size_t found = 0;
        do {
            ++found;
        } while (FindNextFileW(search, &entry));
        FindClose(search);
        if (found != bench::kFiles / scale_ + 2) throw std::runtime_error("the listing is not complete");
    }

    // On so many threads, each with a handle of its own.
    void read_randomly(int threads, std::size_t reads) const {
        std::atomic<bool> failed = false;
        const auto work = [&](int number) {
            try {
                const Handle data(data_, GENERIC_READ, OPEN_EXISTING);
                std::vector<char> page(bench::kPageBytes);
                bench::RandomPages pages(static_cast<std::uint64_t>(number),
                                         bench::kDataBytes / scale_ / bench::kPageBytes);
                for (std::size_t i = 0; i < reads / static_cast<std::size_t>(threads); ++i)
                    data.read(page, pages.next_offset());
            } catch (const std::runtime_error& error) {
                std::fprintf(stderr, "bench: %s\n", error.what());
                failed = true;
            }
        };
        std::vector<std::thread> all;
        for (int i = 1; i < threads; ++i)
            all.emplace_back(work, i);
        work(0);
        for (std::thread& thread : all)
            thread.join();
        if (failed) throw std::runtime_error("random reads failed");
    }

    const std::wstring data_;
    const std::wstring files_;
    const std::size_t scale_;
    std::vector<double> times_[std::size(kFileRows)];
};

}  // namespace

int wmain(int argc, wchar_t** argv) {
    const std::size_t scale = argc == 3 ? std::wcstoul(argv[2], nullptr, 10) : 1;
    if (argc < 2 || argc > 3 || scale == 0 || scale > 100) {
        std::fprintf(stderr, "usage: bench.exe DIRECTORY [SCALE, 1 to 100]\n");
        return 2;
    }
    try {
        Bench(argv[1], scale).run();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench: %s\n", error.what());
        return 1;
    }
}
