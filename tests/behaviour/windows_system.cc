#include "tests/behaviour/windows_system.h"

#include <array>
#include <cstring>
#include <vector>

#include "tests/behaviour/ntdll.h"

namespace behaviour {
namespace {

constexpr std::uint32_t kRenameClass = 10;
constexpr std::uint32_t kRenameExClass = 65;

HANDLE handle_of(Handle handle) {
    return reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(handle));
}

UNICODE_STRING unicode_of(const std::u16string& text) {
    UNICODE_STRING name{};
    name.Length = static_cast<USHORT>(text.size() * 2);
    name.MaximumLength = name.Length;
    name.Buffer = reinterpret_cast<wchar_t*>(const_cast<char16_t*>(text.data()));
    return name;
}

// Waits where the call is still under way, and gives what it came to.
Io outcome(HANDLE handle, NTSTATUS status, IO_STATUS_BLOCK& io) {
    if (status == static_cast<NTSTATUS>(nt::Status::kPending)) {
        WaitForSingleObject(handle, INFINITE);
        status = io.Status;
    }
    return {static_cast<nt::Status>(status), io.Information};
}

PLARGE_INTEGER offset_of(const std::optional<std::uint64_t>& offset, LARGE_INTEGER& storage) {
    if (!offset) return nullptr;
    storage.QuadPart = static_cast<LONGLONG>(*offset);
    return &storage;
}

void* writable(std::span<const std::byte> data) {
    return const_cast<std::byte*>(data.data());
}

// FILE_FULL_EA_INFORMATION of one attribute "NAME" with a value of one byte.
std::array<std::byte, 16> one_ea() {
    std::array<std::byte, 16> ea{};
    ea[5] = std::byte{4};  // name length
    ea[6] = std::byte{1};  // value length
    std::memcpy(ea.data() + 8, "NAME", 5);
    ea[13] = std::byte{'v'};
    return ea;
}

}  // namespace

WindowsSystem::WindowsSystem(std::u16string_view directory)
    : drive_(u"\\??\\" + std::u16string(directory.substr(0, 2))), root_(directory.substr(2)) {
    while (!root_.empty() && root_.back() == u'\\')
        root_.pop_back();
}

nt::FileTime WindowsSystem::now() const {
    FILETIME time{};
    GetSystemTimePreciseAsFileTime(&time);
    return (std::uint64_t{time.dwHighDateTime} << 32) | time.dwLowDateTime;
}

CreateAnswer WindowsSystem::create(const CreateCall& call) {
    const std::u16string path = call.related == Handle::kNone ? drive_ + call.name : call.name;
    UNICODE_STRING name = unicode_of(path);
    OBJECT_ATTRIBUTES attributes{};
    attributes.Length = sizeof attributes;
    attributes.RootDirectory = handle_of(call.related);
    attributes.ObjectName = &name;
    attributes.Attributes = OBJ_CASE_INSENSITIVE;  // as Win32 asks; the volume decides
    IO_STATUS_BLOCK io{};
    LARGE_INTEGER allocation{};
    allocation.QuadPart = static_cast<LONGLONG>(call.allocation_size);
    std::array<std::byte, 16> ea = one_ea();
    HANDLE handle = nullptr;
    const NTSTATUS status = NtCreateFile(
        &handle, call.access, &attributes, &io, call.allocation_size != 0 ? &allocation : nullptr,
        call.attributes, call.share, static_cast<ULONG>(call.disposition), call.options,
        call.with_ea ? ea.data() : nullptr, call.with_ea ? static_cast<ULONG>(ea.size()) : 0);
    const Handle opened =
        status == 0 ? static_cast<Handle>(reinterpret_cast<std::uintptr_t>(handle)) : Handle::kNone;
    return {{static_cast<nt::Status>(status), io.Information}, opened};
}

nt::Status WindowsSystem::close(Handle handle) {
    return static_cast<nt::Status>(NtClose(handle_of(handle)));
}

Io WindowsSystem::read(Handle handle, std::span<std::byte> buffer, std::optional<std::uint64_t> offset) {
    IO_STATUS_BLOCK io{};
    LARGE_INTEGER storage{};
    return outcome(handle_of(handle),
                   NtReadFile(handle_of(handle), nullptr, nullptr, nullptr, &io, buffer.data(),
                              static_cast<ULONG>(buffer.size()), offset_of(offset, storage), nullptr),
                   io);
}

