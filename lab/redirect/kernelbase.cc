#include "lab/redirect/kernelbase.h"

#include "lab/redirect/originals.h"
#include "lab/redirect/symbolic_links.h"

namespace lab::redirect {
namespace {

struct KernelBase {
    std::uintptr_t start = 0;
    std::uintptr_t end = 0;
};
constinit KernelBase g_kernelbase;

BOOL finish(NTSTATUS status) {
    if (!is_error(status)) return TRUE;
    SetLastError(RtlNtStatusToDosError(status));
    return FALSE;
}

// Opens a path by name for one operation; closes with the object.
class Opened {
  public:
    Opened(const wchar_t* path, ACCESS_MASK access, ULONG options) {
        UNICODE_STRING name{};
        if (!path || !RtlDosPathNameToNtPathName_U(path, &name, nullptr, nullptr)) {
            status_ = to_ntstatus(nt::Status::kObjectPathNotFound);
            return;
        }
        OBJECT_ATTRIBUTES attributes{};
        attributes.Length = sizeof(attributes);
        attributes.ObjectName = &name;
        attributes.Attributes = OBJ_CASE_INSENSITIVE;
        IO_STATUS_BLOCK io{};
        status_ = hook::NtOpenFile(&handle_, access, &attributes, &io,
                                   FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                   options | FILE_OPEN_REPARSE_POINT | FILE_OPEN_FOR_BACKUP_INTENT);
        RtlFreeUnicodeString(&name);
    }
    ~Opened() {
        if (handle_) hook::NtClose(handle_);
    }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;

    NTSTATUS status() const { return status_; }
    NTSTATUS set(ULONG information_class, void* buffer, ULONG bytes) const {
        if (is_error(status_)) return status_;
        IO_STATUS_BLOCK io{};
        return hook::NtSetInformationFile(handle_, &io, buffer, bytes,
                                          static_cast<FILE_INFORMATION_CLASS>(information_class));
    }

  private:
    HANDLE handle_ = nullptr;
    NTSTATUS status_ = STATUS_SUCCESS;
};

BOOL delete_by_disposition(const wchar_t* path, ULONG kind) {
    const Opened file(path, DELETE | FILE_READ_ATTRIBUTES, kind);
    BOOLEAN remove = TRUE;
    return finish(file.set(info::kDisposition, &remove, sizeof(remove)));
}

// Wine's opens with DELETE_ON_CLOSE, which hides why a file cannot be deleted.
BOOL WINAPI delete_file(const wchar_t* path) {
    return delete_by_disposition(path, FILE_NON_DIRECTORY_FILE);
}

// Wine's follows reparse points.
BOOL WINAPI remove_directory(const wchar_t* path) {
    return delete_by_disposition(path, FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT);
}

// Wine's asks for no right but SYNCHRONIZE.
BOOL WINAPI set_file_attributes(const wchar_t* path, DWORD attributes) {
    const Opened file(path, FILE_WRITE_ATTRIBUTES | SYNCHRONIZE, FILE_SYNCHRONOUS_IO_NONALERT);
    BasicInformation basic{};
    basic.attributes = attributes ? attributes : FILE_ATTRIBUTE_NORMAL;
    return finish(file.set(info::kBasic, &basic, sizeof(basic)));
}

}  // namespace

void replace_kernelbase_functions() {
    HMODULE module = GetModuleHandleW(L"kernelbase.dll");
    if (!module) return;
    const auto base = reinterpret_cast<std::uintptr_t>(module);
    const auto* dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base);
    const auto* headers =
        reinterpret_cast<const IMAGE_NT_HEADERS64*>(base + static_cast<std::uint32_t>(dos->e_lfanew));
    g_kernelbase = {base, base + headers->OptionalHeader.SizeOfImage};
    const auto replace = [module](const char* name, auto* function) {
        replace_function(reinterpret_cast<void*>(GetProcAddress(module, name)),
                         reinterpret_cast<const void*>(function));
    };
    replace("DeleteFileW", &delete_file);
    replace("RemoveDirectoryW", &remove_directory);
    replace("SetFileAttributesW", &set_file_attributes);
    add_symbolic_links(module);
}

namespace {

bool is_in_kernelbase(const void* address) {
    const auto place = reinterpret_cast<std::uintptr_t>(address);
    return place >= g_kernelbase.start && place < g_kernelbase.end;
}

}  // namespace

OpenAs as_windows_opens(const OpenAs& open, ULONG share, const void* return_address) {
    if (!is_in_kernelbase(return_address)) return open;
    // MoveFileEx moves links themselves, and looks at the attributes of what it moves.
    if (open.access == (DELETE | SYNCHRONIZE)) {
        return {open.access | FILE_READ_ATTRIBUTES, open.options | FILE_OPEN_REPARSE_POINT};
    }
    // How it looks whether the new name is taken.
    const bool is_target = open.access == (GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE) && share == 0;
    return is_target ? OpenAs{open.access, open.options | FILE_OPEN_REPARSE_POINT} : open;
}

ULONG options_as_windows_asks(ULONG options, const void* return_address) {
    const bool itself = is_in_kernelbase(return_address) && wants_reparse_point();
    return itself ? options | FILE_OPEN_REPARSE_POINT : options;
}

}  // namespace lab::redirect
