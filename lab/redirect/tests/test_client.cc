// What Windows programs do to a drive, through the redirection: redirect_test_client.exe DIRECTORY runs every
// case in a directory on the drive; redirect_test_client.exe --NAME ARGS is a child some cases start.
#include <windows.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "lab/redirect/tests/drive_files.h"
#include "lab/redirect/tests/test_children.h"

using namespace lab::redirect::test;

namespace {

std::wstring g_directory;  // "V:\name", the case's own

std::wstring in(const std::wstring& name) {
    return g_directory + L"\\" + name;
}

// --- Cases

void Write_ThenRead_GivesTheSame() {
    const File file(in(L"a"), GENERIC_READ | GENERIC_WRITE, CREATE_NEW);
    CHECK(file.is_open() && GetLastError() == 0);
    CHECK(file.write("hello, drive"));
    CHECK(SetFilePointer(file.get(), 7, nullptr, FILE_BEGIN) == 7);
    CHECK(file.read(100) == "drive");
    CHECK(file.read(100).empty());
    LARGE_INTEGER size{};
    CHECK(GetFileSizeEx(file.get(), &size) && size.QuadPart == 12);
    SetFilePointer(file.get(), 5, nullptr, FILE_BEGIN);
    CHECK(SetEndOfFile(file.get()));
    CHECK(FlushFileBuffers(file.get()));
    CHECK(get(in(L"a")) == "hello");
    CHECK(GetFileType(file.get()) == FILE_TYPE_DISK);
    CHECK(WaitForSingleObject(file.get(), 0) == WAIT_OBJECT_0);
}

void LongTransfers_AreWhole() {
    const std::string text = pattern(5 * 1024 * 1024 + 12345);
    CHECK(put(in(L"big"), text));
    CHECK(get(in(L"big")) == text);
    const File file(in(L"big"), GENERIC_READ, OPEN_EXISTING);
    SetFilePointer(file.get(), 1000, nullptr, FILE_BEGIN);
    CHECK(file.read(3 * 1024 * 1024) == text.substr(1000, 3 * 1024 * 1024));
    CHECK(SetFilePointer(file.get(), 0, nullptr, FILE_CURRENT) == 1000 + 3 * 1024 * 1024);
}

void Append_GoesToTheEnd() {
    CHECK(put(in(L"log"), "one "));
    {
        const File file(in(L"log"), FILE_APPEND_DATA, OPEN_EXISTING);
        CHECK(file.write("two "));
        CHECK(file.write("three"));
    }
    CHECK(get(in(L"log")) == "one two three");
}

void Opens_FailWithTheRightErrors() {
    CHECK_ERROR(File(in(L"missing"), GENERIC_READ, OPEN_EXISTING).is_open(), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR(File(in(L"missing\\x"), GENERIC_READ, OPEN_EXISTING).is_open(), ERROR_PATH_NOT_FOUND);
    CHECK(put(in(L"there"), ""));
    CHECK_ERROR(File(in(L"there"), GENERIC_WRITE, CREATE_NEW).is_open(), ERROR_FILE_EXISTS);
    CHECK_ERROR(CreateDirectoryW(in(L"there").c_str(), nullptr), ERROR_ALREADY_EXISTS);
    const File alone(in(L"there"), GENERIC_READ, OPEN_EXISTING, 0, 0);
    CHECK_ERROR(File(in(L"there"), GENERIC_READ, OPEN_EXISTING).is_open(), ERROR_SHARING_VIOLATION);
    CHECK_ERROR(RemoveDirectoryW(in(L"nothing").c_str()), ERROR_FILE_NOT_FOUND);
}

void Directories_AreListedAndRemoved() {
    CHECK(CreateDirectoryW(in(L"dir").c_str(), nullptr));
    for (int i = 0; i < 300; ++i)
        CHECK(put(in(L"dir\\file" + std::to_wstring(i) + L".txt"), "x"));
    CHECK(put(in(L"dir\\other.bin"), "x"));
    CHECK(list(in(L"dir\\*")).size() == 301);
    CHECK(list(in(L"dir\\*.txt")).size() == 300);
    CHECK(list(in(L"dir\\file7?.txt")).size() == 10);
    CHECK(list(in(L"dir\\other.bin")) == std::vector<std::wstring>{L"other.bin"});
    CHECK(list(in(L"dir\\nothing")).empty());
    CHECK_ERROR(RemoveDirectoryW(in(L"dir").c_str()), ERROR_DIR_NOT_EMPTY);
    for (const std::wstring& name : list(in(L"dir\\*")))
        CHECK(DeleteFileW(in(L"dir\\" + name).c_str()));
    CHECK(RemoveDirectoryW(in(L"dir").c_str()));
    CHECK(!exists(in(L"dir")));
}

void Names_OutsideAscii_Work() {
    const std::wstring name = L"\u6587\u66f8 \u00e9\u0416 \U0001F600.txt";
    CHECK(put(in(name), "text"));
    CHECK(list(in(L"*")) == std::vector<std::wstring>{name});
    CHECK(DeleteFileW(in(name).c_str()));
}

void Rename_MovesWithinTheDrive() {
    CHECK(put(in(L"old"), "1"));
    CHECK(CreateDirectoryW(in(L"sub").c_str(), nullptr));
    CHECK(MoveFileW(in(L"old").c_str(), in(L"sub\\new").c_str()));
    CHECK(!exists(in(L"old")) && get(in(L"sub\\new")) == "1");
    CHECK(put(in(L"other"), "2"));
    CHECK_ERROR(MoveFileW(in(L"other").c_str(), in(L"sub\\new").c_str()), ERROR_ALREADY_EXISTS);
    CHECK(MoveFileExW(in(L"other").c_str(), in(L"sub\\new").c_str(), MOVEFILE_REPLACE_EXISTING));
    CHECK(get(in(L"sub\\new")) == "2");
    CHECK(MoveFileW(in(L"sub").c_str(), in(L"renamed").c_str()));
    CHECK(get(in(L"renamed\\new")) == "2");
}

void Move_BetweenDrives_Copies() {
    wchar_t temporary[MAX_PATH];
    GetTempPathW(MAX_PATH, temporary);
    const std::wstring real = std::wstring(temporary) + L"redirect" + std::to_wstring(GetCurrentProcessId());
    CHECK(put(real, "real"));
    CHECK_ERROR(MoveFileExW(real.c_str(), in(L"moved").c_str(), 0), ERROR_NOT_SAME_DEVICE);
    CHECK(MoveFileExW(real.c_str(), in(L"moved").c_str(), MOVEFILE_COPY_ALLOWED));
    CHECK(!exists(real) && get(in(L"moved")) == "real");
    CHECK_ERROR(MoveFileExW(in(L"moved").c_str(), real.c_str(), 0), ERROR_NOT_SAME_DEVICE);
    CHECK(MoveFileExW(in(L"moved").c_str(), real.c_str(), MOVEFILE_COPY_ALLOWED));
    CHECK(!exists(in(L"moved")) && get(real) == "real");
    CHECK(CopyFileW(real.c_str(), in(L"copy").c_str(), TRUE));
    CHECK(CopyFileW(in(L"copy").c_str(), real.c_str(), FALSE));
    CHECK(get(in(L"copy")) == "real");
    CHECK(DeleteFileW(real.c_str()));
}

void AttributesAndTimes_AreKept() {
    CHECK(put(in(L"f"), "x"));
    CHECK(SetFileAttributesW(in(L"f").c_str(), FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_ARCHIVE));
    CHECK(GetFileAttributesW(in(L"f").c_str()) == (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_ARCHIVE));
    const FILETIME created{100, 30000000};
    const FILETIME written{200, 30000001};
    {
        const File file(in(L"f"), FILE_WRITE_ATTRIBUTES, OPEN_EXISTING);
        CHECK(SetFileTime(file.get(), &created, nullptr, &written));
    }
    WIN32_FILE_ATTRIBUTE_DATA data{};
    CHECK(GetFileAttributesExW(in(L"f").c_str(), GetFileExInfoStandard, &data));
    CHECK(CompareFileTime(&data.ftCreationTime, &created) == 0);
    CHECK(CompareFileTime(&data.ftLastWriteTime, &written) == 0);
    CHECK(data.nFileSizeLow == 1);
    CHECK(SetFileAttributesW(in(L"f").c_str(), FILE_ATTRIBUTE_READONLY));
    CHECK_ERROR(DeleteFileW(in(L"f").c_str()), ERROR_ACCESS_DENIED);
    CHECK_ERROR(File(in(L"f"), GENERIC_WRITE, OPEN_EXISTING).is_open(), ERROR_ACCESS_DENIED);
    CHECK(SetFileAttributesW(in(L"f").c_str(), FILE_ATTRIBUTE_NORMAL));
    CHECK(DeleteFileW(in(L"f").c_str()));
}

void Volume_AnswersAboutItself() {
    const std::wstring root = g_directory.substr(0, 3);
    CHECK(GetLogicalDrives() & (1U << (root[0] - L'A')));
    CHECK(GetDriveTypeW(root.c_str()) == DRIVE_FIXED);
    wchar_t label[64];
    wchar_t system[64];
    DWORD serial = 0;
    DWORD component = 0;
    CHECK(GetVolumeInformationW(root.c_str(), label, 64, &serial, &component, nullptr, system, 64));
    CHECK(serial == 0x12345678 && component == 255);
    CHECK(std::wstring(system) == L"LABFS");
    ULARGE_INTEGER available{};
    ULARGE_INTEGER total{};
    CHECK(GetDiskFreeSpaceExW(root.c_str(), &available, &total, nullptr));
    CHECK(total.QuadPart >= available.QuadPart && total.QuadPart != 0);
    CHECK(put(in(L"named"), ""));
    const File file(in(L"named"), GENERIC_READ, OPEN_EXISTING);
    wchar_t path[MAX_PATH];
    CHECK(GetFinalPathNameByHandleW(file.get(), path, MAX_PATH, 0));
    CHECK(path == L"\\\\?\\" + in(L"named"));
    BY_HANDLE_FILE_INFORMATION information{};
    CHECK(GetFileInformationByHandle(file.get(), &information));
    CHECK(information.dwVolumeSerialNumber == 0x12345678);
}

void RelativeNames_FollowTheCurrentDirectory() {
    wchar_t before[MAX_PATH];
    GetCurrentDirectoryW(MAX_PATH, before);
    CHECK(CreateDirectoryW(in(L"here").c_str(), nullptr));
    CHECK(SetCurrentDirectoryW(in(L"here").c_str()));
    CHECK(put(L"relative", "text"));
    CHECK(get(L"..\\here\\relative") == "text");
    wchar_t now[MAX_PATH];
    GetCurrentDirectoryW(MAX_PATH, now);
    CHECK(now == in(L"here"));
    CHECK(run(own_path(), L"--expect-directory " + in(L"here")) == 0);
    CHECK(SetCurrentDirectoryW(before));
    CHECK(run(own_path(), L"--expect-directory " + in(L"here"), in(L"here").c_str()) == 0);
    CHECK(get(in(L"here\\relative")) == "text");
    CHECK(DeleteFileW(in(L"here\\relative").c_str()));
    CHECK(RemoveDirectoryW(in(L"here").c_str()));
}

void Duplicates_KeepTheFileOpen() {
    File file(in(L"d"), GENERIC_READ | GENERIC_WRITE | DELETE, CREATE_NEW, FILE_FLAG_DELETE_ON_CLOSE);
    CHECK(file.write("abc"));
    HANDLE copy = nullptr;
    CHECK(
        DuplicateHandle(GetCurrentProcess(), file.get(), GetCurrentProcess(), &copy, GENERIC_READ, FALSE, 0));
    file.close();
    CHECK(exists(in(L"d")));
    CHECK(SetFilePointer(copy, 0, nullptr, FILE_BEGIN) == 0);
    char text[4] = {};
    DWORD done = 0;
    CHECK(ReadFile(copy, text, 3, &done, nullptr) && std::string(text) == "abc");
    HANDLE moved = nullptr;
    CHECK(DuplicateHandle(GetCurrentProcess(), copy, GetCurrentProcess(), &moved, 0, FALSE,
                          DUPLICATE_CLOSE_SOURCE | DUPLICATE_SAME_ACCESS));
    CHECK(exists(in(L"d")));
    CHECK(CloseHandle(moved));
    CHECK(!exists(in(L"d")));
    CHECK_ERROR(CloseHandle(moved), ERROR_INVALID_HANDLE);
}

void InheritedHandles_Work() {
    const File file(in(L"i"), GENERIC_READ | GENERIC_WRITE, CREATE_NEW, FILE_ATTRIBUTE_NORMAL,
                    FILE_SHARE_READ, true);
    CHECK(file.write("parent "));
    CHECK(run(own_path(), L"--write " + std::to_wstring(reinterpret_cast<std::uintptr_t>(file.get()))) == 0);
    CHECK(file.write("parent again"));
    CHECK(get(in(L"i")) == "parent child parent again");
}

void Overlapped_SignalsEvent() {
    const File file(in(L"o"), GENERIC_READ | GENERIC_WRITE, CREATE_NEW, FILE_FLAG_OVERLAPPED);
    OVERLAPPED overlapped{};
    overlapped.hEvent = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    overlapped.Offset = 10;
    CHECK(WriteFile(file.get(), "late", 4, nullptr, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(WaitForSingleObject(overlapped.hEvent, 10000) == WAIT_OBJECT_0);
    DWORD done = 0;
    CHECK(GetOverlappedResult(file.get(), &overlapped, &done, TRUE) && done == 4);
    CloseHandle(overlapped.hEvent);
    CHECK(get(in(L"o")) == std::string(10, '\0') + "late");
    overlapped = {};
    overlapped.Offset = 14;
    char byte;
    CHECK_ERROR(ReadFile(file.get(), &byte, 1, nullptr, &overlapped), ERROR_HANDLE_EOF);
}

void Overlapped_PostsToPort() {
    const File file(in(L"p"), GENERIC_READ | GENERIC_WRITE, CREATE_NEW, FILE_FLAG_OVERLAPPED);
    HANDLE port = CreateIoCompletionPort(file.get(), nullptr, 77, 1);
    CHECK(port != nullptr);
    OVERLAPPED overlapped{};
    CHECK(WriteFile(file.get(), "port", 4, nullptr, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* which = nullptr;
    CHECK(GetQueuedCompletionStatus(port, &bytes, &key, &which, 10000));
    CHECK(bytes == 4 && key == 77 && which == &overlapped);
    CHECK_ERROR(GetQueuedCompletionStatus(port, &bytes, &key, &which, 0), WAIT_TIMEOUT);
    CloseHandle(port);
}

void ReadFileEx_QueuesApc() {
    CHECK(put(in(L"x"), "apc"));
    const File file(in(L"x"), GENERIC_READ, OPEN_EXISTING, FILE_FLAG_OVERLAPPED);
    static DWORD transferred;
    transferred = 0;
    OVERLAPPED overlapped{};
    char text[8] = {};
    CHECK(ReadFileEx(file.get(), text, 8, &overlapped,
                     [](DWORD, DWORD bytes, OVERLAPPED*) { transferred = bytes; }));
    CHECK(SleepEx(10000, TRUE) == WAIT_IO_COMPLETION);
    CHECK(transferred == 3 && std::string(text) == "apc");
}

void BadBuffers_AreRefused() {
    const File file(in(L"b"), GENERIC_READ | GENERIC_WRITE, CREATE_NEW);
    CHECK(file.write("content"));
    void* bad = VirtualAlloc(nullptr, 4096, MEM_RESERVE, PAGE_NOACCESS);
    DWORD done = 0;
    SetFilePointer(file.get(), 0, nullptr, FILE_BEGIN);
    CHECK_ERROR(ReadFile(file.get(), bad, 7, &done, nullptr), ERROR_NOACCESS);
    CHECK_ERROR(WriteFile(file.get(), bad, 7, &done, nullptr), ERROR_NOACCESS);
    // The first page is there, the second is not.
    auto* page = static_cast<char*>(VirtualAlloc(nullptr, 8192, MEM_RESERVE, PAGE_NOACCESS));
    CHECK(VirtualAlloc(page, 4096, MEM_COMMIT, PAGE_READWRITE));
    CHECK_ERROR(WriteFile(file.get(), page + 4090, 100, &done, nullptr), ERROR_NOACCESS);
    VirtualFree(page, 0, MEM_RELEASE);
    CHECK(get(in(L"b")) == "content");
}

void Mapping_ReadsAndWritesBack() {
    const std::string text = pattern(100000);
    CHECK(put(in(L"m"), text));
    {
        const File file(in(L"m"), GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
        SetFilePointer(file.get(), 17, nullptr, FILE_BEGIN);
        HANDLE mapping = CreateFileMappingW(file.get(), nullptr, PAGE_READWRITE, 0, 0, nullptr);
        CHECK(mapping != nullptr);
        auto* view = static_cast<char*>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 65536, 0));
        CHECK(view && std::string(view, 34464) == text.substr(65536));
        if (view) view[100] = 'A';
        CHECK(FlushViewOfFile(view, 0));
        CHECK(get(in(L"m"))[65636] == 'A');
        if (view) view[34463] = 'Z';
        CHECK(UnmapViewOfFile(view));
        CloseHandle(mapping);
        CHECK(SetFilePointer(file.get(), 0, nullptr, FILE_CURRENT) == 17);
    }
    const std::string after = get(in(L"m"));
    CHECK(after.size() == text.size() && after[65636] == 'A' && after[99999] == 'Z' && after[0] == text[0]);
    const File file(in(L"m"), GENERIC_READ, OPEN_EXISTING);
    HANDLE mapping = CreateFileMappingW(file.get(), nullptr, PAGE_READONLY, 0, 0, nullptr);
    CHECK_ERROR(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0), ERROR_ACCESS_DENIED);
    CloseHandle(mapping);
    // The mapping enlarges the file, and outlives the file's handle.
    File grown(in(L"g"), GENERIC_READ | GENERIC_WRITE, CREATE_NEW);
    mapping = CreateFileMappingW(grown.get(), nullptr, PAGE_READWRITE, 0, 5000, nullptr);
    CHECK(mapping != nullptr);
    grown.close();
    auto* view = static_cast<char*>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    if (CHECK(view != nullptr)) view[4999] = '!';
    CloseHandle(mapping);
    CHECK(UnmapViewOfFile(view));
    CHECK(get(in(L"g")) == std::string(4999, '\0') + "!");
    CHECK(run(own_path(), L"--map-and-exit " + in(L"g")) == 0);
    CHECK(get(in(L"g"))[0] == 'E');
}

void Programs_StartFromTheDrive() {
    CHECK(CreateDirectoryW(in(L"bin").c_str(), nullptr));
    const std::wstring program = in(L"bin\\program.exe");
    CHECK(CopyFileW(own_path().c_str(), program.c_str(), TRUE));
    CHECK(run(program, L"--expect-program " + program) == 0);
    CHECK(run(program, L"--expect-directory " + in(L"bin"), in(L"bin").c_str()) == 0);
    // An image mapped as DLLs are.
    HMODULE module = LoadLibraryExW(program.c_str(), nullptr, DONT_RESOLVE_DLL_REFERENCES);
    CHECK(module != nullptr);
    if (module) FreeLibrary(module);
    CHECK(DeleteFileW(program.c_str()));
}

void KilledProcess_LosesItsFiles() {
    CHECK(put(in(L"held"), "x"));
    SECURITY_ATTRIBUTES security{sizeof(security), nullptr, TRUE};
    HANDLE ready = CreateEventW(&security, TRUE, FALSE, nullptr);
    std::wstring command = L"\"" + own_path() + L"\" --hold " + in(L"held") + L" " + in(L"temporary") + L" " +
                           std::to_wstring(reinterpret_cast<std::uintptr_t>(ready));
    STARTUPINFOW startup{};
    startup.cb = sizeof(startup);
    PROCESS_INFORMATION process{};
    CHECK(CreateProcessW(nullptr, command.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup,
                         &process));
    CHECK(WaitForSingleObject(ready, 60000) == WAIT_OBJECT_0);
    CloseHandle(ready);
    CHECK(exists(in(L"temporary")));
    CHECK_ERROR(File(in(L"held"), GENERIC_READ, OPEN_EXISTING).is_open(), ERROR_SHARING_VIOLATION);
    CHECK(TerminateProcess(process.hProcess, 9));
    WaitForSingleObject(process.hProcess, INFINITE);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    // The server learns of it on its own.
    const ULONGLONG deadline = GetTickCount64() + 20000;
    bool open = false;
    while (!open && GetTickCount64() < deadline) {
        open = File(in(L"held"), GENERIC_READ, OPEN_EXISTING).is_open() && !exists(in(L"temporary"));
        if (!open) Sleep(20);
    }
    CHECK(open);
}

// Threads that are in the middle of calls when the process ends hold nothing up.
void BusyProcess_Ends() {
    CHECK(put(in(L"busy"), pattern(100000)));
    for (int i = 0; i < 5; ++i)
        CHECK(run(own_path(), L"--busy " + in(L"busy")) == 3);
    CHECK(DeleteFileW(in(L"busy").c_str()));
}

void Unsupported_IsRefusedClearly() {
    const File file(in(L"u"), GENERIC_READ | GENERIC_WRITE, CREATE_NEW);
    CHECK_ERROR(LockFile(file.get(), 0, 0, 10, 0), ERROR_NOT_SUPPORTED);
    const File directory(g_directory, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    CHECK(directory.is_open());
    char buffer[1024];
    DWORD done = 0;
    CHECK_ERROR(ReadDirectoryChangesW(directory.get(), buffer, sizeof(buffer), FALSE,
                                      FILE_NOTIFY_CHANGE_FILE_NAME, &done, nullptr, nullptr),
                ERROR_NOT_SUPPORTED);
}

struct Case {
    const char* name;
    void (*function)();
};
#define CASE(name) \
    { #name, name }
const Case kCases[] = {
    CASE(Write_ThenRead_GivesTheSame),
    CASE(LongTransfers_AreWhole),
    CASE(Append_GoesToTheEnd),
    CASE(Opens_FailWithTheRightErrors),
    CASE(Directories_AreListedAndRemoved),
    CASE(Names_OutsideAscii_Work),
    CASE(Rename_MovesWithinTheDrive),
    CASE(Move_BetweenDrives_Copies),
    CASE(AttributesAndTimes_AreKept),
    CASE(Volume_AnswersAboutItself),
    CASE(RelativeNames_FollowTheCurrentDirectory),
    CASE(Duplicates_KeepTheFileOpen),
    CASE(InheritedHandles_Work),
    CASE(Overlapped_SignalsEvent),
    CASE(Overlapped_PostsToPort),
    CASE(ReadFileEx_QueuesApc),
    CASE(BadBuffers_AreRefused),
    CASE(Mapping_ReadsAndWritesBack),
    CASE(Programs_StartFromTheDrive),
    CASE(KilledProcess_LosesItsFiles),
    CASE(BusyProcess_Ends),
    CASE(Unsupported_IsRefusedClearly),
};

bool remove_tree(const std::wstring& path) {
    for (const std::wstring& name : list(path + L"\\*")) {
        const std::wstring child = path + L"\\" + name;
        if (GetFileAttributesW(child.c_str()) & FILE_ATTRIBUTE_DIRECTORY) {
            remove_tree(child);
        } else {
            DeleteFileW(child.c_str());
        }
    }
    return RemoveDirectoryW(path.c_str());
}

int run_cases(const std::wstring& directory) {
    for (const Case& test : kCases) {
        const int before = check::failures();
        g_directory = directory + L"\\" + std::wstring(test.name, test.name + std::strlen(test.name));
        SetLastError(0);
        CHECK(CreateDirectoryW(g_directory.c_str(), nullptr));
        SetLastError(0);
        test.function();
        CHECK(remove_tree(g_directory));
        std::printf("%-6s %s\n", check::failures() == before ? "ok" : "FAILED", test.name);
        std::fflush(stdout);
    }
    return check::failures() ? 1 : 0;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    const std::vector<std::wstring> arguments(argv + 1, argv + argc);
    if (arguments.size() == 1) return run_cases(arguments[0]);
    if (const auto code = lab::redirect::test::run_child(arguments)) return *code;
    std::fprintf(stderr, "usage: redirect_test_client.exe DIRECTORY\n");
    return 2;
}
