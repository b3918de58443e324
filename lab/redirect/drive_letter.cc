#include "lab/redirect/drive_letter.h"

#include <cstring>
#include <optional>
#include <vector>

#include "lab/redirect/nt.h"

namespace lab::redirect {
namespace {

// Wine's ddk/mountmgr.h (public interface): IOCTL_MOUNTMGR_DEFINE_UNIX_DRIVE and its input.
constexpr DWORD kDefineUnixDrive = ('m' << 16) | (3 << 14) | (32 << 2);
struct UnixDrive {
    ULONG size;
    ULONG type;
    ULONG file_system_type;
    DWORD serial;
    ULONGLONG unix_device;
    WCHAR letter;
    USHORT mount_point_offset;  // Unix path behind the structure; 0: none
    USHORT device_offset;
    USHORT label_offset;
};
constexpr ULONG kNoDrive = 1;  // DRIVE_NO_ROOT_DIR: removes the drive
constexpr ULONG kDriveFixed = 3;

constexpr wchar_t kLabDirectory[] = L"C:\\vfslab";
constexpr wchar_t kEmptyDirectory[] = L"C:\\vfslab\\drive";

std::string letter_name(char16_t letter) {
    return {static_cast<char>(letter), ':'};
}

std::string failed(char16_t letter, const char* what) {
    return "cannot define drive " + letter_name(letter) + ": " + what + " failed with error " +
           std::to_string(GetLastError());
}

// The Unix path of a directory of this prefix.
std::string unix_path(const wchar_t* path) {
    using Function = char*(CDECL*)(const wchar_t*);
    const auto function = reinterpret_cast<Function>(reinterpret_cast<void*>(
        GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "wine_get_unix_file_name")));
    if (!function) return {};
    char* name = function(path);
    if (!name) return {};
    std::string result = name;
    HeapFree(GetProcessHeap(), 0, name);
    return result;
}

bool tell_mount_manager(char16_t letter, const std::string& path) {
    std::vector<std::byte> buffer(sizeof(UnixDrive) + path.size() + 2);
    UnixDrive drive{};
    drive.size = static_cast<ULONG>(buffer.size());
    drive.type = path.empty() ? kNoDrive : kDriveFixed;
    drive.letter = static_cast<WCHAR>(letter | 0x20);
    if (!path.empty()) {
        drive.mount_point_offset = sizeof(UnixDrive);
        std::memcpy(buffer.data() + sizeof(UnixDrive), path.c_str(), path.size() + 1);
    }
    std::memcpy(buffer.data(), &drive, sizeof(drive));
    HANDLE manager = CreateFileW(L"\\\\.\\MountPointManager", GENERIC_READ | GENERIC_WRITE,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
    if (manager == INVALID_HANDLE_VALUE) return false;
    DWORD returned = 0;
    const bool done =
        DeviceIoControl(manager, kDefineUnixDrive, buffer.data(), drive.size, nullptr, 0, &returned, nullptr);
    const DWORD error = GetLastError();
    CloseHandle(manager);
    SetLastError(error);
    return done;
}

// Whether two names lead to one directory.
bool is_same_directory(const wchar_t* first, const wchar_t* second) {
    const auto identity = [](const wchar_t* path) {
        BY_HANDLE_FILE_INFORMATION information{};
        HANDLE directory = CreateFileW(path, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                       nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr);
        if (directory == INVALID_HANDLE_VALUE) return std::optional<std::uint64_t>();
        const bool known = GetFileInformationByHandle(directory, &information);
        CloseHandle(directory);
        if (!known) return std::optional<std::uint64_t>();
        return std::optional(std::uint64_t{information.nFileIndexHigh} << 32 | information.nFileIndexLow);
    };
    const auto a = identity(first);
    return a && a == identity(second);
}

// A letter that a server which died left behind: it shows the empty directory itself.
bool is_left_behind(char16_t letter) {
    const wchar_t root[] = {static_cast<wchar_t>(letter), L':', L'\\', 0};
    return is_same_directory(root, kEmptyDirectory);
}

}  // namespace

std::expected<void, std::string> define_drive_letter(char16_t letter) {
    if ((GetLogicalDrives() & (1U << (letter - u'A'))) && !is_left_behind(letter)) {
        return std::unexpected("drive " + letter_name(letter) + " is in use; choose another letter");
    }
    CreateDirectoryW(kLabDirectory, nullptr);
    CreateDirectoryW(kEmptyDirectory, nullptr);
    const std::string path = unix_path(kEmptyDirectory);
    if (path.empty()) return std::unexpected(failed(letter, "creating C:\\vfslab\\drive"));
    if (!tell_mount_manager(letter, path)) return std::unexpected(failed(letter, "Wine's mount manager"));
    return {};
}

void remove_drive_letter(char16_t letter) {
    tell_mount_manager(letter, {});
}

}  // namespace lab::redirect
