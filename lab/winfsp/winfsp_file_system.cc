#include "lab/winfsp/winfsp_file_system.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "lab/redirect/server.h"

namespace lab::winfsp {
namespace {

using nt::Status;

constexpr NTSTATUS kNoOperation = static_cast<NTSTATUS>(Status::kInvalidDeviceRequest);
constexpr NTSTATUS kInternalError = static_cast<NTSTATUS>(Status::kInternalError);
constexpr NTSTATUS kOverflow = static_cast<NTSTATUS>(Status::kBufferOverflow);
constexpr std::size_t kMaxNameUnits = 255;
constexpr std::uint32_t kOpenDisposition = static_cast<std::uint32_t>(nt::Disposition::kOpen) << 24;
constexpr UINT32 kFileRenameInformation = 10;
constexpr UINT32 kFileDispositionInformation = 13;
// Of a response, after its head.
constexpr std::size_t kReparseRoom = kFspResponseBytesMax - sizeof(FSP_FSCTL_TRANSACT_RSP);

Status to_status(NTSTATUS status) {
    return static_cast<Status>(static_cast<std::uint32_t>(status));
}
PVOID to_pointer(fsd::Context file) {
    return reinterpret_cast<PVOID>(file);
}

// The terminated text that callbacks take.
class Text {
  public:
    explicit Text(std::u16string_view text)
        : text_(reinterpret_cast<const wchar_t*>(text.data()), text.size()) {}
    PWSTR get() { return text_.data(); }

  private:
    std::wstring text_;
};

class OptionalText {
  public:
    explicit OptionalText(std::optional<std::u16string_view> text) {
        if (text) text_.emplace(*text);
    }
    PWSTR get() { return text_ ? text_->get() : nullptr; }

