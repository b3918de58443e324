// hotplug.exe DRIVE: keeps files open, reads, lists and creates in loops while its device or the daemon
// behind it goes and comes back, and checks what the calls come to. Prints "do: ORDERS" (separated by ", ")
// for whoever runs it to carry out and to confirm with a line on standard input; "ok: ..." and "FAIL: ..."
// for each check.
#include <windows.h>
#include <winternl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nt/status.h"
#include "nt/status_text.h"
#include "tests/behaviour/ntdll.h"

namespace {

using namespace std::chrono_literals;
using nt::Status;

constexpr auto kPatience = 60s;

int failures = 0;

void check(bool good, const std::string& what) {
    std::printf("%s: %s\n", good ? "ok" : "FAIL", what.c_str());
    std::fflush(stdout);
    if (!good) ++failures;
}

void ask(const std::string& orders) {
    std::printf("do: %s\n", orders.c_str());
    std::fflush(stdout);
    char line[16];
    if (std::fgets(line, sizeof line, stdin) == nullptr) {
        std::printf("FAIL: nobody carries out '%s'\n", orders.c_str());
        std::exit(1);
    }
}

// Until it holds; looked at now and then.
bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(20ms);
    }
    return true;
}

class File {
  public:
    File() = default;
    File(const std::wstring& path, ULONG access, ULONG disposition, ULONG options) {
        std::wstring name = L"\\??\\" + path;
        UNICODE_STRING text{};
        text.Length = text.MaximumLength = static_cast<USHORT>(name.size() * 2);
        text.Buffer = name.data();
        OBJECT_ATTRIBUTES attributes{};
        attributes.Length = sizeof attributes;
        attributes.ObjectName = &text;
        IO_STATUS_BLOCK io{};
        status_ = static_cast<Status>(
            NtCreateFile(&handle_, access | SYNCHRONIZE, &attributes, &io, nullptr, FILE_ATTRIBUTE_NORMAL,
                         FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, disposition,
                         options | FILE_SYNCHRONOUS_IO_NONALERT, nullptr, 0));
        if (nt::is_error(status_)) handle_ = nullptr;
    }
    ~File() { close(); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    Status status() const { return status_; }
    Status read(std::uint64_t at, std::size_t bytes) {
        buffer_.resize(bytes);
        IO_STATUS_BLOCK io{};
        LARGE_INTEGER offset;
        offset.QuadPart = static_cast<LONGLONG>(at);
        return static_cast<Status>(NtReadFile(handle_, nullptr, nullptr, nullptr, &io, buffer_.data(),
                                              static_cast<ULONG>(bytes), &offset, nullptr));
    }
    Status write(const std::string& text) {
        IO_STATUS_BLOCK io{};
        LARGE_INTEGER offset{};
        return static_cast<Status>(NtWriteFile(handle_, nullptr, nullptr, nullptr, &io,
                                               const_cast<char*>(text.data()),
                                               static_cast<ULONG>(text.size()), &offset, nullptr));
    }
    Status list() {
        buffer_.resize(4096);
        constexpr auto kNames = static_cast<FILE_INFORMATION_CLASS>(12);
        IO_STATUS_BLOCK io{};
        return static_cast<Status>(NtQueryDirectoryFile(handle_, nullptr, nullptr, nullptr, &io,
                                                        buffer_.data(), 4096, kNames, FALSE, nullptr, TRUE));
    }
    Status close() {
        if (handle_ == nullptr) return Status::kSuccess;
        return static_cast<Status>(NtClose(std::exchange(handle_, nullptr)));
    }

  private:
    HANDLE handle_ = nullptr;
    Status status_ = Status::kSuccess;
    std::vector<char> buffer_;
};

// A thread that repeats a call until that fails.
class Loop {
  public:
    Loop(std::string name, std::function<Status(unsigned)> call) : name_(std::move(name)) {
        thread_ = std::thread([this, call = std::move(call)] {
            for (unsigned round = 0;; ++round) {
                const Status status = call(round);
                rounds_ = round + 1;
                if (!nt::is_error(status)) continue;
                outcome_ = status;
                return;
            }
        });
    }
    ~Loop() { thread_.join(); }

    const std::string& name() const { return name_; }
    unsigned rounds() const { return rounds_; }
    Status outcome() const { return outcome_; }  // kSuccess: still at it

  private:
    const std::string name_;
    std::atomic<unsigned> rounds_ = 0;
    std::atomic<Status> outcome_ = Status::kSuccess;
    std::thread thread_;
};

// What NT gives for a volume whose device went: to calls on open files, and to opens.
const std::set<Status> kGone{Status::kDeviceRemoved, Status::kVolumeDismounted, Status::kCancelled};
const std::set<Status> kCannotOpen{Status::kDeviceRemoved,      Status::kVolumeDismounted,
                                   Status::kCancelled,          Status::kObjectPathNotFound,
                                   Status::kObjectNameNotFound, Status::kNoSuchDevice,
                                   Status::kObjectPathInvalid};

class Drive {
  public:
    explicit Drive(std::wstring drive) : drive_(std::move(drive)) {}

