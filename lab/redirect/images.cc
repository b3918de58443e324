#include "lab/redirect/images.h"

#include <cstring>

#include "lab/redirect/calls.h"
#include "lab/redirect/files.h"
#include "lab/redirect/originals.h"

namespace lab::redirect {
namespace {

constexpr ULONG kPositionInformation = 14;
constexpr wchar_t kLabDirectory[] = L"C:\\vfslab";
constexpr wchar_t kSpoolDirectory[] = L"C:\\vfslab\\spool";

std::uint64_t mix(std::uint64_t hash, const void* data, std::size_t bytes) {
    const auto* byte = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < bytes; ++i)
        hash = (hash ^ byte[i]) * 0x100000001B3ULL;  // FNV-1a
    return hash;
}

struct Identity {
    NTSTATUS status = STATUS_SUCCESS;
    std::uint64_t hash = 0;  // of path, volume and state
    WideText<260> name = {};
};

Identity identify(Tag file) {
    NetworkOpenInformation state{};
    NTSTATUS status = query_file(file, info::kNetworkOpen, &state, sizeof(state));
    if (is_error(status)) return {.status = status};
    Identity identity;
    ServerCall call(file.mount(), Operation::kPathOf, file.number());
    call.request().length = 0xFFFE;
    status = call.exchange();
    if (is_error(status)) return {.status = status};
    const Mount& mount = mounts().entries[file.mount()];
    const auto path = call.reply_payload();
    identity.hash = mix(0xCBF29CE484222325ULL, path.data(), path.size());
    identity.hash = mix(identity.hash, mount.device, sizeof(mount.device));
    identity.hash = mix(identity.hash, &state.last_write_time, sizeof(state.last_write_time));
    identity.hash = mix(identity.hash, &state.change_time, sizeof(state.change_time));
    identity.hash = mix(identity.hash, &state.end_of_file, sizeof(state.end_of_file));
    const std::u16string_view text(reinterpret_cast<const char16_t*>(path.data()), path.size() / 2);
    identity.name.add(text.substr(text.rfind(u'\\') + 1));  // all of it without a backslash
    if (identity.name.overflowed() || identity.name.view().empty())
        identity.status = STATUS_OBJECT_NAME_INVALID;
    return identity;
}

NTSTATUS copy_to(Tag file, const wchar_t* path) {
    HANDLE out = CreateFileW(path, GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (out == INVALID_HANDLE_VALUE) return STATUS_DISK_FULL;
    void* buffer = VirtualAlloc(nullptr, kChunkBytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    NTSTATUS status = buffer ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    const PositionGuard position(file);
    for (std::uint64_t offset = 0; !is_error(status);) {
        const Transfer part = read_file(file, buffer, kChunkBytes, offset);
        if (part.status == to_ntstatus(nt::Status::kEndOfFile)) break;
        status = part.status;
        if (is_error(status) || part.bytes == 0) break;
        DWORD written = 0;
        if (!WriteFile(out, buffer, static_cast<DWORD>(part.bytes), &written, nullptr) ||
            written != part.bytes) {
            status = STATUS_DISK_FULL;
        }
        offset += part.bytes;
        if (part.bytes < kChunkBytes) break;
    }
    if (buffer) VirtualFree(buffer, 0, MEM_RELEASE);
    CloseHandle(out);
    return status;
}

}  // namespace

PositionGuard::PositionGuard(Tag file) : file_(file) {
    if (file.synchronous())
        known_ = !is_error(query_file(file, kPositionInformation, &position_, sizeof(position_)));
}

PositionGuard::~PositionGuard() {
    if (!known_) return;
    ServerCall call(file_.mount(), Operation::kSetInformation, file_.number());
    call.request().code = kPositionInformation;
    if (call.payload().size() < sizeof(position_)) return;
    std::memcpy(call.payload().data(), &position_, sizeof(position_));
    call.exchange(sizeof(position_));
}

NTSTATUS spool_image(Tag file, ImagePath& path) {
    const Identity identity = identify(file);
    if (is_error(identity.status)) return identity.status;
    ImagePath directory;
    directory.add(std::u16string_view(reinterpret_cast<const char16_t*>(kSpoolDirectory))).add("\\");
    directory.add_hex(identity.hash);
    path.add(directory.view()).add("\\").add(identity.name.view());
    if (GetFileAttributesW(path.c_str()) != INVALID_FILE_ATTRIBUTES) return STATUS_SUCCESS;
    CreateDirectoryW(kLabDirectory, nullptr);
    CreateDirectoryW(kSpoolDirectory, nullptr);
    CreateDirectoryW(directory.c_str(), nullptr);
    ImagePath draft;
    draft.add(path.view())
        .add(".")
        .add_hex(std::uint64_t{GetCurrentProcessId()} << 32 | GetCurrentThreadId());
    const NTSTATUS status = copy_to(file, draft.c_str());
    // Another process may have been quicker; its copy is as good.
    if (is_error(status) || !MoveFileExW(draft.c_str(), path.c_str(), 0)) DeleteFileW(draft.c_str());
    return status;
}

NTSTATUS open_spooled_image(Tag file, HANDLE& handle) {
    ImagePath path;
    const NTSTATUS status = spool_image(file, path);
    if (is_error(status)) return status;
    handle = CreateFileW(path.c_str(), GENERIC_READ | GENERIC_EXECUTE, FILE_SHARE_READ | FILE_SHARE_DELETE,
                         nullptr, OPEN_EXISTING, 0, nullptr);
    return handle == INVALID_HANDLE_VALUE ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
}

}  // namespace lab::redirect
