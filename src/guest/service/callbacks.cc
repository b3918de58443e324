#include "guest/service/callbacks.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "guest/service/win32.h"

namespace guest::service {
namespace {

constexpr UINT32 kOptionBits = 0x00FFFFFF;  // of CreateOptions; the disposition is above them
constexpr std::size_t kMaxNameUnits = 255;  // VolumeParams.MaxComponentLength

NTSTATUS to_ntstatus(nt::Status status) {
    return static_cast<NTSTATUS>(status);
}

CallbackContext& context_of(FSP_FILE_SYSTEM* fs) {
    return *static_cast<CallbackContext*>(fs->UserContext);
}
Volume& volume_of(FSP_FILE_SYSTEM* fs) {
    return context_of(fs).volume;
}
File& file_of(PVOID context) {
    return *static_cast<File*>(context);
}

// Runs a callback's body, which returns nt::Result<void>. No exception may reach WinFsp.
template <typename Body>
NTSTATUS answer(Body&& body) noexcept {
    try {
        const nt::Result<void> result = body();
        return to_ntstatus(result ? nt::Status::kSuccess : result.error());
    } catch (const std::bad_alloc&) {
        return to_ntstatus(nt::Status::kInsufficientResources);
    } catch (...) {
        return to_ntstatus(nt::Status::kInternalError);
    }
}

FSP_FSCTL_FILE_INFO to_fsp(const nt::FileInfo& info) {
    return {.FileAttributes = info.attributes,
            .ReparseTag = info.reparse_tag,
            .AllocationSize = info.allocation_size,
            .FileSize = info.file_size,
            .CreationTime = info.creation_time,
            .LastAccessTime = info.last_access_time,
            .LastWriteTime = info.last_write_time,
            .ChangeTime = info.change_time,
            .IndexNumber = info.index_number,
            .HardLinks = 0,
            .EaSize = info.ea_size};
}

nt::Result<void> store(nt::Result<nt::FileInfo> result, FSP_FSCTL_FILE_INFO* info) {
    if (!result) return nt::fail(result.error());
    *info = to_fsp(*result);
    return {};
}

// A directory record with room for the longest name.
class DirectoryRecord {
  public:
    bool set(std::u16string_view name, const nt::FileInfo& info) {
        if (name.size() > kMaxNameUnits) return false;
        record().Size = static_cast<UINT16>(sizeof(FSP_FSCTL_DIR_INFO) + name.size() * sizeof(WCHAR));
        record().FileInfo = to_fsp(info);
        std::memcpy(bytes_ + sizeof(FSP_FSCTL_DIR_INFO), name.data(), name.size() * sizeof(WCHAR));
        return true;
    }
    FSP_FSCTL_DIR_INFO& record() { return *reinterpret_cast<FSP_FSCTL_DIR_INFO*>(bytes_); }

