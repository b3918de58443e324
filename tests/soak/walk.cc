// Walks a directory tree as a backup or an indexer would: lists every directory, asks for every file's
// attributes by its path, opens and reads one file in a hundred. Prints how many files there were.
// Usage: soak_walk.exe DIRECTORY\ EXPECTED_FILES
#include <windows.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/support/win32_file.h"

namespace {

using namespace tests;

constexpr std::uint64_t kReadOneIn = 100;

std::uint64_t walk(const std::wstring& directory) {
    std::uint64_t files = 0;
    std::vector<std::wstring> names;
    std::vector<std::wstring> directories;
    for_each_entry(directory, [&](const WIN32_FIND_DATAW& entry) {
        const bool is_directory = (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        (is_directory ? directories : names).emplace_back(entry.cFileName);
    });
    std::vector<char> bytes(4096);
    for (const auto& name : names) {
        const std::wstring path = directory + name;
        WIN32_FILE_ATTRIBUTE_DATA attributes;
        check(GetFileAttributesExW(path.c_str(), GetFileExInfoStandard, &attributes), "GetFileAttributesEx",
              path);
        if (++files % kReadOneIn == 0) Handle(path, GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING).read(bytes);
    }
    for (const auto& name : directories)
        files += walk(directory + name + L"\\");
    return files;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: soak_walk.exe DIRECTORY\\ EXPECTED_FILES\n");
        return 2;
    }
    try {
        const std::uint64_t files = walk(argv[1]);
        std::printf("walked %llu files\n", static_cast<unsigned long long>(files));
        if (files != std::wcstoull(argv[2], nullptr, 10)) fail("expected " + utf8(argv[2]) + " files");
        return 0;
    } catch (const std::exception& error) {
        std::printf("FAILED: %s\n", error.what());
        return 1;
    }
}
