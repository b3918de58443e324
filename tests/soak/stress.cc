// One of several processes that work in the same directories at once. Each has names of its own there, whose
// files and subtree it compares with a model after every step; beside them all fight over a few common names,
// where only the possible outcomes are known. Ends at the first difference with exit code 1.
// Usage: soak_stress.exe DRIVE:\ NUMBER SECONDS
#include <windows.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/support/win32_file.h"

namespace {

using namespace tests;

const wchar_t* const kShared[] = {L"left", L"right", L"left\\deep", L"right\\deep"};
constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

bool exists(const std::wstring& path) {
    return GetFileAttributesW(path.c_str()) != INVALID_FILE_ATTRIBUTES;
}

// A call on a common name: success or one of these errors, as the others may have been there first.
void allow(BOOL success, std::initializer_list<DWORD> errors, const char* call, const std::wstring& on) {
    if (success) return;
    const DWORD error = GetLastError();
    if (std::ranges::find(errors, error) == errors.end()) {
        SetLastError(error);
        fail_with_last_error(call, on);
    }
}

class Worker {
  public:
    Worker(std::wstring drive, unsigned number)
        : drive_(std::move(drive)), random_(number + 1), suffix_(std::to_wstring(number)) {
        for (const wchar_t* directory : kShared)
            allow(CreateDirectoryW((drive_ + directory).c_str(), nullptr), {ERROR_ALREADY_EXISTS},
                  "CreateDirectory", directory);
    }

    void step() {
        switch (pick(10)) {
            case 0:
            case 1:
                return write_new();
            case 2:
                return change();
            case 3:
                return append();
            case 4:
                return rename_own();
            case 5:
                return remove_own();
            case 6:
                return move_subtree();
            case 7:
                return list_shared();
            case 8:
                return fight();
            default:
                return check_some();
        }
    }

    void check_all() const {
        for (const auto& [path, content] : files_)
            check_content(path, content);
    }

    // As a run of its own would leave it.
    void clean_up() {
        for (const auto& [path, content] : files_)
            check(DeleteFileW(path.c_str()), "DeleteFile", path);
        if (!subtree_.empty()) check(RemoveDirectoryW(subtree_.c_str()), "RemoveDirectory", subtree_);
    }

  private:
    std::size_t pick(std::size_t below) { return random_() % below; }
    std::wstring shared() { return drive_ + kShared[pick(std::size(kShared))]; }
    std::wstring own_path() {
        const std::wstring directory = pick(4) == 0 && !subtree_.empty() ? subtree_ : shared();
        return directory + L"\\own" + suffix_ + L"_" + static_cast<wchar_t>(L'a' + pick(5));
    }
    std::string some_data() {
        return std::string(pick(3) == 0 ? pick(300'000) : pick(9'000), static_cast<char>('a' + pick(26)));
    }
    // An own file that exists, or null.
    const std::wstring* existing() {
        if (files_.empty()) return nullptr;
        auto place = files_.begin();
        std::advance(place, static_cast<std::ptrdiff_t>(pick(files_.size())));
        return &place->first;
    }

    static void check_content(const std::wstring& path, const std::string& content) {
        const Handle file(path, GENERIC_READ, kShareAll, OPEN_EXISTING);
        std::vector<char> bytes(content.size() + 10);
        const std::size_t got = file.read(bytes);
        if (got != content.size() || !std::equal(content.begin(), content.end(), bytes.begin()))
            fail(utf8(path) + " does not have the content that was written");
    }