  private:
    std::optional<Text> text_;
};

nt::FileInfo to_info(const FSP_FSCTL_FILE_INFO& info) {
    return {.attributes = info.FileAttributes,
            .reparse_tag = info.ReparseTag,
            .allocation_size = info.AllocationSize,
            .file_size = info.FileSize,
            .creation_time = info.CreationTime,
            .last_access_time = info.LastAccessTime,
            .last_write_time = info.LastWriteTime,
            .change_time = info.ChangeTime,
            .index_number = info.IndexNumber,
            .hard_links = info.HardLinks,
            .ea_size = info.EaSize};
}

nt::Result<fsd::VolumeInfo> to_volume_info(NTSTATUS status, const FSP_FSCTL_VOLUME_INFO& info) {
    if (status != 0) return nt::fail(to_status(status));
    const std::size_t bytes = std::min<std::size_t>(info.VolumeLabelLength, sizeof info.VolumeLabel);
    fsd::VolumeInfo result{.total_bytes = info.TotalSize, .free_bytes = info.FreeSize, .label = {}};
    result.label.assign(reinterpret_cast<const char16_t*>(info.VolumeLabel), bytes / sizeof(WCHAR));
    return result;
}

// Records as FspFileSystemAddDirInfo lays them out. True: the end mark was met.
nt::Result<bool> give_entries(std::span<const std::byte> records, fsd::DirectorySink& sink) {
    while (records.size() >= sizeof(UINT16)) {
        UINT16 size = 0;
        std::memcpy(&size, records.data(), sizeof size);
        if (size == 0) return true;
        if (size < sizeof(FSP_FSCTL_DIR_INFO) || size > records.size())
            return nt::fail(Status::kInternalError);
        FSP_FSCTL_DIR_INFO record;
        std::memcpy(static_cast<void*>(&record), records.data(), sizeof record);
        std::u16string name((size - sizeof record) / sizeof(WCHAR), u'\0');
        std::memcpy(name.data(), records.data() + sizeof record, name.size() * sizeof(WCHAR));
        if (!sink.add(name, to_info(record.FileInfo))) return false;
        records = records.subspan(std::min<std::size_t>((size + 7u) & ~7u, records.size()));
    }
    return false;
}

}  // namespace

std::unique_ptr<Exchange> WinfspFileSystem::about(std::uint32_t kind, fsd::Context file) const {
    auto exchange = std::make_unique<Exchange>(kind, std::u16string_view());
    // All requests about a file begin with the two contexts.
    exchange->request().Req.Words[object_.UmFileContextIsUserContext2 ? 1 : 0] = file;
    return exchange;
}

template <typename Call>
nt::Result<nt::FileInfo> WinfspFileSystem::info_of(Exchange& exchange, Call&& call) {
    FSP_FSCTL_FILE_INFO info{};
    const NTSTATUS status = dispatcher_.perform(exchange, [&] { return call(&info); });
    if (status != 0) return nt::fail(to_status(status));
    return to_info(info);
}

template <typename Call>
nt::Result<fsd::Opened> WinfspFileSystem::opened_by(Exchange& exchange, Call&& call) {
    exchange.request().Req.Create.AccessToken = static_cast<UINT64>(redirect::Server::calling_process_id())
                                                << 32;
    exchange.request().Req.Create.UserMode = 1;
    exchange.request().Req.Create.HasTraversePrivilege = 1;
    exchange.request().Req.Create.CaseSensitive = 0;
    // The size stays as it is where no name is given; a name is at most kFspPathBytesMax long.
    std::vector<WCHAR> name(kFspResponseBytesMax / sizeof(WCHAR));
    FSP_FSCTL_OPEN_FILE_INFO info{};
    info.NormalizedName = name.data();
    info.NormalizedNameSize = static_cast<UINT16>(name.size() * sizeof(WCHAR));
    PVOID context = nullptr;
    const NTSTATUS status = dispatcher_.perform(exchange, [&] { return call(&context, &info.FileInfo); });
    if (status != 0) return nt::fail(to_status(status));
    fsd::Opened opened{.context = reinterpret_cast<fsd::Context>(context),
                       .info = to_info(info.FileInfo),
                       .normalized_name = {}};
    if (info.NormalizedNameSize <= kFspPathBytesMax) {
        opened.normalized_name.assign(reinterpret_cast<const char16_t*>(name.data()),
                                      info.NormalizedNameSize / sizeof(WCHAR));
    }
    return opened;
}

nt::Result<fsd::VolumeInfo> WinfspFileSystem::volume_info() {
    Exchange exchange(FspFsctlTransactQueryVolumeInformationKind, {});
    FSP_FSCTL_VOLUME_INFO info{};
    const NTSTATUS status = dispatcher_.perform(exchange, [&] {
        return operations_.GetVolumeInfo ? operations_.GetVolumeInfo(&object_, &info) : kNoOperation;
    });
    return to_volume_info(status, info);
}

nt::Result<fsd::VolumeInfo> WinfspFileSystem::set_volume_label(std::u16string_view label) {
    Exchange exchange(FspFsctlTransactSetVolumeInformationKind, {});
    FSP_FSCTL_VOLUME_INFO info{};
    Text text(label);
    const NTSTATUS status = dispatcher_.perform(exchange, [&] {
        return operations_.SetVolumeLabel ? operations_.SetVolumeLabel(&object_, text.get(), &info)
                                          : kNoOperation;
    });
    return to_volume_info(status, info);
}

bool WinfspFileSystem::has_security_by_name() const {
    return operations_.GetSecurityByName != nullptr;
}

nt::Result<fsd::NameAttributes> WinfspFileSystem::attributes_by_name(std::u16string_view path) {
    if (operations_.GetSecurityByName == nullptr) return nt::fail(Status::kInvalidDeviceRequest);
    Exchange exchange(FspFsctlTransactCreateKind, path);
    exchange.request().Req.Create.CreateOptions = kOpenDisposition;
    Text text(path);
    UINT32 attributes = 0;
    const NTSTATUS status = dispatcher_.perform(exchange, [&] {
        std::vector<std::byte> descriptor(1024);
        for (;;) {
            SIZE_T bytes = descriptor.size();
            const NTSTATUS result =
                operations_.GetSecurityByName(&object_, text.get(), &attributes, descriptor.data(), &bytes);
            if (result != kOverflow || bytes <= descriptor.size()) return result;
            descriptor.resize(bytes);
        }
    });
    // The index is where the attributes would be.
    if (to_status(status) == Status::kReparse) {
        return fsd::NameAttributes{.crosses_reparse_point = true, .reparse_index = attributes};
    }
    if (status != 0) return nt::fail(to_status(status));
    return fsd::NameAttributes{.attributes = attributes};
}

nt::Result<fsd::Opened> WinfspFileSystem::create(std::u16string_view path, std::uint32_t create_options,
                                                 std::uint32_t granted_access, std::uint32_t attributes,
                                                 std::uint64_t allocation_size) {
    Exchange exchange(FspFsctlTransactCreateKind, path);
    exchange.request().Req.Create.CreateOptions = create_options;
    exchange.request().Req.Create.FileAttributes = attributes;
    exchange.request().Req.Create.GrantedAccess = granted_access;
    exchange.request().Req.Create.AllocationSize = allocation_size;
    Text text(path);
    return opened_by(exchange, [&](PVOID* context, FSP_FSCTL_FILE_INFO* info) {
        if (operations_.CreateEx != nullptr) {
            return operations_.CreateEx(&object_, text.get(), create_options, granted_access, attributes,
                                        nullptr, allocation_size, nullptr, 0, FALSE, context, info);
        }
        if (operations_.Create == nullptr) return kNoOperation;
        return operations_.Create(&object_, text.get(), create_options, granted_access, attributes, nullptr,
                                  allocation_size, context, info);
    });
}

nt::Result<fsd::Opened> WinfspFileSystem::open(std::u16string_view path, std::uint32_t create_options,
                                               std::uint32_t granted_access) {
    Exchange exchange(FspFsctlTransactCreateKind, path);
    exchange.request().Req.Create.CreateOptions = create_options;
    exchange.request().Req.Create.GrantedAccess = granted_access;
    Text text(path);
    return opened_by(exchange, [&](PVOID* context, FSP_FSCTL_FILE_INFO* info) {
        if (operations_.Open == nullptr) return kNoOperation;
        return operations_.Open(&object_, text.get(), create_options, granted_access, context, info);
    });
}

nt::Result<nt::FileInfo> WinfspFileSystem::overwrite(fsd::Context file, std::uint32_t attributes,
                                                     bool replace_attributes, std::uint64_t allocation_size) {
    const auto exchange = about(FspFsctlTransactOverwriteKind, file);
    return info_of(*exchange, [&](FSP_FSCTL_FILE_INFO* info) {
        if (operations_.OverwriteEx != nullptr) {
            return operations_.OverwriteEx(&object_, to_pointer(file), attributes, replace_attributes,
                                           allocation_size, nullptr, 0, info);
        }
        if (operations_.Overwrite == nullptr) return kNoOperation;
        return operations_.Overwrite(&object_, to_pointer(file), attributes, replace_attributes,
                                     allocation_size, info);
    });
}

void WinfspFileSystem::cleanup(fsd::Context file, std::optional<std::u16string_view> path_if_deleting,
                               fsd::CleanupFlags flags) {
    if (operations_.Cleanup == nullptr) return;
    const auto exchange = about(FspFsctlTransactCleanupKind, file);
    exchange->request().Req.Cleanup.Delete = flags.remove;
    ULONG bits = 0;
    if (flags.remove) bits |= FspCleanupDelete;
    if (flags.set_allocation_size) bits |= FspCleanupSetAllocationSize;
    if (flags.set_archive_bit) bits |= FspCleanupSetArchiveBit;
    if (flags.set_last_access_time) bits |= FspCleanupSetLastAccessTime;
    if (flags.set_last_write_time) bits |= FspCleanupSetLastWriteTime;
    if (flags.set_change_time) bits |= FspCleanupSetChangeTime;
    OptionalText path(path_if_deleting);
    dispatcher_.perform(*exchange, [&] {
        operations_.Cleanup(&object_, to_pointer(file), path.get(), bits);
        return NTSTATUS{0};
    });
}

void WinfspFileSystem::close(fsd::Context file) {
    if (operations_.Close == nullptr) return;
    dispatcher_.post(about(FspFsctlTransactCloseKind, file), [this, file] {
        operations_.Close(&object_, to_pointer(file));
        return NTSTATUS{0};
    });
}

nt::Result<std::uint32_t> WinfspFileSystem::read(fsd::Context file, std::span<std::byte> buffer,
                                                 std::uint64_t offset) {
    const auto exchange = about(FspFsctlTransactReadKind, file);
    auto& request = exchange->request().Req.Read;
    request.Address = reinterpret_cast<UINT64>(buffer.data());
    request.Offset = offset;
    request.Length = static_cast<UINT32>(buffer.size());
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        if (operations_.Read == nullptr) return kNoOperation;
        ULONG bytes = 0;
        const NTSTATUS result = operations_.Read(&object_, to_pointer(file), buffer.data(), offset,
                                                 static_cast<ULONG>(buffer.size()), &bytes);
        if (result == 0) exchange->response().IoStatus.Information = bytes;
        return result;
    });
    if (status != 0) return nt::fail(to_status(status));
    const std::uint32_t bytes = exchange->response().IoStatus.Information;
    if (bytes > buffer.size()) return nt::fail(Status::kInternalError);
    return bytes;
}

