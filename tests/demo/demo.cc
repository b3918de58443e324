// The demo's Windows program: works on a drive with plain Win32 calls, as an installer or an editor would,
// and compares what it reads with a reference directory. Says each step; the first failure ends it with exit
// code 1. Usage: demo.exe DRIVE:\ REFERENCE_DIRECTORY LOCAL_DIRECTORY
#include <windows.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tests/support/win32_file.h"

namespace {

using namespace tests;

struct Found {
    bool directory = false;
    std::uint64_t size = 0;
};

// Everything below `root`, by relative path.
void walk(const std::wstring& root, const std::wstring& below, std::map<std::wstring, Found>& found) {
    std::vector<std::wstring> directories;
    for_each_entry(root + below, [&](const WIN32_FIND_DATAW& entry) {
        const std::wstring name = below + entry.cFileName;
        const bool directory = (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        found[name] = {directory, directory ? 0 : size_of(entry)};
        if (directory) directories.push_back(name + L"\\");
    });
    for (const auto& directory : directories)
        walk(root, directory, found);
}

// Bytes compared; fails at the first difference.
std::uint64_t compare(const std::wstring& one, const std::wstring& other) {
    const Handle a(one, GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING);
    const Handle b(other, GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING);
    std::vector<char> a_bytes(1 << 20);
    std::vector<char> b_bytes(1 << 20);
    for (std::uint64_t total = 0;;) {
        const std::size_t a_count = a.read(a_bytes);
        const std::size_t b_count = b.read(b_bytes);
        if (a_count != b_count || !std::equal(a_bytes.begin(), a_bytes.begin() + a_count, b_bytes.begin())) {
            fail(utf8(one) + " and " + utf8(other) + " differ after byte " + std::to_string(total));
        }
        if (a_count == 0) return total;
        total += a_count;
    }
}

bool exists(const std::wstring& path) {
    return GetFileAttributesW(path.c_str()) != INVALID_FILE_ATTRIBUTES;
}

void list_and_compare(const std::wstring& drive, const std::wstring& reference) {
    std::map<std::wstring, Found> here;
    std::map<std::wstring, Found> there;
    walk(drive, L"", here);
    walk(reference, L"", there);
    std::uint64_t bytes = 0;
    std::size_t files = 0;
    for (const auto& [path, expected] : there) {
        const auto it = here.find(path);
        if (it == here.end()) fail(utf8(path) + " is on the host and not on the drive");
        if (it->second.directory != expected.directory || it->second.size != expected.size) {
            fail(utf8(path) + " has another type or size on the drive than on the host");
        }
        if (expected.directory) continue;
        bytes += compare(drive + path, reference + path);
        ++files;
    }
    for (const auto& [path, unused] : here) {
        if (!there.contains(path)) fail(utf8(path) + " is on the drive and not on the host");
    }
    std::printf("  listed %zu files and %zu directories, read %llu bytes, all as on the host\n", files,
                here.size() - files, static_cast<unsigned long long>(bytes));
}

void copy_big_file_both_ways(const std::wstring& drive, const std::wstring& local) {
    const std::wstring there = local + L"big.bin";
    check(CopyFileW((drive + L"big.bin").c_str(), there.c_str(), TRUE), "CopyFile", there);
    const std::uint64_t bytes = compare(drive + L"big.bin", there);
    check(CopyFileW(there.c_str(), (drive + L"big copy.bin").c_str(), TRUE), "CopyFile",
          drive + L"big copy.bin");
    compare(drive + L"big copy.bin", there);
    check(DeleteFileW(there.c_str()), "DeleteFile", there);
    std::printf("  copied big.bin (%llu bytes) to C: and back as \"big copy.bin\"\n",
                static_cast<unsigned long long>(bytes));
}

void edit(const std::wstring& drive) {
    const std::wstring notes = drive + L"notes.txt";
    {
        const Handle file(notes, GENERIC_WRITE, 0, CREATE_NEW);
        file.write("first line\r\nsecond line\r\nthird line\r\n");
        file.flush();
    }
    {
        const Handle file(notes, FILE_APPEND_DATA, FILE_SHARE_READ, OPEN_EXISTING);
        file.write("appended line\r\n");
    }
    {
        const Handle file(notes, GENERIC_READ | GENERIC_WRITE, 0, OPEN_EXISTING);
        file.seek(0, FILE_BEGIN);
        file.write("FIRST");
        file.seek(-15, FILE_END);
        file.cut_here();
    }
    std::printf("  created notes.txt, appended to it, wrote in its middle and cut its end\n");
}

void rename_and_remove(const std::wstring& drive) {
    const std::wstring directory = drive + L"made by Windows \u4e2d\u6587";
    check(CreateDirectoryW(directory.c_str(), nullptr), "CreateDirectory", directory);
    check(MoveFileExW((drive + L"notes.txt").c_str(), (directory + L"\\moved \u00e9.txt").c_str(), 0),
          "MoveFileEx", directory);
    const std::wstring renamed = drive + L"renamed by Windows \u4e2d\u6587";
    check(MoveFileExW(directory.c_str(), renamed.c_str(), 0), "MoveFileEx", renamed);
    if (exists(directory)) fail(utf8(directory) + " is still there after its rename");
    check(CreateDirectoryW((renamed + L"\\empty").c_str(), nullptr), "CreateDirectory", renamed);
    if (RemoveDirectoryW(renamed.c_str()) || GetLastError() != ERROR_DIR_NOT_EMPTY) {
        fail("RemoveDirectory of a directory that is not empty did not say so");
    }
    check(RemoveDirectoryW((renamed + L"\\empty").c_str()), "RemoveDirectory", renamed + L"\\empty");
    check(DeleteFileW((drive + L"delete me.txt").c_str()), "DeleteFile", drive + L"delete me.txt");
    if (exists(drive + L"delete me.txt")) fail("delete me.txt is still there after DeleteFile");
    std::printf("  made, renamed and removed directories; moved notes.txt; deleted \"delete me.txt\"\n");
}

void tell_volume(const std::wstring& drive) {
    ULARGE_INTEGER available;
    ULARGE_INTEGER total;
    check(GetDiskFreeSpaceExW(drive.c_str(), &available, &total, nullptr), "GetDiskFreeSpaceEx", drive);
    wchar_t name[32] = L"";
    check(GetVolumeInformationW(drive.c_str(), nullptr, 0, nullptr, nullptr, nullptr, name, 32),
          "GetVolumeInformation", drive);
    if (GetDriveTypeW(drive.c_str()) != DRIVE_FIXED) fail(utf8(drive) + " does not look like a fixed disk");
    std::printf("  %s is a fixed disk, file system %s, %llu of %llu MiB free\n", utf8(drive).c_str(),
                utf8(name).c_str(), static_cast<unsigned long long>(available.QuadPart >> 20),
                static_cast<unsigned long long>(total.QuadPart >> 20));
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: demo.exe DRIVE:\\ REFERENCE_DIRECTORY\\ LOCAL_DIRECTORY\\\n");
        return 2;
    }
    try {
        tell_volume(argv[1]);
        list_and_compare(argv[1], argv[2]);
        copy_big_file_both_ways(argv[1], argv[3]);
        edit(argv[1]);
        rename_and_remove(argv[1]);
        return 0;
    } catch (const std::exception& error) {
        std::printf("  FAILED: %s\n", error.what());
        return 1;
    }
}
