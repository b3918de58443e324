// A Windows program that works with symbolic links by Win32 calls alone: links.exe DIRECTORY. The directory
// holds the host's links file_host -> target.txt ("target") and dir_host -> sub, and nothing else but the
// two. Leaves the links file_guest and dir_guest. Prints what fails; exit code 1 if anything did.
#include <windows.h>
#include <winioctl.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "nt/reparse.h"

namespace {

int g_checks = 0;
int g_failures = 0;

#define CHECK(condition)                                                                                 \
    do {                                                                                                 \
        SetLastError(0);                                                                                 \
        ++g_checks;                                                                                      \
        if (!(condition)) {                                                                              \
            ++g_failures;                                                                                \
            std::printf("FAIL line %d: %s (Windows error %lu)\n", __LINE__, #condition, GetLastError()); \
        }                                                                                                \
    } while (false)

constexpr DWORD kLink = FILE_ATTRIBUTE_REPARSE_POINT;
constexpr DWORD kBits = FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DIRECTORY;

class File {
  public:
    File(const std::wstring& path, DWORD access, DWORD disposition = OPEN_EXISTING, DWORD flags = 0)
        : handle_(CreateFileW(path.c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              nullptr, disposition, flags, nullptr)),
          error_(GetLastError()) {}
    ~File() {
        if (*this) CloseHandle(handle_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    explicit operator bool() const { return handle_ != INVALID_HANDLE_VALUE; }
    HANDLE get() const { return handle_; }
    DWORD error() const { return error_; }

  private:
    HANDLE handle_;
    DWORD error_;
};

constexpr DWORD kItself = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;

std::string contents(const std::wstring& path) {
    const File file(path, GENERIC_READ);
    char text[64];
    DWORD bytes = 0;
    if (!file || !ReadFile(file.get(), text, sizeof text, &bytes, nullptr)) return "(unreadable)";
    return {text, bytes};
}

bool put(const std::wstring& path, const std::string& text) {
    const File file(path, GENERIC_WRITE, CREATE_ALWAYS);
    DWORD bytes = 0;
    return file && WriteFile(file.get(), text.data(), static_cast<DWORD>(text.size()), &bytes, nullptr) &&
           bytes == text.size();
}

std::u16string target_of(const std::wstring& path) {
    const File link(path, 0, OPEN_EXISTING, kItself);
    std::vector<std::byte> data(nt::kMaxReparseBytes);
    DWORD bytes = 0;
    if (!link || !DeviceIoControl(link.get(), FSCTL_GET_REPARSE_POINT, nullptr, 0, data.data(),
                                  static_cast<DWORD>(data.size()), &bytes, nullptr)) {
        return u"(none)";
    }
    data.resize(bytes);
    const auto target = nt::parse_symlink(data);
    return target ? target->name : u"(malformed)";
}

DWORD bits_of(const std::wstring& path) {
    const DWORD attributes = GetFileAttributesW(path.c_str());
    return attributes == INVALID_FILE_ATTRIBUTES ? attributes : attributes & kBits;
}

void check_what_links_are(const std::wstring& in) {
    for (const wchar_t* origin : {L"host", L"guest"}) {
        const std::wstring file = in + L"file_" + origin;
        const std::wstring dir = in + L"dir_" + origin;
        CHECK(bits_of(file) == kLink);
        CHECK(bits_of(dir) == kBits);
        CHECK(target_of(file) == u"target.txt");
        CHECK(target_of(dir) == u"sub");
        CHECK(contents(file) == "target");
        CHECK(put(dir + L"\\through_" + origin, origin == std::wstring(L"host") ? "host" : "guest"));
        CHECK(contents(in + L"sub\\through_" + origin) ==
              (origin == std::wstring(L"host") ? "host" : "guest"));
        // Not the link: the target.
        const File opened(dir, FILE_READ_ATTRIBUTES, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
        BY_HANDLE_FILE_INFORMATION information{};
        CHECK(opened && GetFileInformationByHandle(opened.get(), &information));
        CHECK((information.dwFileAttributes & kBits) == FILE_ATTRIBUTE_DIRECTORY);
        // And the link.
        const File itself(dir, FILE_READ_ATTRIBUTES, OPEN_EXISTING, kItself);
        CHECK(itself && GetFileInformationByHandle(itself.get(), &information));
        CHECK((information.dwFileAttributes & kBits) == kBits);
        WIN32_FIND_DATAW found{};
        const HANDLE search = FindFirstFileW(dir.c_str(), &found);
        CHECK(search != INVALID_HANDLE_VALUE);
        CHECK((found.dwFileAttributes & kBits) == kBits);
        if (search != INVALID_HANDLE_VALUE) FindClose(search);
    }
}

void check_paths(const std::wstring& in, const std::wstring& drive_relative) {
    CHECK(CreateSymbolicLinkW((in + L"rooted").c_str(), (drive_relative + L"sub").c_str(),
                              SYMBOLIC_LINK_FLAG_DIRECTORY));
    CHECK(put(in + L"rooted\\r", "rooted"));
    CHECK(contents(in + L"sub\\r") == "rooted");
    wchar_t final_path[MAX_PATH] = {};
    {
        const File file(in + L"rooted\\r", GENERIC_READ);
        const DWORD length = GetFinalPathNameByHandleW(file.get(), final_path, MAX_PATH, 0);
        CHECK(length > 0 && std::wstring(final_path).ends_with(drive_relative + L"sub\\r"));
    }
    CHECK(RemoveDirectoryW((in + L"rooted").c_str()));
    CHECK(contents(in + L"sub\\r") == "rooted");
}

void check_refusals(const std::wstring& in) {
    const auto refused = [&](const wchar_t* target, DWORD error) {
        SetLastError(0);
        const bool made = CreateSymbolicLinkW((in + L"bad").c_str(), target, 0);
        return !made && GetLastError() == error && bits_of(in + L"bad") == INVALID_FILE_ATTRIBUTES;
    };
    CHECK(refused(L"C:\\windows", ERROR_NOT_SUPPORTED));
    CHECK(refused(L"..\\..\\..\\..\\up", ERROR_NOT_SUPPORTED));
    CHECK(!CreateSymbolicLinkW((in + L"file_guest").c_str(), L"x", 0) &&
          GetLastError() == ERROR_ALREADY_EXISTS);
    CHECK(CreateSymbolicLinkW((in + L"loop").c_str(), L"loop", 0));
    CHECK(!File(in + L"loop", GENERIC_READ) && File(in + L"loop", GENERIC_READ).error() == 1921);
    CHECK(DeleteFileW((in + L"loop").c_str()));
    CHECK(CreateSymbolicLinkW((in + L"nowhere").c_str(), L"missing", 0));
    CHECK(File(in + L"nowhere", GENERIC_READ).error() == ERROR_FILE_NOT_FOUND);
    CHECK(bits_of(in + L"nowhere") == kLink);
    CHECK(put(in + L"nowhere", "made"));
    CHECK(contents(in + L"missing") == "made");
    CHECK(DeleteFileW((in + L"nowhere").c_str()) && DeleteFileW((in + L"missing").c_str()));
}

void check_moving_and_removing(const std::wstring& in) {
    CHECK(CreateSymbolicLinkW((in + L"a").c_str(), L"target.txt", 0));
    CHECK(CreateSymbolicLinkW((in + L"d").c_str(), L"sub", SYMBOLIC_LINK_FLAG_DIRECTORY));
    CHECK(MoveFileExW((in + L"a").c_str(), (in + L"b").c_str(), 0));
    CHECK(target_of(in + L"b") == u"target.txt");
    CHECK(MoveFileExW((in + L"d").c_str(), (in + L"e").c_str(), 0));
    CHECK(bits_of(in + L"e") == kBits && bits_of(in + L"d") == INVALID_FILE_ATTRIBUTES);
    CHECK(put(in + L"new", "new"));
    CHECK(MoveFileExW((in + L"new").c_str(), (in + L"b").c_str(), MOVEFILE_REPLACE_EXISTING));
    CHECK(contents(in + L"b") == "new" && bits_of(in + L"b") == 0);
    CHECK(contents(in + L"target.txt") == "target");
    CHECK(!DeleteFileW((in + L"e").c_str()));
    CHECK(RemoveDirectoryW((in + L"e").c_str()));
    CHECK(bits_of(in + L"sub") == FILE_ATTRIBUTE_DIRECTORY);
    CHECK(DeleteFileW((in + L"b").c_str()));
    // As tools do that know reparse points.
    CHECK(CreateSymbolicLinkW((in + L"f").c_str(), L"target.txt", 0));
    {
        const File link(in + L"f", GENERIC_WRITE, OPEN_EXISTING, kItself);
        std::byte header[nt::kReparseHeaderBytes] = {};
        std::memcpy(header, &nt::kReparseTagSymlink, sizeof nt::kReparseTagSymlink);
        DWORD bytes = 0;
        CHECK(link && DeviceIoControl(link.get(), FSCTL_DELETE_REPARSE_POINT, header, sizeof header, nullptr,
                                      0, &bytes, nullptr));
    }
    CHECK(bits_of(in + L"f") == 0 && DeleteFileW((in + L"f").c_str()));
    CHECK(contents(in + L"target.txt") == "target");
}

}  // namespace

int wmain(int count, wchar_t** values) {
    if (count != 2 || std::wcslen(values[1]) < 3) {
        std::fputs("usage: links X:\\directory\n", stderr);
        return 2;
    }
    const std::wstring in = std::wstring(values[1]) + L"\\";
    CHECK(CreateSymbolicLinkW((in + L"file_guest").c_str(), L"target.txt", 0));
    CHECK(CreateSymbolicLinkW((in + L"dir_guest").c_str(), L"sub", SYMBOLIC_LINK_FLAG_DIRECTORY));
    check_what_links_are(in);
    check_paths(in, in.substr(2));
    check_refusals(in);
    check_moving_and_removing(in);
    std::printf("%d passed, %d failed\n", g_checks - g_failures, g_failures);
    return g_failures == 0 ? 0 : 1;
}