nt::Result<fsd::Written> WinfspFileSystem::write(fsd::Context file, std::span<const std::byte> data,
                                                 const fsd::WriteRequest& where) {
    const auto exchange = about(FspFsctlTransactWriteKind, file);
    auto& request = exchange->request().Req.Write;
    const UINT64 offset = where.to_end_of_file ? ~UINT64{0} : where.offset;
    request.Address = reinterpret_cast<UINT64>(data.data());
    request.Offset = offset;
    request.Length = static_cast<UINT32>(data.size());
    request.ConstrainedIo = where.constrained;
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        if (operations_.Write == nullptr) return kNoOperation;
        ULONG bytes = 0;
        const NTSTATUS result =
            operations_.Write(&object_, to_pointer(file), const_cast<std::byte*>(data.data()), offset,
                              static_cast<ULONG>(data.size()), where.to_end_of_file, where.constrained,
                              &bytes, &exchange->response().Rsp.Write.FileInfo);
        if (result == 0) exchange->response().IoStatus.Information = bytes;
        return result;
    });
    if (status != 0) return nt::fail(to_status(status));
    const std::uint32_t bytes = exchange->response().IoStatus.Information;
    if (bytes > data.size()) return nt::fail(Status::kInternalError);
    return fsd::Written{.bytes = bytes, .info = to_info(exchange->response().Rsp.Write.FileInfo)};
}