Io WindowsSystem::write(Handle handle, std::span<const std::byte> data, std::optional<std::uint64_t> offset) {
    IO_STATUS_BLOCK io{};
    LARGE_INTEGER storage{};
    return outcome(handle_of(handle),
                   NtWriteFile(handle_of(handle), nullptr, nullptr, nullptr, &io, writable(data),
                               static_cast<ULONG>(data.size()), offset_of(offset, storage), nullptr),
                   io);
}

Io WindowsSystem::flush(Handle handle) {
    IO_STATUS_BLOCK io{};
    return outcome(handle_of(handle), NtFlushBuffersFile(handle_of(handle), &io), io);
}

Io WindowsSystem::query_information(Handle handle, std::uint32_t information_class,
                                    std::span<std::byte> buffer) {
    IO_STATUS_BLOCK io{};
    return outcome(
        handle_of(handle),
        NtQueryInformationFile(handle_of(handle), &io, buffer.data(), static_cast<ULONG>(buffer.size()),
                               static_cast<FILE_INFORMATION_CLASS>(information_class)),
        io);
}

Io WindowsSystem::set_information(Handle handle, std::uint32_t information_class,
                                  std::span<const std::byte> buffer) {
    IO_STATUS_BLOCK io{};
    return outcome(
        handle_of(handle),
        NtSetInformationFile(handle_of(handle), &io, writable(buffer), static_cast<ULONG>(buffer.size()),
                             static_cast<FILE_INFORMATION_CLASS>(information_class)),
        io);
}

Io WindowsSystem::rename(Handle handle, const RenameCall& call) {
    // FILE_RENAME_INFORMATION: replace or flags at 0, root directory at 8, name length at 16, name at 20.
    const bool absolute = call.root == Handle::kNone && call.target.starts_with(u'\\');
    const std::u16string target = absolute ? drive_ + call.target : call.target;
    std::vector<std::byte> buffer(20 + std::max<std::size_t>(target.size() * 2, 4));
    const std::uint32_t flags = call.extended ? call.flags : std::uint32_t{call.replace};
    const std::uint64_t root = static_cast<std::uint64_t>(call.root);
    const std::uint32_t name_bytes = static_cast<std::uint32_t>(target.size() * 2);
    std::memcpy(buffer.data(), &flags, sizeof flags);
    std::memcpy(buffer.data() + 8, &root, sizeof root);
    std::memcpy(buffer.data() + 16, &name_bytes, sizeof name_bytes);
    std::memcpy(buffer.data() + 20, target.data(), name_bytes);
    return set_information(handle, call.extended ? kRenameExClass : kRenameClass, buffer);
}

Io WindowsSystem::query_directory(Handle handle, const DirectoryCall& call, std::span<std::byte> buffer) {
    IO_STATUS_BLOCK io{};
    UNICODE_STRING pattern{};
    if (call.pattern) pattern = unicode_of(*call.pattern);
    return outcome(handle_of(handle),
                   NtQueryDirectoryFile(handle_of(handle), nullptr, nullptr, nullptr, &io, buffer.data(),
                                        static_cast<ULONG>(buffer.size()),
                                        static_cast<FILE_INFORMATION_CLASS>(call.information_class),
                                        call.single_entry, call.pattern ? &pattern : nullptr, call.restart),
                   io);
}

Io WindowsSystem::query_volume_information(Handle handle, std::uint32_t information_class,
                                           std::span<std::byte> buffer) {
    IO_STATUS_BLOCK io{};
    return outcome(
        handle_of(handle),
        NtQueryVolumeInformationFile(handle_of(handle), &io, buffer.data(), static_cast<ULONG>(buffer.size()),
                                     static_cast<FS_INFORMATION_CLASS>(information_class)),
        io);
}

Io WindowsSystem::fs_control(Handle handle, std::uint32_t code, std::span<const std::byte> in,
                             std::span<std::byte> out) {
    IO_STATUS_BLOCK io{};
    return outcome(handle_of(handle),
                   NtFsControlFile(handle_of(handle), nullptr, nullptr, nullptr, &io, code, writable(in),
                                   static_cast<ULONG>(in.size()), out.data(), static_cast<ULONG>(out.size())),
                   io);
}

}  // namespace behaviour
