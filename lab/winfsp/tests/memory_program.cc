// A WinFsp file system in memory, written against WinFsp's API alone: what the stand-in DLL is tested with.
// winfsp_memory.exe MOUNT_POINT runs until Ctrl-C. Reads, writes and directory reads answer STATUS_PENDING
// and complete on another thread; listings go through the directory buffer. Exit code 0: all callbacks came
// as they should.
#include <windows.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lab/fsd/memory_file_system.h"
#include "threads/mutex.h"
#include "winfsp/winfsp.h"

namespace {

using lab::fsd::Context;
using lab::fsd::MemoryFileSystem;
using nt::Status;

constexpr NTSTATUS kPending = static_cast<NTSTATUS>(Status::kPending);

struct Open {
    Context context = 0;
    PVOID listing = nullptr;
};

// Carries out what is completed later, on threads of its own.
class Workers {
  public:
    explicit Workers(int count) {
        for (int i = 0; i < count; ++i)
            threads_.emplace_back([this] { serve(); });
    }
    ~Workers() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            posted_.notify_all();
        }
        for (std::thread& thread : threads_)
            thread.join();
    }
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    void post(std::function<void()> work) {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(work));
        posted_.notify_one();
    }

  private:
    void serve() {
        std::unique_lock lock(mutex_);
        for (;;) {
            posted_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
            if (queue_.empty()) return;
            const std::function<void()> work = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            work();
            lock.lock();
        }
    }

    threads::Mutex mutex_;
    threads::Condition posted_;
    bool stopping_ = false;
    std::deque<std::function<void()>> queue_;
    std::vector<std::thread> threads_;
};

struct Program {
    std::wstring mount_point;
    Workers workers{3};
    MemoryFileSystem files;
    FSP_FILE_SYSTEM* file_system = nullptr;
    threads::Mutex mutex;
    threads::Condition closed;
    int opens = 0;
};

MemoryFileSystem& files_of(FSP_FILE_SYSTEM* fs) {
    return static_cast<Program*>(fs->UserContext)->files;
}
Open& open_of(PVOID context) {
    return *static_cast<Open*>(context);
}
std::u16string_view view(const wchar_t* text) {
    return reinterpret_cast<const char16_t*>(text);
}
std::optional<std::u16string_view> optional_view(const wchar_t* text) {
    return text != nullptr ? std::optional(view(text)) : std::nullopt;
}
NTSTATUS code(Status status) {
    return static_cast<NTSTATUS>(status);
}

FSP_FSCTL_FILE_INFO to_fsp(const nt::FileInfo& info) {
    return {info.attributes,      info.reparse_tag,
            info.allocation_size, info.file_size,
            info.creation_time,   info.last_access_time,
            info.last_write_time, info.change_time,
            info.index_number,    0,
            info.ea_size};
}

NTSTATUS store(const nt::Result<nt::FileInfo>& result, FSP_FSCTL_FILE_INFO* info) {
    if (!result) return code(result.error());
    *info = to_fsp(*result);
    return 0;
}

NTSTATUS store(const nt::Result<void>& result) {
    return result ? 0 : code(result.error());
}

NTSTATUS keep(FSP_FILE_SYSTEM* fs, const nt::Result<lab::fsd::Opened>& opened, PVOID* context,
              FSP_FSCTL_FILE_INFO* info) {
    if (!opened) return code(opened.error());
    auto& program = *static_cast<Program*>(fs->UserContext);
    const std::lock_guard lock(program.mutex);
    ++program.opens;
    *context = new Open{.context = opened->context};
    *info = to_fsp(opened->info);
    return 0;
}