nt::Result<nt::FileInfo> WinfspFileSystem::flush(std::optional<fsd::Context> file) {
    const auto exchange = about(FspFsctlTransactFlushBuffersKind, file.value_or(0));
    const PVOID context = file ? to_pointer(*file) : nullptr;
    return info_of(*exchange, [&](FSP_FSCTL_FILE_INFO* info) {
        if (operations_.Flush != nullptr) return operations_.Flush(&object_, context, info);
        if (context == nullptr) return NTSTATUS{0};
        return operations_.GetFileInfo ? operations_.GetFileInfo(&object_, context, info) : kNoOperation;
    });
}

nt::Result<nt::FileInfo> WinfspFileSystem::file_info(fsd::Context file) {
    const auto exchange = about(FspFsctlTransactQueryInformationKind, file);
    return info_of(*exchange, [&](FSP_FSCTL_FILE_INFO* info) {
        return operations_.GetFileInfo ? operations_.GetFileInfo(&object_, to_pointer(file), info)
                                       : kNoOperation;
    });
}

nt::Result<nt::FileInfo> WinfspFileSystem::set_basic_info(fsd::Context file,
                                                          const fsd::BasicInfoChange& change) {
    const auto exchange = about(FspFsctlTransactSetInformationKind, file);
    return info_of(*exchange, [&](FSP_FSCTL_FILE_INFO* info) {
        if (operations_.SetBasicInfo == nullptr) return kNoOperation;
        return operations_.SetBasicInfo(
            &object_, to_pointer(file), change.attributes.value_or(INVALID_FILE_ATTRIBUTES),
            change.creation_time, change.last_access_time, change.last_write_time, change.change_time, info);
    });
}

