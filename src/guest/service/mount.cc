#include "guest/service/mount.h"

#include <algorithm>
#include <cstring>

#include "guest/service/callbacks.h"
#include "guest/service/log.h"
#include "guest/service/open_files.h"
#include "guest/service/text.h"
#include "guest/service/win32.h"
#include "guest/volume/volume.h"
#include "nt/status_text.h"
#include "winfsp/winfsp.h"

namespace guest::service {
namespace {

// A callback blocks its thread for the host's round trip, so this is how many operations are in flight at
// once.
constexpr ULONG kDispatcherThreads = 16;
constexpr wchar_t kDiskDevice[] = L"" FSP_FSCTL_DISK_DEVICE_NAME;

nt::Status to_status(NTSTATUS status) {
    return static_cast<nt::Status>(static_cast<std::uint32_t>(status));
}

std::unexpected<MountError> failure(MountProblem problem, std::string what, nt::Status status) {
    return std::unexpected(
        MountError{.problem = problem,
                   .message = std::move(what) + " (" +
                              describe_error(FspWin32FromNtStatus(static_cast<NTSTATUS>(status))) +
                              ", NTSTATUS " + nt::hex(status) + ")"});
}

// The same for a tag on every mount: programs remember volumes by it. FNV-1a.
std::uint32_t serial_number_of(std::u16string_view tag) {
    std::uint32_t hash = 2166136261u;
    for (const char16_t unit : tag) {
        hash = (hash ^ (unit & 0xFFu)) * 16777619u;
        hash = (hash ^ static_cast<std::uint32_t>(unit >> 8)) * 16777619u;
    }
    return hash;
}

FSP_FSCTL_VOLUME_PARAMS volume_params(std::u16string_view tag, std::u16string_view file_system_name) {
    FSP_FSCTL_VOLUME_PARAMS params{};
    params.Version = sizeof params;
    params.SectorSize = 4096;
    params.SectorsPerAllocationUnit = 1;
    params.MaxComponentLength = 255;
    params.VolumeSerialNumber = serial_number_of(tag);
    params.FileInfoTimeout = 0;  // lifetimes live in Volume alone
    params.CaseSensitiveSearch = 1;
    params.CasePreservedNames = 1;
    params.UnicodeOnDisk = 1;
    params.ReparsePoints = 1;
    params.PostCleanupWhenModifiedOnly = 1;
    params.PassQueryDirectoryFileName = 1;
    params.FlushAndPurgeOnCleanup = 1;
    params.UmFileContextIsUserContext2 = 1;
    const std::size_t units = std::min(file_system_name.size(), kMaxFileSystemNameUnits);
    std::memcpy(params.FileSystemName, file_system_name.data(), units * sizeof(WCHAR));
    return params;
}

std::string place_of(const Settings& settings) {
    return settings.mount_point.empty() ? "a free drive letter" : "\"" + to_utf8(settings.mount_point) + "\"";
}

struct FileSystemDeleter {
    void operator()(FSP_FILE_SYSTEM* fs) const noexcept { FspFileSystemDelete(fs); }
};

}  // namespace

std::expected<void, MountError> check_mount_point(const Settings& settings) {
    std::wstring mount_point(as_wide(settings.mount_point));
    PWSTR const wanted = mount_point.empty() ? nullptr : mount_point.data();
    const std::string place = place_of(settings);
    std::wstring device(kDiskDevice);
    const nt::Status preflight = to_status(FspFileSystemPreflight(device.data(), wanted));
    if (preflight == nt::Status::kObjectNameCollision) {
        return failure(
            MountProblem::kMountPoint,
            "the mount point " + place + " is taken; choose another one with -m or unmount what is there",
            preflight);
    }
    if (nt::is_error(preflight)) {
        return failure(MountProblem::kWinFsp,
                       "WinFsp cannot mount at " + place + "; is its driver installed and running?",
                       preflight);
    }
    return {};
}

class Mount::Impl {
  public:
    Impl(std::unique_ptr<Volume> mounted, std::u16string_view tag, std::function<void()> on_stopped)
        : volume(std::move(mounted)),
          context{.volume = *volume,
                  .open_files = open_files,
                  .label = std::u16string(tag.substr(0, std::size(FSP_FSCTL_VOLUME_INFO{}.VolumeLabel))),
                  .dispatcher_stopped = [stopped = std::move(on_stopped)](bool normally) {
                      if (!normally) stopped();
                  }} {}

    ~Impl() {
        volume->shut_down();
        if (dispatching) FspFileSystemStopDispatcher(file_system.get());
        file_system.reset();  // takes the mount point away, too
        open_files.close_all(*volume);
    }

    std::unique_ptr<Volume> volume;
    OpenFiles open_files;
    CallbackContext context;
    std::unique_ptr<FSP_FILE_SYSTEM, FileSystemDeleter> file_system;
    bool dispatching = false;
};

Mount::Mount(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Mount::~Mount() = default;

void Mount::end() {
    impl_.reset();
}

void Mount::ask_for_sign_of_life() {
    impl_->volume->ask_for_sign_of_life();
}

std::u16string Mount::mount_point() const {
    return std::u16string(as_utf16(FspFileSystemMountPoint(impl_->file_system.get())));
}

std::expected<std::unique_ptr<Mount>, MountError> Mount::make(Channel& channel, std::u16string_view tag,
                                                              const Settings& settings,
                                                              std::function<void()> on_stopped) {
    if (auto checked = check_mount_point(settings); !checked)
        return std::unexpected(std::move(checked.error()));
    std::wstring mount_point(as_wide(settings.mount_point));
    PWSTR const wanted = mount_point.empty() ? nullptr : mount_point.data();
    const std::string place = place_of(settings);
    std::wstring device(kDiskDevice);
    auto volume =
        Volume::mount(channel, {.owner = settings.owner,
                                .overflow = settings.overflow,
                                .max_idle_nodes = 4096,
                                .log = [](std::string_view line) { log(EVENTLOG_WARNING_TYPE, line); }});
    if (!volume) {
        return failure(
            MountProblem::kHost,
            "the host does not serve \"" + to_utf8(tag) + "\" as a FUSE file system; is virtiofsd running?",
            volume.error());
    }
    auto impl = std::make_unique<Impl>(*std::move(volume), tag, std::move(on_stopped));

    const FSP_FSCTL_VOLUME_PARAMS params = volume_params(tag, settings.file_system_name);
    FSP_FILE_SYSTEM* file_system = nullptr;
    nt::Status status =
        to_status(FspFileSystemCreate(device.data(), &params, &operations_table(), &file_system));
    if (nt::is_error(status)) {
        return failure(MountProblem::kWinFsp, "WinFsp cannot make a file system; is its driver running?",
                       status);
    }
    impl->file_system.reset(file_system);
    file_system->UserContext = &impl->context;
    FspFileSystemSetOperationGuard(file_system, nullptr, nullptr);
    FspFileSystemSetDebugLog(file_system, settings.debug_flags);

    status = to_status(FspFileSystemSetMountPoint(file_system, wanted));
    if (nt::is_error(status)) {
        return failure(
            status == nt::Status::kObjectNameCollision ? MountProblem::kMountPoint : MountProblem::kWinFsp,
            "cannot mount at " + place, status);
    }
    status = to_status(FspFileSystemStartDispatcher(file_system, kDispatcherThreads));
    if (nt::is_error(status))
        return failure(MountProblem::kWinFsp, "WinFsp's dispatcher does not start", status);
    impl->dispatching = true;
    return std::unique_ptr<Mount>(new Mount(std::move(impl)));
}

}  // namespace guest::service