// Completes the current request on another thread; `work` fills in the response.
template <typename Work>
NTSTATUS later(FSP_FILE_SYSTEM* fs, Work work) {
    const FSP_FSCTL_TRANSACT_REQ& request = *FspFileSystemGetOperationContext()->Request;
    FSP_FSCTL_TRANSACT_RSP response{};
    response.Size = sizeof response;
    response.Kind = request.Kind;
    response.Hint = request.Hint;
    static_cast<Program*>(fs->UserContext)->workers.post([fs, response, work]() mutable {
        response.IoStatus.Status = static_cast<UINT32>(work(response));
        FspFileSystemSendResponse(fs, &response);
    });
    return kPending;
}

NTSTATUS get_volume_info(FSP_FILE_SYSTEM* fs, FSP_FSCTL_VOLUME_INFO* info) {
    const auto result = files_of(fs).volume_info();
    if (!result) return code(result.error());
    info->TotalSize = result->total_bytes;
    info->FreeSize = result->free_bytes;
    info->VolumeLabelLength = static_cast<UINT16>(result->label.size() * sizeof(WCHAR));
    std::memcpy(info->VolumeLabel, result->label.data(), info->VolumeLabelLength);
    return 0;
}

NTSTATUS get_security_by_name(FSP_FILE_SYSTEM* fs, PWSTR path, PUINT32 attributes, PSECURITY_DESCRIPTOR,
                              SIZE_T* bytes) {
    const auto result = files_of(fs).attributes_by_name(view(path));
    if (!result) return code(result.error());
    if (attributes != nullptr) *attributes = result->attributes;
    if (bytes != nullptr) *bytes = 0;
    return 0;
}

NTSTATUS create(FSP_FILE_SYSTEM* fs, PWSTR path, UINT32 options, UINT32 access, UINT32 attributes,
                PSECURITY_DESCRIPTOR, UINT64 allocation, PVOID* context, FSP_FSCTL_FILE_INFO* info) {
    return keep(fs, files_of(fs).create(view(path), options, access, attributes, allocation), context, info);
}

NTSTATUS open(FSP_FILE_SYSTEM* fs, PWSTR path, UINT32 options, UINT32 access, PVOID* context,
              FSP_FSCTL_FILE_INFO* info) {
    return keep(fs, files_of(fs).open(view(path), options, access), context, info);
}

NTSTATUS overwrite(FSP_FILE_SYSTEM* fs, PVOID context, UINT32 attributes, BOOLEAN replace, UINT64 allocation,
                   FSP_FSCTL_FILE_INFO* info) {
    return store(files_of(fs).overwrite(open_of(context).context, attributes, replace, allocation), info);
}

void cleanup(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR path, ULONG flags) {
    files_of(fs).cleanup(open_of(context).context, optional_view(path),
                         {.remove = (flags & FspCleanupDelete) != 0,
                          .set_allocation_size = (flags & FspCleanupSetAllocationSize) != 0,
                          .set_archive_bit = (flags & FspCleanupSetArchiveBit) != 0,
                          .set_last_access_time = (flags & FspCleanupSetLastAccessTime) != 0,
                          .set_last_write_time = (flags & FspCleanupSetLastWriteTime) != 0,
                          .set_change_time = (flags & FspCleanupSetChangeTime) != 0});
}

void close(FSP_FILE_SYSTEM* fs, PVOID context) {
    const std::unique_ptr<Open> open(&open_of(context));
    FspFileSystemDeleteDirectoryBuffer(&open->listing);
    files_of(fs).close(open->context);
    auto& program = *static_cast<Program*>(fs->UserContext);
    const std::lock_guard lock(program.mutex);
    --program.opens;
    program.closed.notify_all();
}

NTSTATUS read(FSP_FILE_SYSTEM* fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length, PULONG) {
    return later(fs, [=](FSP_FSCTL_TRANSACT_RSP& response) {
        const auto result =
            files_of(fs).read(open_of(context).context, {static_cast<std::byte*>(buffer), length}, offset);
        if (!result) return code(result.error());
        response.IoStatus.Information = *result;
        return NTSTATUS{0};
    });
}