nt::Result<nt::FileInfo> WinfspFileSystem::set_file_size(fsd::Context file, std::uint64_t bytes,
                                                         bool allocation_size) {
    const auto exchange = about(FspFsctlTransactSetInformationKind, file);
    return info_of(*exchange, [&](FSP_FSCTL_FILE_INFO* info) {
        if (operations_.SetFileSize == nullptr) return kNoOperation;
        return operations_.SetFileSize(&object_, to_pointer(file), bytes, allocation_size, info);
    });
}

nt::Result<void> WinfspFileSystem::set_delete(fsd::Context file, std::u16string_view path, bool remove) {
    const auto exchange = about(FspFsctlTransactSetInformationKind, file);
    exchange->request().Req.SetInformation.FileInformationClass = kFileDispositionInformation;
    Text text(path);
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        if (operations_.SetDelete != nullptr) {
            return operations_.SetDelete(&object_, to_pointer(file), text.get(), remove);
        }
        if (operations_.CanDelete == nullptr) return kNoOperation;
        return remove ? operations_.CanDelete(&object_, to_pointer(file), text.get()) : NTSTATUS{0};
    });
    if (status != 0) return nt::fail(to_status(status));
    return {};
}

nt::Result<void> WinfspFileSystem::rename(fsd::Context file, std::u16string_view from, std::u16string_view to,
                                          bool replace) {
    const auto exchange = about(FspFsctlTransactSetInformationKind, file);
    exchange->request().Req.SetInformation.FileInformationClass = kFileRenameInformation;
    if (replace) {
        exchange->request().Req.SetInformation.Info.Rename.AccessToken =
            static_cast<UINT64>(redirect::Server::calling_process_id()) << 32;
    }
    Text old_path(from);
    Text new_path(to);
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        if (operations_.Rename == nullptr) return kNoOperation;
        return operations_.Rename(&object_, to_pointer(file), old_path.get(), new_path.get(), replace);
    });
    if (status != 0) return nt::fail(to_status(status));
    return {};
}

nt::Result<bool> WinfspFileSystem::read_directory(fsd::Context directory,
                                                  std::optional<std::u16string_view> pattern,
                                                  std::optional<std::u16string_view> marker,
                                                  std::size_t buffer_bytes, fsd::DirectorySink& sink) {
    const auto exchange = about(FspFsctlTransactQueryDirectoryKind, directory);
    std::vector<std::byte> buffer(buffer_bytes);
    auto& request = exchange->request().Req.QueryDirectory;
    request.Address = reinterpret_cast<UINT64>(buffer.data());
    request.Length = static_cast<UINT32>(buffer.size());
    OptionalText pattern_text(pattern);
    OptionalText marker_text(marker);
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        if (operations_.ReadDirectory == nullptr) return kNoOperation;
        ULONG bytes = 0;
        const NTSTATUS result =
            operations_.ReadDirectory(&object_, to_pointer(directory), pattern_text.get(), marker_text.get(),
                                      buffer.data(), static_cast<ULONG>(buffer.size()), &bytes);
        if (result == 0) exchange->response().IoStatus.Information = bytes;
        return result;
    });
    if (status != 0) return nt::fail(to_status(status));
    const std::uint32_t bytes = exchange->response().IoStatus.Information;
    if (bytes > buffer.size()) return nt::fail(Status::kInternalError);
    return give_entries(std::span(buffer).first(bytes), sink);
}