    void write_new() {
        const std::wstring path = own_path();
        if (exists(path) != files_.contains(path)) fail(utf8(path) + ": wrong about its existence");
        const std::string data = some_data();
        const DWORD disposition = files_.contains(path) ? TRUNCATE_EXISTING : CREATE_NEW;
        const Handle file(path, GENERIC_READ | GENERIC_WRITE, kShareAll, disposition);
        if (!data.empty()) file.write(data);
        files_[path] = data;
    }
    // Writes somewhere, beyond the end perhaps, or cuts.
    void change() {
        const std::wstring* path = existing();
        if (path == nullptr) return;
        std::string& model = files_[*path];
        const Handle file(*path, GENERIC_READ | GENERIC_WRITE, kShareAll, OPEN_EXISTING);
        const std::size_t at = pick(model.size() + 5'000);
        file.seek(static_cast<std::int64_t>(at), FILE_BEGIN);
        if (pick(2) == 0) {
            file.cut_here();
            model.resize(at);
            return;
        }
        const std::string data = some_data();
        if (data.empty()) return;
        file.write(data);
        model.resize(std::max(model.size(), at + data.size()));
        model.replace(at, data.size(), data);
    }
    void append() {
        const std::wstring* path = existing();
        const std::string data = some_data();
        if (path == nullptr || data.empty()) return;
        Handle(*path, FILE_APPEND_DATA, kShareAll, OPEN_EXISTING).write(data);
        files_[*path] += data;
    }
    void rename_own() {
        const std::wstring* from = existing();
        if (from == nullptr) return;
        const std::wstring old_path = *from;
        const std::wstring new_path = own_path();
        if (old_path == new_path) return;
        const DWORD flags = pick(2) == 0 ? MOVEFILE_REPLACE_EXISTING : 0;
        const bool refused = flags == 0 && files_.contains(new_path);
        const BOOL done = MoveFileExW(old_path.c_str(), new_path.c_str(), flags);
        if (refused) {
            if (done || GetLastError() != ERROR_ALREADY_EXISTS)
                fail("a rename onto " + utf8(new_path) + " was not refused as it should be");
            return;
        }
        check(done, "MoveFileEx", old_path + L" -> " + new_path);
        files_[new_path] = std::move(files_[old_path]);
        files_.erase(old_path);
    }
    void remove_own() {
        const std::wstring* path = existing();
        if (path == nullptr) return;
        check(DeleteFileW(path->c_str()), "DeleteFile", *path);
        if (exists(*path)) fail(utf8(*path) + " is still there after it was deleted");
        files_.erase(*path);
    }
    // Moves a directory with everything in it from one shared directory to another.
    void move_subtree() {
        const std::wstring target = shared() + L"\\tree" + suffix_;
        if (subtree_.empty()) {
            check(CreateDirectoryW(target.c_str(), nullptr), "CreateDirectory", target);
            subtree_ = target;
            return;
        }
        if (target == subtree_) return;
        check(MoveFileExW(subtree_.c_str(), target.c_str(), 0), "MoveFileEx", subtree_ + L" -> " + target);
        std::map<std::wstring, std::string> moved;
        for (auto& [path, content] : files_) {
            const bool inside = path.starts_with(subtree_ + L"\\");
            moved[inside ? target + path.substr(subtree_.size()) : path] = std::move(content);
        }
        files_ = std::move(moved);
        subtree_ = target;
    }
    void list_shared() {
        const std::wstring directory = shared() + L"\\";
        const std::wstring mine = L"own" + suffix_ + L"_";
        std::map<std::wstring, std::uint64_t> seen;
        for_each_entry(directory, [&](const WIN32_FIND_DATAW& entry) {
            const std::wstring name = entry.cFileName;
            if (name.starts_with(mine) && !seen.emplace(directory + name, size_of(entry)).second)
                fail(utf8(name) + " is listed twice");
        });
        std::map<std::wstring, std::uint64_t> expected;
        for (const auto& [path, content] : files_) {
            if (path.substr(0, path.rfind(L'\\') + 1) == directory) expected.emplace(path, content.size());
        }
        if (seen != expected) fail("the listing of " + utf8(directory) + " is not what was written there");
    }
    void check_some() {
        const std::wstring* path = existing();
        if (path != nullptr) check_content(*path, files_[*path]);
    }
    void fight() {
        const auto common = [this] {
            return drive_ + kShared[pick(2)] + L"\\common" + static_cast<wchar_t>(L'a' + pick(3));
        };
        const std::wstring path = common();
        switch (pick(4)) {
            case 0: {
                const HANDLE made = CreateFileW(path.c_str(), GENERIC_WRITE, kShareAll, nullptr, OPEN_ALWAYS,
                                                FILE_ATTRIBUTE_NORMAL, nullptr);
                allow(made != INVALID_HANDLE_VALUE, {ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND}, "CreateFile",
                      path);
                if (made != INVALID_HANDLE_VALUE) CloseHandle(made);
                return;
            }
            case 1:
                allow(CreateDirectoryW(path.c_str(), nullptr), {ERROR_ALREADY_EXISTS, ERROR_ACCESS_DENIED},
                      "CreateDirectory", path);
                return;
            case 2: {
                const std::wstring target = common();
                allow(MoveFileExW(path.c_str(), target.c_str(), pick(2) ? MOVEFILE_REPLACE_EXISTING : 0),
                      {ERROR_FILE_NOT_FOUND, ERROR_ALREADY_EXISTS, ERROR_ACCESS_DENIED,
                       ERROR_SHARING_VIOLATION},
                      "MoveFileEx", path + L" -> " + target);
                return;
            }
            default:
                if (!DeleteFileW(path.c_str()) && GetLastError() == ERROR_ACCESS_DENIED) {
                    allow(
                        RemoveDirectoryW(path.c_str()),
                        {ERROR_FILE_NOT_FOUND, ERROR_ACCESS_DENIED, ERROR_DIRECTORY, ERROR_SHARING_VIOLATION},
                        "RemoveDirectory", path);
                }
                return;
        }
    }

    std::wstring drive_;
    std::minstd_rand random_;
    std::wstring suffix_;
    std::wstring subtree_;
    std::map<std::wstring, std::string> files_;
};

}  // namespace

int wmain(int argc, wchar_t** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: soak_stress.exe DRIVE:\\ NUMBER SECONDS\n");
        return 2;
    }
    try {
        Worker worker(argv[1], static_cast<unsigned>(std::wcstoul(argv[2], nullptr, 10)));
        const ULONGLONG end = GetTickCount64() + 1000 * std::wcstoull(argv[3], nullptr, 10);
        unsigned long steps = 0;
        for (; GetTickCount64() < end; ++steps)
            worker.step();
        worker.check_all();
        worker.clean_up();
        std::printf("%lu steps, no difference\n", steps);
        return 0;
    } catch (const std::exception& error) {
        std::printf("FAILED: %s\n", error.what());
        return 1;
    }
}
