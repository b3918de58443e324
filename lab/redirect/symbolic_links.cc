#include "lab/redirect/symbolic_links.h"

#include <cstring>

#include "lab/redirect/originals.h"
#include "nt/file.h"
#include "nt/info_class.h"

namespace lab::redirect {
namespace {

constexpr DWORD kAllowUnprivileged = 2;  // SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE
constexpr DWORD kKnownFlags = SYMBOLIC_LINK_FLAG_DIRECTORY | kAllowUnprivileged;
constexpr ULONG kMaxNameBytes = 8000;  // so that both names fit into a reparse point
constexpr ULONG kRelative = 1;         // SYMLINK_FLAG_RELATIVE

// RtlDetermineDosPathNameType_U.
constexpr ULONG kRooted = 4;
constexpr ULONG kRelativePath = 5;

// REPARSE_DATA_BUFFER of a symbolic link.
struct LinkData {
    ULONG tag;
    USHORT data_bytes;
    USHORT reserved;
    USHORT substitute_offset;
    USHORT substitute_bytes;
    USHORT print_offset;
    USHORT print_bytes;
    ULONG flags;
    std::byte names[2 * kMaxNameBytes];
};
constexpr std::size_t kBeforeNames = offsetof(LinkData, names);
static_assert(kBeforeNames == 20);

// CreateFileW of Wine 8.0 begins with room for a hot patch and pushes: 16 bytes that run anywhere.
constexpr unsigned char kCreateFileStart[] = {0x48, 0x8D, 0xA4, 0x24, 0x00, 0x00, 0x00, 0x00,
                                              0x41, 0x57, 0x41, 0x56, 0x41, 0x55, 0x41, 0x54};
constexpr std::size_t kMovedBytes = sizeof(kCreateFileStart);
constexpr std::size_t kJumpBytes = 14;

using CreateFileFunction = HANDLE WINAPI(const wchar_t*, DWORD, DWORD, SECURITY_ATTRIBUTES*, DWORD, DWORD,
                                         HANDLE);
constinit CreateFileFunction* g_create_file = nullptr;  // the real one
constinit DWORD g_slot = TLS_OUT_OF_INDEXES;

HANDLE WINAPI create_file(const wchar_t* path, DWORD access, DWORD share, SECURITY_ATTRIBUTES* security,
                          DWORD disposition, DWORD attributes, HANDLE model) {
    const bool itself = (attributes & FILE_FLAG_OPEN_REPARSE_POINT) != 0;
    if (itself) TlsSetValue(g_slot, &g_slot);
    const HANDLE handle = g_create_file(path, access, share, security, disposition, attributes, model);
    if (itself) {
        const DWORD error = GetLastError();
        TlsSetValue(g_slot, nullptr);
        SetLastError(error);
    }
    return handle;
}

void wrap_create_file(void* function) {
    if (function == nullptr || std::memcmp(function, kCreateFileStart, kMovedBytes) != 0) return;
    void* memory = nullptr;
    SIZE_T size = kMovedBytes + kJumpBytes;
    if (NtAllocateVirtualMemory(current_process(), &memory, 0, &size, MEM_COMMIT | MEM_RESERVE,
                                PAGE_EXECUTE_READWRITE) < 0) {
        return;
    }
    auto* copy = static_cast<unsigned char*>(memory);
    std::memcpy(copy, kCreateFileStart, kMovedBytes);
    const unsigned char* const rest = static_cast<const unsigned char*>(function) + kMovedBytes;
    const unsigned char jump[kJumpBytes] = {0xFF, 0x25};  // jmp [rip+0]
    std::memcpy(copy + kMovedBytes, jump, sizeof(jump));
    std::memcpy(copy + kMovedBytes + 6, &rest, sizeof(rest));
    g_create_file = reinterpret_cast<CreateFileFunction*>(memory);
    replace_function(function, reinterpret_cast<const void*>(&create_file));
}

// A name in NT's form, freed by the destructor.
class NtName {
  public:
    explicit NtName(const wchar_t* path)
        : good_(path && RtlDosPathNameToNtPathName_U(path, &name_, nullptr, nullptr)) {}
    ~NtName() {
        if (good_) RtlFreeUnicodeString(&name_);
    }
    NtName(const NtName&) = delete;
    NtName& operator=(const NtName&) = delete;