nt::Result<nt::FileInfo> WinfspFileSystem::entry_by_name(fsd::Context directory, std::u16string_view name,
                                                         std::u16string& real_name) {
    if (operations_.GetDirInfoByName == nullptr) return nt::fail(Status::kInvalidDeviceRequest);
    const auto exchange = about(FspFsctlTransactQueryDirectoryKind, directory);
    exchange->request().Req.QueryDirectory.PatternIsFileName = 1;
    Text text(name);
    std::vector<std::uint64_t> memory((sizeof(FSP_FSCTL_DIR_INFO) + kMaxNameUnits * sizeof(WCHAR)) / 8 + 1);
    auto* record = reinterpret_cast<FSP_FSCTL_DIR_INFO*>(memory.data());
    record->Size = sizeof *record;
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        return operations_.GetDirInfoByName(&object_, to_pointer(directory), text.get(), record);
    });
    if (status != 0) return nt::fail(to_status(status));
    if (record->Size < sizeof *record || record->Size > sizeof *record + kMaxNameUnits * sizeof(WCHAR)) {
        return nt::fail(Status::kInternalError);
    }
    real_name.assign(reinterpret_cast<const char16_t*>(record->FileNameBuf),
                     (record->Size - sizeof *record) / sizeof(WCHAR));
    return to_info(record->FileInfo);
}

nt::Result<fsd::Resolved> WinfspFileSystem::resolve_reparse_points(std::u16string_view path,
                                                                   std::uint32_t index, bool resolve_last) {
    if (operations_.ResolveReparsePoints == nullptr) return nt::fail(Status::kInvalidDeviceRequest);
    Exchange exchange(FspFsctlTransactCreateKind, path);
    exchange.request().Req.Create.CreateOptions = kOpenDisposition;
    Text text(path);
    fsd::Resolved resolved{.data = std::vector<std::byte>(kReparseRoom)};
    const NTSTATUS status = dispatcher_.perform(exchange, [&] {
        IO_STATUS_BLOCK io{};
        SIZE_T bytes = resolved.data.size();
        const NTSTATUS result = operations_.ResolveReparsePoints(&object_, text.get(), index, resolve_last,
                                                                 &io, resolved.data.data(), &bytes);
        if (to_status(result) != Status::kReparse) return result < 0 ? result : kInternalError;
        if (bytes > resolved.data.size()) return kInternalError;
        resolved.data.resize(bytes);
        resolved.tag = static_cast<std::uint32_t>(io.Information);
        return NTSTATUS{0};
    });
    if (status != 0) return nt::fail(to_status(status));
    return resolved;
}

nt::Result<std::size_t> WinfspFileSystem::get_reparse_point(fsd::Context file, std::u16string_view path,
                                                            std::span<std::byte> buffer) {
    if (operations_.GetReparsePoint == nullptr) return nt::fail(Status::kInvalidDeviceRequest);
    const auto exchange = about(FspFsctlTransactFileSystemControlKind, file);
    Text text(path);
    SIZE_T bytes = std::min(buffer.size(), kReparseRoom);
    const std::size_t room = bytes;
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        return operations_.GetReparsePoint(&object_, to_pointer(file), text.get(), buffer.data(), &bytes);
    });
    if (status != 0) return nt::fail(to_status(status));
    if (bytes > room) return nt::fail(Status::kInternalError);
    return bytes;
}

nt::Result<void> WinfspFileSystem::set_reparse_point(fsd::Context file, std::u16string_view path,
                                                     std::span<const std::byte> data) {
    if (operations_.SetReparsePoint == nullptr) return nt::fail(Status::kInvalidDeviceRequest);
    const auto exchange = about(FspFsctlTransactFileSystemControlKind, file);
    Text text(path);
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        return operations_.SetReparsePoint(&object_, to_pointer(file), text.get(),
                                           const_cast<std::byte*>(data.data()), data.size());
    });
    if (status != 0) return nt::fail(to_status(status));
    return {};
}

nt::Result<void> WinfspFileSystem::delete_reparse_point(fsd::Context file, std::u16string_view path,
                                                        std::span<const std::byte> data) {
    if (operations_.DeleteReparsePoint == nullptr) return nt::fail(Status::kInvalidDeviceRequest);
    const auto exchange = about(FspFsctlTransactFileSystemControlKind, file);
    Text text(path);
    const NTSTATUS status = dispatcher_.perform(*exchange, [&] {
        return operations_.DeleteReparsePoint(&object_, to_pointer(file), text.get(),
                                              const_cast<std::byte*>(data.data()), data.size());
    });
    if (status != 0) return nt::fail(to_status(status));
    return {};
}

}  // namespace lab::winfsp