  private:
    alignas(8) std::byte bytes_[sizeof(FSP_FSCTL_DIR_INFO) + kMaxNameUnits * sizeof(WCHAR)] = {};
};

NTSTATUS get_volume_info(FSP_FILE_SYSTEM* fs, FSP_FSCTL_VOLUME_INFO* info) {
    return answer([&]() -> nt::Result<void> {
        const auto result = volume_of(fs).volume_info();
        if (!result) return nt::fail(result.error());
        info->TotalSize = result->total_bytes;
        info->FreeSize = result->free_bytes;
        const std::u16string& label = context_of(fs).label;
        const std::size_t bytes = std::min(label.size() * sizeof(WCHAR), sizeof info->VolumeLabel);
        std::memcpy(info->VolumeLabel, label.data(), bytes);
        info->VolumeLabelLength = static_cast<UINT16>(bytes);
        return {};
    });
}

// Copies a reparse point into a buffer that has room for `*bytes`; without a buffer only whether there is one
// is asked.
nt::Result<void> give(const std::vector<std::byte>& data, PVOID buffer, SIZE_T* bytes) {
    if (bytes == nullptr) return {};
    if (buffer != nullptr) {
        if (data.size() > *bytes) return nt::fail(nt::Status::kBufferTooSmall);
        std::memcpy(buffer, data.data(), data.size());
    }
    *bytes = data.size();
    return {};
}

// What WinFsp's helpers ask of each component of a path.
NTSTATUS get_reparse_point_by_name(FSP_FILE_SYSTEM* fs, PVOID, PWSTR path, BOOLEAN, PVOID buffer,
                                   SIZE_T* bytes) {
    return answer([&]() -> nt::Result<void> {
        if (buffer == nullptr && bytes == nullptr) {
            const auto attributes = volume_of(fs).attributes_of(as_utf16(path));
            if (!attributes) return nt::fail(attributes.error());
            const bool is_link = (*attributes & nt::file_attribute::kReparsePoint) != 0;
            return is_link ? nt::Result<void>() : nt::fail(nt::Status::kNotAReparsePoint);
        }
        const auto data = volume_of(fs).reparse_point_of(as_utf16(path));
        if (!data) return nt::fail(data.error());
        return give(*data, buffer, bytes);
    });
}

NTSTATUS get_security_by_name(FSP_FILE_SYSTEM* fs, PWSTR path, PUINT32 attributes, PSECURITY_DESCRIPTOR,
                              SIZE_T* descriptor_bytes) {
    return answer([&]() -> nt::Result<void> {
        const auto result = volume_of(fs).attributes_of(as_utf16(path));
        if (!result) {
            // The attributes' place then takes where in the path the link is.
            if (result.error() == nt::Status::kReparse && attributes != nullptr) {
                *attributes = 0;
                FspFileSystemFindReparsePoint(fs, get_reparse_point_by_name, nullptr, path, attributes);
            }
            return nt::fail(result.error());
        }
        if (attributes != nullptr) *attributes = *result;
        if (descriptor_bytes != nullptr) *descriptor_bytes = 0;  // no descriptor: everybody may do everything
        return {};
    });
}

nt::Result<void> keep(FSP_FILE_SYSTEM* fs, nt::Result<Opened> opened, PVOID* context,
                      FSP_FSCTL_FILE_INFO* info) {
    if (!opened) return nt::fail(opened.error());
    try {
        context_of(fs).open_files.add(opened->file);
    } catch (...) {
        volume_of(fs).close(opened->file);
        throw;
    }
    *context = opened->file;
    *info = to_fsp(opened->info);
    return {};
}

NTSTATUS create(FSP_FILE_SYSTEM* fs, PWSTR path, UINT32 options, UINT32 granted_access, UINT32 attributes,
                PSECURITY_DESCRIPTOR, UINT64 allocation_size, PVOID* context, FSP_FSCTL_FILE_INFO* info) {
    return answer([&] {
        return keep(fs,
                    volume_of(fs).create(as_utf16(path), {.options = options & kOptionBits,
                                                          .granted_access = granted_access,
                                                          .attributes = attributes,
                                                          .allocation_size = allocation_size,
                                                          .disposition = nt::Disposition{options >> 24}}),
                    context, info);
    });
}

NTSTATUS open(FSP_FILE_SYSTEM* fs, PWSTR path, UINT32 options, UINT32 granted_access, PVOID* context,
              FSP_FSCTL_FILE_INFO* info) {
    return answer([&] {
        return keep(fs,
                    volume_of(fs).open(as_utf16(path),
                                       {.options = options & kOptionBits, .granted_access = granted_access}),
                    context, info);
    });
}

NTSTATUS overwrite(FSP_FILE_SYSTEM* fs, PVOID context, UINT32 attributes, BOOLEAN replace_attributes,
                   UINT64 allocation_size, FSP_FSCTL_FILE_INFO* info) {
    return answer([&] {
        return store(
            volume_of(fs).overwrite(file_of(context), attributes, replace_attributes, allocation_size), info);
    });
}

void cleanup(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR path, ULONG flags) {
    static_cast<void>(answer([&]() -> nt::Result<void> {
        const CleanupActions actions{.remove = (flags & FspCleanupDelete) != 0,
                                     .set_allocation_size = (flags & FspCleanupSetAllocationSize) != 0,
                                     .set_archive_bit = (flags & FspCleanupSetArchiveBit) != 0,
                                     .set_last_access_time = (flags & FspCleanupSetLastAccessTime) != 0,
                                     .set_last_write_time = (flags & FspCleanupSetLastWriteTime) != 0,
                                     .set_change_time = (flags & FspCleanupSetChangeTime) != 0};
        const std::u16string_view name = path != nullptr ? as_utf16(path) : std::u16string_view();
        volume_of(fs).cleanup(file_of(context), name, actions);
        return {};
    }));
}

void close(FSP_FILE_SYSTEM* fs, PVOID context) {
    File* const file = &file_of(context);
    context_of(fs).open_files.remove(file);
    volume_of(fs).close(file);
}

NTSTATUS read(FSP_FILE_SYSTEM* fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
              PULONG transferred) {
    return answer([&]() -> nt::Result<void> {
        const auto result =
            volume_of(fs).read(file_of(context), {static_cast<std::byte*>(buffer), length}, offset);
        if (!result) return nt::fail(result.error());
        *transferred = *result;
        return {};
    });
}

NTSTATUS write(FSP_FILE_SYSTEM* fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length,
               BOOLEAN to_end_of_file, BOOLEAN constrained, PULONG transferred, FSP_FSCTL_FILE_INFO* info) {
    return answer([&]() -> nt::Result<void> {
        const auto result = volume_of(fs).write(
            file_of(context), {static_cast<const std::byte*>(buffer), length},
            {.offset = offset, .to_end_of_file = to_end_of_file != 0, .constrained = constrained != 0});
        if (!result) return nt::fail(result.error());
        *transferred = result->bytes;
        *info = to_fsp(result->info);
        return {};
    });
}

NTSTATUS flush(FSP_FILE_SYSTEM* fs, PVOID context, FSP_FSCTL_FILE_INFO* info) {
    return answer([&]() -> nt::Result<void> {
        if (context == nullptr) return volume_of(fs).flush_volume();
        return store(volume_of(fs).flush(file_of(context)), info);
    });
}

NTSTATUS get_file_info(FSP_FILE_SYSTEM* fs, PVOID context, FSP_FSCTL_FILE_INFO* info) {
    return answer([&] { return store(volume_of(fs).file_info(file_of(context)), info); });
}

NTSTATUS set_basic_info(FSP_FILE_SYSTEM* fs, PVOID context, UINT32 attributes, UINT64 creation_time,
                        UINT64 last_access_time, UINT64 last_write_time, UINT64 change_time,
                        FSP_FSCTL_FILE_INFO* info) {
    return answer([&] {
        BasicInfoChange change{.attributes = std::nullopt,
                               .creation_time = creation_time,
                               .last_access_time = last_access_time,
                               .last_write_time = last_write_time,
                               .change_time = change_time};
        if (attributes != INVALID_FILE_ATTRIBUTES) change.attributes = attributes;
        return store(volume_of(fs).set_basic_info(file_of(context), change), info);
    });
}

NTSTATUS set_file_size(FSP_FILE_SYSTEM* fs, PVOID context, UINT64 size, BOOLEAN allocation_size,
                       FSP_FSCTL_FILE_INFO* info) {
    return answer([&] {
        const SizeKind kind = allocation_size ? SizeKind::kAllocation : SizeKind::kEndOfFile;
        return store(volume_of(fs).set_size(file_of(context), size, kind), info);
    });
}

NTSTATUS can_delete(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR path) {
    return answer([&] { return volume_of(fs).can_delete(file_of(context), as_utf16(path)); });
}

NTSTATUS rename(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR from, PWSTR to, BOOLEAN replace) {
    return answer(
        [&] { return volume_of(fs).rename(file_of(context), as_utf16(from), as_utf16(to), replace != 0); });
}

NTSTATUS read_directory(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR, PWSTR marker, PVOID buffer, ULONG length,
                        PULONG transferred) {
    return answer([&]() -> nt::Result<void> {
        std::optional<std::u16string_view> after;
        if (marker != nullptr) after = as_utf16(marker);
        DirectoryRecord record;
        const auto at_end =
            volume_of(fs).read_directory(file_of(context), after, [&](const DirectoryEntry& entry) {
                if (!record.set(entry.name, entry.info))
                    return true;  // longer than NT's names can be: not shown
                return FspFileSystemAddDirInfo(&record.record(), buffer, length, transferred) != 0;
            });
        if (!at_end) return nt::fail(at_end.error());
        if (*at_end) FspFileSystemAddDirInfo(nullptr, buffer, length, transferred);
        return {};
    });
}

NTSTATUS get_dir_info_by_name(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR name, FSP_FSCTL_DIR_INFO* result) {
    return answer([&]() -> nt::Result<void> {
        const std::u16string_view wanted = as_utf16(name);
        const auto info = volume_of(fs).entry_of(file_of(context), wanted);
        if (!info) return nt::fail(info.error());
        DirectoryRecord record;
        if (!record.set(wanted, *info)) return nt::fail(nt::Status::kObjectNameInvalid);
        std::memcpy(static_cast<void*>(result), &record.record(), record.record().Size);
        return {};
    });
}

NTSTATUS resolve_reparse_points(FSP_FILE_SYSTEM* fs, PWSTR path, UINT32 index, BOOLEAN resolve_last,
                                PIO_STATUS_BLOCK io, PVOID buffer, SIZE_T* bytes) {
    return FspFileSystemResolveReparsePoints(fs, get_reparse_point_by_name, nullptr, path, index,
                                             resolve_last, io, buffer, bytes);
}

NTSTATUS get_reparse_point(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR path, PVOID buffer, SIZE_T* bytes) {
    return answer([&]() -> nt::Result<void> {
        const auto data = volume_of(fs).reparse_point(file_of(context), as_utf16(path));
        if (!data) return nt::fail(data.error());
        return give(*data, buffer, bytes);
    });
}

NTSTATUS set_reparse_point(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR path, PVOID buffer, SIZE_T bytes) {
    return answer([&] {
        return volume_of(fs).set_reparse_point(file_of(context), as_utf16(path),
                                               {static_cast<const std::byte*>(buffer), bytes});
    });
}

NTSTATUS delete_reparse_point(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR path, PVOID buffer, SIZE_T bytes) {
    return answer([&] {
        return volume_of(fs).delete_reparse_point(file_of(context), as_utf16(path),
                                                  {static_cast<const std::byte*>(buffer), bytes});
    });
}

void dispatcher_stopped(FSP_FILE_SYSTEM* fs, BOOLEAN normally) {
    context_of(fs).dispatcher_stopped(normally != 0);
}

}  // namespace

const FSP_FILE_SYSTEM_INTERFACE& operations_table() {
    static constexpr FSP_FILE_SYSTEM_INTERFACE kTable = [] {
        FSP_FILE_SYSTEM_INTERFACE table{};
        table.GetVolumeInfo = get_volume_info;
        table.GetSecurityByName = get_security_by_name;
        table.Create = create;
        table.Open = open;
        table.Overwrite = overwrite;
        table.Cleanup = cleanup;
        table.Close = close;
        table.Read = read;
        table.Write = write;
        table.Flush = flush;
        table.GetFileInfo = get_file_info;
        table.SetBasicInfo = set_basic_info;
        table.SetFileSize = set_file_size;
        table.CanDelete = can_delete;
        table.Rename = rename;
        table.ReadDirectory = read_directory;
        table.GetDirInfoByName = get_dir_info_by_name;
        table.ResolveReparsePoints = resolve_reparse_points;
        table.GetReparsePoint = get_reparse_point;
        table.SetReparsePoint = set_reparse_point;
        table.DeleteReparsePoint = delete_reparse_point;
        table.DispatcherStopped = dispatcher_stopped;
        return table;
    }();
    return kTable;
}

}  // namespace guest::service