    explicit operator bool() const { return good_; }
    UNICODE_STRING* get() { return &name_; }

  private:
    UNICODE_STRING name_{};
    bool good_;
};

// False: the target is too long or no path.
bool fill(LinkData& data, const wchar_t* target) {
    UNICODE_STRING print{};
    RtlInitUnicodeString(&print, target);
    UNICODE_STRING substitute = print;
    const auto kind = static_cast<ULONG>(RtlDetermineDosPathNameType_U(target));
    const bool relative = kind == kRooted || kind == kRelativePath;
    NtName full(relative ? nullptr : target);
    if (!relative) {
        if (!full) return false;
        substitute = *full.get();
    }
    if (print.Length == 0 || print.Length > kMaxNameBytes || substitute.Length > kMaxNameBytes) return false;
    data.tag = nt::kReparseTagSymlink;
    data.substitute_bytes = substitute.Length;
    data.print_offset = substitute.Length;
    data.print_bytes = print.Length;
    data.flags = relative ? kRelative : 0;
    data.data_bytes = static_cast<USHORT>(kBeforeNames - 8 + substitute.Length + print.Length);
    std::memcpy(data.names, substitute.Buffer, substitute.Length);
    std::memcpy(data.names + substitute.Length, print.Buffer, print.Length);
    return true;
}

NTSTATUS make_link(UNICODE_STRING* name, bool directory, LinkData& data) {
    OBJECT_ATTRIBUTES attributes{};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = name;
    attributes.Attributes = OBJ_CASE_INSENSITIVE;
    IO_STATUS_BLOCK io{};
    HANDLE link = nullptr;
    const ULONG kind = directory ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE;
    NTSTATUS status = hook::NtCreateFile(
        &link, FILE_WRITE_ATTRIBUTES | DELETE | SYNCHRONIZE, &attributes, &io, nullptr, FILE_ATTRIBUTE_NORMAL,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_CREATE,
        kind | FILE_OPEN_REPARSE_POINT | FILE_SYNCHRONOUS_IO_NONALERT, nullptr, 0);
    if (is_error(status)) return status;
    status = hook::NtFsControlFile(link, nullptr, nullptr, nullptr, &io, nt::fsctl::kSetReparsePoint, &data,
                                   8 + data.data_bytes, nullptr, 0);
    if (is_error(status)) {
        BOOLEAN remove = TRUE;
        hook::NtSetInformationFile(link, &io, &remove, sizeof(remove),
                                   static_cast<FILE_INFORMATION_CLASS>(info::kDisposition));
    }
    hook::NtClose(link);
    return status;
}

// Wine's says that it did and does nothing.
BOOLEAN WINAPI create_symbolic_link(const wchar_t* path, const wchar_t* target, DWORD flags) {
    if ((flags & ~kKnownFlags) != 0 || target == nullptr) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return FALSE;
    }
    NtName name(path);
    if (!name) {
        SetLastError(ERROR_PATH_NOT_FOUND);
        return FALSE;
    }
    auto* data = static_cast<LinkData*>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(LinkData)));
    if (data == nullptr) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return FALSE;
    }
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    if (fill(*data, target)) {
        status = make_link(name.get(), (flags & SYMBOLIC_LINK_FLAG_DIRECTORY) != 0, *data);
    }
    HeapFree(GetProcessHeap(), 0, data);
    if (!is_error(status)) return TRUE;
    SetLastError(RtlNtStatusToDosError(status));
    return FALSE;
}

}  // namespace

bool wants_reparse_point() {
    return g_create_file != nullptr && TlsGetValue(g_slot) != nullptr;
}

void add_symbolic_links(HMODULE kernelbase) {
    replace_function(reinterpret_cast<void*>(GetProcAddress(kernelbase, "CreateSymbolicLinkW")),
                     reinterpret_cast<const void*>(&create_symbolic_link));
    g_slot = TlsAlloc();
    if (g_slot != TLS_OUT_OF_INDEXES) {
        wrap_create_file(reinterpret_cast<void*>(GetProcAddress(kernelbase, "CreateFileW")));
    }
}

}  // namespace lab::redirect