NTSTATUS write(FSP_FILE_SYSTEM* fs, PVOID context, PVOID buffer, UINT64 offset, ULONG length, BOOLEAN to_end,
               BOOLEAN constrained, PULONG, FSP_FSCTL_FILE_INFO*) {
    return later(fs, [=](FSP_FSCTL_TRANSACT_RSP& response) {
        const auto result = files_of(fs).write(
            open_of(context).context, {static_cast<const std::byte*>(buffer), length},
            {.offset = offset, .to_end_of_file = to_end != 0, .constrained = constrained != 0});
        if (!result) return code(result.error());
        response.IoStatus.Information = result->bytes;
        response.Rsp.Write.FileInfo = to_fsp(result->info);
        return NTSTATUS{0};
    });
}

NTSTATUS flush(FSP_FILE_SYSTEM* fs, PVOID context, FSP_FSCTL_FILE_INFO* info) {
    if (context == nullptr) {
        const auto result = files_of(fs).flush(std::nullopt);
        return result ? 0 : code(result.error());
    }
    return store(files_of(fs).flush(open_of(context).context), info);
}

NTSTATUS get_file_info(FSP_FILE_SYSTEM* fs, PVOID context, FSP_FSCTL_FILE_INFO* info) {
    return store(files_of(fs).file_info(open_of(context).context), info);
}

NTSTATUS set_basic_info(FSP_FILE_SYSTEM* fs, PVOID context, UINT32 attributes, UINT64 creation, UINT64 access,
                        UINT64 written, UINT64 change, FSP_FSCTL_FILE_INFO* info) {
    lab::fsd::BasicInfoChange changes;
    if (attributes != INVALID_FILE_ATTRIBUTES) changes.attributes = attributes;
    changes.creation_time = creation;
    changes.last_access_time = access;
    changes.last_write_time = written;
    changes.change_time = change;
    return store(files_of(fs).set_basic_info(open_of(context).context, changes), info);
}

NTSTATUS set_file_size(FSP_FILE_SYSTEM* fs, PVOID context, UINT64 size, BOOLEAN allocation,
                       FSP_FSCTL_FILE_INFO* info) {
    return store(files_of(fs).set_file_size(open_of(context).context, size, allocation), info);
}

NTSTATUS can_delete(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR path) {
    return store(files_of(fs).set_delete(open_of(context).context, view(path), true));
}

NTSTATUS rename(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR from, PWSTR to, BOOLEAN replace) {
    return store(files_of(fs).rename(open_of(context).context, view(from), view(to), replace));
}

// Fills the open's directory buffer.
class Listing final : public lab::fsd::DirectorySink {
  public:
    explicit Listing(PVOID* slot) : slot_(slot) {}
    bool add(std::u16string_view name, const nt::FileInfo& info) override {
        alignas(8) std::byte bytes[sizeof(FSP_FSCTL_DIR_INFO) + 255 * sizeof(WCHAR)] = {};
        auto* record = reinterpret_cast<FSP_FSCTL_DIR_INFO*>(bytes);
        record->Size = static_cast<UINT16>(sizeof *record + name.size() * sizeof(WCHAR));
        record->FileInfo = to_fsp(info);
        std::memcpy(bytes + sizeof *record, name.data(), name.size() * sizeof(WCHAR));
        return FspFileSystemFillDirectoryBuffer(slot_, record, &status) != 0;
    }
    NTSTATUS status = 0;

  private:
    PVOID* slot_;
};

