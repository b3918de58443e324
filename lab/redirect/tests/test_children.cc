#include "lab/redirect/tests/test_children.h"

#include "lab/redirect/tests/drive_files.h"

namespace lab::redirect::test {
namespace {

// The volume by its device's name: "\Device\Volume{...}".
int by_device(const std::wstring& device_name, const std::wstring& drive) {
    const std::wstring device = L"\\\\?\\GLOBALROOT" + device_name;
    CHECK(put(drive + L"\\by device", "same"));
    CHECK(get(device + L"\\by device") == "same");
    CHECK(DeleteFileW((device + L"\\by device").c_str()));
    CHECK(!exists(drive + L"\\by device"));
    CHECK_ERROR(File(device + L"x\\y", GENERIC_READ, OPEN_EXISTING).is_open(), ERROR_PATH_NOT_FOUND);
    return check::failures();
}

DWORD WINAPI read_for_ever(void* path) {
    const File file(*static_cast<const std::wstring*>(path), GENERIC_READ, OPEN_EXISTING);
    std::vector<char> buffer(100000);
    DWORD done = 0;
    while (CHECK(SetFilePointer(file.get(), 0, nullptr, FILE_BEGIN) == 0 &&
                 ReadFile(file.get(), buffer.data(), 100000, &done, nullptr))) {
    }
    return 0;
}

// Ends while more threads than the server takes calls at once are in calls.
int busy(const std::wstring& path) {
    for (int i = 0; i < 100; ++i)
        CloseHandle(CreateThread(nullptr, 0, read_for_ever, const_cast<std::wstring*>(&path), 0, nullptr));
    Sleep(200);
    ExitProcess(3);
}

// Waits for the file GO, then uses a drive whose server has died meanwhile.
int outlive(const std::wstring& path, const std::wstring& ready, const std::wstring& go) {
    const File file(path, GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS);
    CHECK(file.write("before"));
    CHECK(put(ready, "ready"));
    while (!exists(go))
        Sleep(10);
    DWORD done = 0;
    CHECK(!WriteFile(file.get(), "x", 1, &done, nullptr));
    CHECK(!exists(path));
    return check::failures();
}

int expect_directory(const std::wstring& path) {
    wchar_t now[MAX_PATH];
    GetCurrentDirectoryW(MAX_PATH, now);
    CHECK(now == path);
    CHECK(exists(L"."));
    return check::failures();
}

int expect_program(const std::wstring& path) {
    CHECK(own_path() == path);
    return check::failures();
}

int write_to(const std::wstring& handle) {
    DWORD done = 0;
    CHECK(WriteFile(reinterpret_cast<HANDLE>(std::stoull(handle)), "child ", 6, &done, nullptr));
    return check::failures();
}

int map_and_exit(const std::wstring& path) {
    const File file(path, GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
    HANDLE mapping = CreateFileMappingW(file.get(), nullptr, PAGE_READWRITE, 0, 0, nullptr);
    auto* view = static_cast<char*>(MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0));
    if (CHECK(view != nullptr)) view[0] = 'E';
    ExitProcess(static_cast<UINT>(check::failures()));
}

int hold(const std::wstring& path, const std::wstring& temporary, const std::wstring& ready) {
    const File held(path, GENERIC_READ, OPEN_EXISTING, 0, 0);
    const File deleted(temporary, GENERIC_WRITE | DELETE, CREATE_NEW, FILE_FLAG_DELETE_ON_CLOSE);
    CHECK(held.is_open() && deleted.is_open());
    SetEvent(reinterpret_cast<HANDLE>(std::stoull(ready)));
    Sleep(INFINITE);
    return 1;
}

}  // namespace

std::optional<int> run_child(const std::vector<std::wstring>& arguments) {
    if (arguments.size() == 2 && arguments[0] == L"--expect-directory") return expect_directory(arguments[1]);
    if (arguments.size() == 2 && arguments[0] == L"--expect-program") return expect_program(arguments[1]);
    if (arguments.size() == 2 && arguments[0] == L"--write") return write_to(arguments[1]);
    if (arguments.size() == 2 && arguments[0] == L"--map-and-exit") return map_and_exit(arguments[1]);
    if (arguments.size() == 2 && arguments[0] == L"--busy") return busy(arguments[1]);
    if (arguments.size() == 3 && arguments[0] == L"--by-device") return by_device(arguments[1], arguments[2]);
    if (arguments.size() == 4 && arguments[0] == L"--hold")
        return hold(arguments[1], arguments[2], arguments[3]);
    if (arguments.size() == 4 && arguments[0] == L"--outlive") {
        return outlive(arguments[1], arguments[2], arguments[3]);
    }
    return std::nullopt;
}

}  // namespace lab::redirect::test