    std::wstring path(const std::wstring& name) const { return drive_ + L"\\" + name; }
    bool is_there() const {
        return File(path(L"data.bin"), FILE_READ_ATTRIBUTES, FILE_OPEN, 0).status() == Status::kSuccess;
    }

    // One loss: `losing` makes the device or the daemon go (or hang first), `returning` brings it back.
    void go_through(const std::string& name, const std::vector<std::string>& losing,
                    const std::string& returning) {
        std::printf("-- %s\n", name.c_str());
        File reading(path(L"data.bin"), FILE_READ_DATA, FILE_OPEN, 0);
        File writing(path(L"written.txt"), FILE_WRITE_DATA | FILE_READ_DATA, FILE_OPEN_IF, 0);
        File directory(path(L"folder"), FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE);
        check(reading.status() == Status::kSuccess && writing.status() == Status::kSuccess &&
                  directory.status() == Status::kSuccess,
              "files open before");
        {
            std::array<std::unique_ptr<Loop>, 4> loops{
                std::make_unique<Loop>(
                    "reads",
                    [this, file = std::make_shared<File>(path(L"data.bin"), FILE_READ_DATA, FILE_OPEN, 0)](
                        unsigned round) { return file->read(round % 16 * 65536, 65536); }),
                std::make_unique<Loop>(
                    "writes", [this, file = std::make_shared<File>(path(L"looped.txt"), FILE_WRITE_DATA,
                                                                   FILE_OPEN_IF, 0)](
                                  unsigned round) { return file->write("round " + std::to_string(round)); }),
                std::make_unique<Loop>(
                    "listings", [this, folder = std::make_shared<File>(path(L"folder"), FILE_LIST_DIRECTORY,
                                                                       FILE_OPEN, FILE_DIRECTORY_FILE)](
                                    unsigned) { return folder->list(); }),
                std::make_unique<Loop>("creations", [this](unsigned round) {
                    return File(path(L"made" + std::to_wstring(round % 8)), FILE_WRITE_DATA | DELETE,
                                FILE_OVERWRITE_IF, FILE_DELETE_ON_CLOSE)
                        .status();
                })};
            check(eventually(
                      [&] { return std::ranges::all_of(loops, [](auto& l) { return l->rounds() > 2; }); }),
                  "all loops run");
            for (const std::string& orders : losing)
                ask(orders);
            check(eventually([&] {
                      return std::ranges::all_of(loops,
                                                 [](auto& l) { return l->outcome() != Status::kSuccess; });
                  }),
                  "no loop hangs");
            for (auto& loop : loops) {
                if (loop->outcome() == Status::kSuccess) std::_Exit(1);  // it cannot be joined
                const auto& expected = loop->name() == "creations" ? kCannotOpen : kGone;
                check(expected.contains(loop->outcome()),
                      loop->name() + " end with " + nt::hex(loop->outcome()));
            }
        }
        check(eventually([this] { return !is_there(); }), "the drive goes");
        check(kGone.contains(reading.read(0, 10)),
              "a file that stays open: read " + nt::hex(reading.read(0, 10)));
        check(kGone.contains(writing.write("x")),
              "a file that stays open: write " + nt::hex(writing.write("x")));
        check(kGone.contains(directory.list()), "a folder that stays open: " + nt::hex(directory.list()));
        ask(returning);
        check(eventually([this] { return is_there(); }), "the drive returns");
        check(kGone.contains(reading.read(0, 10)),
              "the old handle stays dead: " + nt::hex(reading.read(0, 10)));
        File again(path(L"data.bin"), FILE_READ_DATA, FILE_OPEN, 0);
        check(again.read(65536, 65536) == Status::kSuccess, "a new one reads");
        check(reading.close() == Status::kSuccess && writing.close() == Status::kSuccess &&
                  directory.close() == Status::kSuccess,
              "the old ones close");
    }

  private:
    const std::wstring drive_;
};

}  // namespace

int wmain(int argc, wchar_t** argv) {
    if (argc != 2) return 2;
    Drive drive(argv[1]);
    drive.go_through("removal", {"device remove"}, "device add");
    drive.go_through("pulling out", {"device pull-out"}, "device add");
    drive.go_through("the daemon's death", {"daemon kill"}, "daemon start");
    drive.go_through("removal while the daemon hangs", {"daemon stop", "device remove"},
                     "daemon continue, device add");
    drive.go_through("pulling out while the daemon hangs", {"daemon stop", "device pull-out"},
                     "daemon continue, device add");
    drive.go_through("death of a daemon that hangs", {"daemon stop", "daemon kill"}, "daemon start");
    std::printf("%d failed\n", failures);
    return failures == 0 ? 0 : 1;
}