NTSTATUS read_directory(FSP_FILE_SYSTEM* fs, PVOID context, PWSTR, PWSTR marker, PVOID buffer, ULONG length,
                        PULONG) {
    const std::wstring after = marker != nullptr ? marker : L"";
    return later(fs, [=, restart = marker == nullptr](FSP_FSCTL_TRANSACT_RSP& response) {
        Open& open = open_of(context);
        NTSTATUS status = 0;
        if (FspFileSystemAcquireDirectoryBuffer(&open.listing, restart, &status)) {
            Listing listing(&open.listing);
            const auto result =
                files_of(fs).read_directory(open.context, std::nullopt, std::nullopt, 0, listing);
            FspFileSystemReleaseDirectoryBuffer(&open.listing);
            status = result ? listing.status : code(result.error());
        }
        if (status != 0) return status;
        ULONG bytes = 0;
        std::wstring name = after;
        FspFileSystemReadDirectoryBuffer(&open.listing, restart ? nullptr : name.data(), buffer, length,
                                         &bytes);
        response.IoStatus.Information = bytes;
        return NTSTATUS{0};
    });
}

const FSP_FILE_SYSTEM_INTERFACE& table() {
    static constexpr FSP_FILE_SYSTEM_INTERFACE kTable = [] {
        FSP_FILE_SYSTEM_INTERFACE t{};
        t.GetVolumeInfo = get_volume_info;
        t.GetSecurityByName = get_security_by_name;
        t.Create = create;
        t.Open = open;
        t.Overwrite = overwrite;
        t.Cleanup = cleanup;
        t.Close = close;
        t.Read = read;
        t.Write = write;
        t.Flush = flush;
        t.GetFileInfo = get_file_info;
        t.SetBasicInfo = set_basic_info;
        t.SetFileSize = set_file_size;
        t.CanDelete = can_delete;
        t.Rename = rename;
        t.ReadDirectory = read_directory;
        return t;
    }();
    return kTable;
}

NTSTATUS on_start(FSP_SERVICE* service, ULONG, PWSTR*) {
    auto& program = *static_cast<Program*>(service->UserContext);
    FSP_FSCTL_VOLUME_PARAMS params{};
    params.Version = sizeof params;
    params.SectorSize = 4096;
    params.VolumeSerialNumber = 0x12345678;
    params.CaseSensitiveSearch = 1;
    params.CasePreservedNames = 1;
    params.UnicodeOnDisk = 1;
    params.UmFileContextIsUserContext2 = 1;
    std::wcscpy(params.FileSystemName, L"LABFS");
    std::wstring device = L"" FSP_FSCTL_DISK_DEVICE_NAME;
    NTSTATUS status = FspFileSystemCreate(device.data(), &params, &table(), &program.file_system);
    if (status < 0) return status;
    program.file_system->UserContext = &program;
    status = FspFileSystemSetMountPoint(program.file_system, program.mount_point.data());
    if (status >= 0) status = FspFileSystemStartDispatcher(program.file_system, 0);
    return status;
}

NTSTATUS on_stop(FSP_SERVICE* service) {
    auto& program = *static_cast<Program*>(service->UserContext);
    // Closes come after the closers have gone on; a dispatcher that stops loses them.
    FspFileSystemRemoveMountPoint(program.file_system);
    {
        std::unique_lock lock(program.mutex);
        program.closed.wait_for(lock, std::chrono::seconds(10), [&] { return program.opens == 0; });
    }
    FspFileSystemStopDispatcher(program.file_system);
    FspFileSystemDelete(program.file_system);
    return 0;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: winfsp_memory.exe MOUNT_POINT\n");
        return 2;
    }
    if (FspLoad(nullptr) < 0) {
        std::fprintf(stderr, "winfsp_memory: winfsp-x64.dll cannot be loaded\n");
        return 1;
    }
    Program program;
    program.mount_point = argv[1];
    std::wstring name = L"winfsp_memory";
    const ULONG result = FspServiceRunEx(name.data(), on_start, on_stop, nullptr, &program);
    int failures = result == 0 ? 0 : 1;
    for (const std::string& violation : program.files.violations(true)) {
        std::fprintf(stderr, "winfsp_memory: %s\n", violation.c_str());
        ++failures;
    }
    return failures == 0 ? 0 : 1;
}
