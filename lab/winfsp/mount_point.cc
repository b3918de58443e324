// Mount points: drive letters, and which forms are refused.
#include <cwctype>

#include "lab/winfsp/file_system.h"
#include "lab/winfsp/log.h"

namespace lab::winfsp {
namespace {

// Programs' calls that the drive serves at once; beyond that they queue before WinFsp's own queue.
constexpr unsigned kServerThreads = 32;

constexpr NTSTATUS to_ntstatus(nt::Status status) {
    return static_cast<NTSTATUS>(status);
}

bool any_letter(const wchar_t* mount_point) {
    return mount_point == nullptr || std::wcscmp(mount_point, L"*") == 0 ||
           std::wcscmp(mount_point, L"*:") == 0;
}

// "X:" and "\\.\X:"; 0 for everything else.
wchar_t letter_of(const wchar_t* mount_point) {
    if (std::wcsncmp(mount_point, L"\\\\.\\", 4) == 0) mount_point += 4;
    const bool is_letter = (mount_point[0] >= L'A' && mount_point[0] <= L'Z') ||
                           (mount_point[0] >= L'a' && mount_point[0] <= L'z');
    if (!is_letter || mount_point[1] != L':' || mount_point[2] != 0) return 0;
    return static_cast<wchar_t>(mount_point[0] & ~0x20);
}

NTSTATUS refuse_directory(const wchar_t* mount_point) {
    complain("winfsp-x64.dll (lab): cannot mount at \"" + to_utf8(mount_point) +
             "\": only drive letters are modelled");
    return to_ntstatus(nt::Status::kNotImplemented);
}

}  // namespace

NTSTATUS FileSystemObject::mount_at(wchar_t letter) {
    auto server = redirect::Server::start(
        *fsd_, {.device_name = std::u16string(reinterpret_cast<const char16_t*>(api.VolumeName)),
                .drive_letter = static_cast<char16_t>(letter),
                .threads = kServerThreads});
    if (!server) {
        complain("winfsp-x64.dll (lab): cannot mount at " + to_utf8({&letter, 1}) + ": " + server.error());
        return to_ntstatus(nt::Status::kObjectNameCollision);
    }
    server_ = *std::move(server);
    mount_point_ = {letter, L':'};
    api.MountPoint = mount_point_.data();
    return 0;
}

NTSTATUS FileSystemObject::set_mount_point(const wchar_t* mount_point) {
    if (server_) return to_ntstatus(nt::Status::kInvalidParameter);
    if (!any_letter(mount_point)) {
        const wchar_t letter = letter_of(mount_point);
        return letter != 0 ? mount_at(letter) : refuse_directory(mount_point);
    }
    const DWORD taken = GetLogicalDrives();
    for (wchar_t letter = L'Z'; letter >= L'D'; --letter) {
        if ((taken >> (letter - L'A') & 1) == 0) return mount_at(letter);
    }
    return to_ntstatus(nt::Status::kNoSuchDevice);
}

void FileSystemObject::remove_mount_point() {
    api.MountPoint = nullptr;
    server_.reset();
    mount_point_.clear();
}

void FileSystemObject::announce() const {
    wchar_t file[MAX_PATH];
    const DWORD length = GetEnvironmentVariableW(L"VFSLAB_MOUNTED", file, MAX_PATH);
    if (length == 0 || length >= MAX_PATH || mount_point_.empty()) return;
    const std::wstring draft = std::wstring(file) + L".new";
    const HANDLE handle = CreateFileW(draft.c_str(), GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS, 0, nullptr);
    if (handle == INVALID_HANDLE_VALUE) {
        complain("winfsp-x64.dll (lab): cannot write " + to_utf8(draft));
        return;
    }
    const std::string text = to_utf8(mount_point_) + "\n";
    DWORD written = 0;
    WriteFile(handle, text.data(), static_cast<DWORD>(text.size()), &written, nullptr);
    CloseHandle(handle);
    MoveFileExW(draft.c_str(), file, MOVEFILE_REPLACE_EXISTING);
}

}  // namespace lab::winfsp

using namespace lab::winfsp;

extern "C" {

NTSTATUS FspFileSystemPreflight(PWSTR, PWSTR mount_point) {
    if (any_letter(mount_point)) return 0;
    const wchar_t letter = letter_of(mount_point);
    if (letter == 0) return refuse_directory(mount_point);
    const wchar_t drive[] = {letter, L':', 0};
    wchar_t target[MAX_PATH];
    return QueryDosDeviceW(drive, target, MAX_PATH) != 0 ? to_ntstatus(nt::Status::kObjectNameCollision) : 0;
}

NTSTATUS FspFileSystemSetMountPoint(FSP_FILE_SYSTEM* fs, PWSTR mount_point) {
    return FileSystemObject::of(fs).set_mount_point(mount_point);
}

NTSTATUS FspFileSystemSetMountPointEx(FSP_FILE_SYSTEM* fs, PWSTR mount_point, PSECURITY_DESCRIPTOR) {
    return FileSystemObject::of(fs).set_mount_point(mount_point);
}

VOID FspFileSystemRemoveMountPoint(FSP_FILE_SYSTEM* fs) {
    FileSystemObject::of(fs).remove_mount_point();
}
}
