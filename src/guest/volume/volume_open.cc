// Making, opening and closing files.
#include "guest/volume/names.h"
#include "guest/volume/volume_impl.h"

namespace guest {
namespace {

constexpr std::uint32_t kUmask = 0022;
constexpr std::uint32_t kFileMode = 0644;
constexpr std::uint32_t kDirectoryMode = 0755;

constexpr std::uint32_t kUnstorable = nt::file_attribute::kHidden | nt::file_attribute::kSystem;

bool wants(std::uint32_t granted, std::uint32_t access) {
    return (granted & access) != 0;
}

// How an operation that needs `need` opens the host file: as the program opened it, so that one host file
// serves all, but at least as needed.
std::uint32_t open_flags(const File& file, Need need) {
    const bool reads = need == Need::kRead || wants(file.granted_access, nt::access::kReadData);
    const bool writes =
        need != Need::kRead || wants(file.granted_access, nt::access::kWriteData | nt::access::kAppendData);
    std::uint32_t flags = reads && writes ? fuse::open_flag::kReadWrite
                          : writes        ? fuse::open_flag::kWriteOnly
                                          : fuse::open_flag::kReadOnly;
    if (need == Need::kAppend) flags |= fuse::open_flag::kAppend;
    if (writes && (file.options & nt::create_option::kWriteThrough) != 0) flags |= fuse::open_flag::kDsync;
    return flags;
}

// What the access granted at open calls for at once.
std::optional<Need> need_of(std::uint32_t granted) {
    if (wants(granted, nt::access::kWriteData)) return Need::kWrite;
    if (wants(granted, nt::access::kAppendData)) return Need::kAppend;
    if (wants(granted, nt::access::kReadData)) return Need::kRead;
    return std::nullopt;
}

}  // namespace

Opened Volume::Impl::add_file(std::shared_ptr<File> file, const fuse::Attr& attr) {
    const nt::FileInfo info = info_of(file->node(), attr);
    File* const raw = file.get();
    const std::lock_guard lock(files_mutex_);
    files_.emplace(raw, std::move(file));
    return {.file = raw, .info = info};
}

void Volume::Impl::close(File* file) noexcept {
    std::shared_ptr<File> last;
    const std::lock_guard lock(files_mutex_);
    const auto place = files_.find(file);
    if (place == files_.end()) return;
    last = std::move(place->second);
    files_.erase(place);
}

bool Volume::Impl::is_open_elsewhere(const NodePin& node, const File* besides) {
    const std::lock_guard lock(files_mutex_);
    for (const auto& [raw, file] : files_) {
        if (raw != besides && file->node() == node) return true;
    }
    return false;
}

// A file that is open without a host reference is found through its name only: before the name goes, get a
// reference.
void Volume::Impl::keep_reachable(const NodePin& directory, std::string_view name) {
    const KnownName known = nodes().find(directory, name);
    if (known.state != KnownName::State::kPresent || known.node.id()) return;
    if (is_open_elsewhere(known.node, nullptr)) static_cast<void>(walk_.id_of(known.node));
}

HostResult<std::shared_ptr<HostHandle>> Volume::Impl::handle_for(File& file, Need need) {
    if (auto handle = file.handle_for(need)) return handle;
    const File::Subject& subject = file.subject();
    if (subject.kind != FileKind::kRegular) {
        // Opening a FIFO or a device on the host could block it or do harm.
        return std::unexpected(Failure(subject.kind == FileKind::kOther ? nt::Status::kAccessDenied
                                                                        : nt::Status::kInvalidDeviceRequest));
    }
    const auto id = walk_.id_of(subject.node);
    if (!id) return std::unexpected(id.error());
    std::uint32_t flags = open_flags(file, need);
    auto opened = session_->open_file(*id, flags);
    if (!opened && opened.error().is(fuse::Errno::kEACCES) &&
        (flags & fuse::open_flag::kAccessMask) == fuse::open_flag::kReadWrite) {
        flags &= ~fuse::open_flag::kAccessMask;
        flags |= need == Need::kRead ? fuse::open_flag::kReadOnly : fuse::open_flag::kWriteOnly;
        opened = session_->open_file(*id, flags);
    }
    if (!opened) return std::unexpected(opened.error());
    auto handle =
        std::make_shared<HostHandle>(*session_, subject.node, *opened, HostHandle::Type::kFile, flags);
    file.add_handle(handle);
    return handle;
}

nt::Result<Opened> Volume::Impl::open(std::u16string_view path, const OpenParameters& parameters) {
    const auto components = host_path_of(path);
    if (!components) return nt::fail(components.error());
    auto opened = with_second_try([&](Trust trust) { return open_existing(*components, parameters, trust); });
    if (!opened) return nt::fail(not_followed(opened.error().status()));
    return *opened;
}

HostResult<Opened> Volume::Impl::open_existing(std::span<const std::string> path,
                                               const OpenParameters& parameters, Trust trust) {
    auto walked = walk_.to(path, trust);
    if (!walked) {
        // The walk itself has asked the host: a second try would bring the same.
        return std::unexpected(walked.error().is_gone() ? Failure(walked.error().status()) : walked.error());
    }
    const FileKind kind = kind_of(walked->attr);
    const auto refuse = [](nt::Status status) { return std::unexpected(Failure(status)); };
    if (kind == FileKind::kSymlink && (parameters.options & nt::create_option::kOpenReparsePoint) == 0) {
        // It was none when WinFsp asked, or WinFsp would have followed it.
        return refuse(nt::Status::kReparsePointNotResolved);
    }
    constexpr std::uint32_t kKindMatters =
        nt::create_option::kDirectoryFile | nt::create_option::kNonDirectoryFile;
    if ((parameters.options & kKindMatters) != 0) {
        const bool directory =
            kind == FileKind::kDirectory ||
            (kind == FileKind::kSymlink && leads_to_directory(walked->node, path.first(path.size() - 1)));
        const bool wants_directory = (parameters.options & nt::create_option::kDirectoryFile) != 0;
        if (wants_directory && !directory) return refuse(nt::Status::kNotADirectory);
        if (!wants_directory && directory) return refuse(nt::Status::kFileIsADirectory);
    }
    auto file =
        std::make_shared<File>(std::move(walked->node), kind, parameters.options, parameters.granted_access);
    const std::optional<Need> need = need_of(parameters.granted_access);
    if (need && kind == FileKind::kOther) return refuse(nt::Status::kAccessDenied);
    if (need && kind == FileKind::kRegular) {
        if (auto handle = handle_for(*file, *need); !handle) return std::unexpected(handle.error());
    }
    return add_file(std::move(file), walked->attr);
}

nt::Result<Opened> Volume::Impl::create(std::u16string_view path, const CreateParameters& parameters) {
    auto opened = create_new(path, parameters);
    if (parameters.disposition == nt::Disposition::kCreate) return opened;
    // Others make the name and take it away again: each round needs such a coincidence.
    constexpr int kRounds = 8;
    for (int i = 0; i < kRounds && !opened && opened.error() == nt::Status::kObjectNameCollision; ++i) {
        opened = open_made_meanwhile(path, parameters);
        if (!opened && opened.error() == nt::Status::kObjectNameNotFound)
            opened = create_new(path, parameters);
    }
    return opened;
}

nt::Result<Opened> Volume::Impl::open_made_meanwhile(std::u16string_view path,
                                                     const CreateParameters& parameters) {
    auto opened = open(path, {.options = parameters.options, .granted_access = parameters.granted_access});
    const bool overwrites = parameters.disposition == nt::Disposition::kOverwriteIf ||
                            parameters.disposition == nt::Disposition::kSupersede;
    if (!opened || !overwrites) return opened;
    const auto info =
        overwrite(*opened->file, parameters.attributes, parameters.disposition == nt::Disposition::kSupersede,
                  parameters.allocation_size);
    if (!info) {
        close(opened->file);
        return nt::fail(info.error());
    }
    opened->info = *info;
    return opened;
}

nt::Result<Opened> Volume::Impl::create_new(std::u16string_view path, const CreateParameters& parameters) {
    const auto components = host_path_of(path);
    if (!components) return nt::fail(components.error());
    if (components->empty()) return nt::fail(nt::Status::kObjectNameCollision);
    if ((parameters.attributes & kUnstorable) != 0) {
        log_once(
            Unstored::kHiddenOrSystem,
            "the attributes HIDDEN and SYSTEM of new files cannot be stored on the host yet and are dropped");
    }
    const bool directory = (parameters.options & nt::create_option::kDirectoryFile) != 0;
    auto opened = with_second_try([&](Trust trust) {
        return directory ? create_directory(*components, parameters, trust)
                         : create_file(*components, parameters, trust);
    });
    if (opened) return *opened;
    // A new name's ENOENT and ENOTDIR speak of the directory it was to be in.
    return nt::fail(not_followed(path_status(opened.error().status())));
}

HostResult<Opened> Volume::Impl::create_file(std::span<const std::string> path,
                                             const CreateParameters& parameters, Trust trust) {
    const auto place = place_of(path, trust);
    if (!place) return std::unexpected(place.error());
    const bool read_only = (parameters.attributes & nt::file_attribute::kReadOnly) != 0;

    // The flags depend on what the program may do with the file, which a File knows.
    const File plan(NodePin(), FileKind::kRegular, parameters.options, parameters.granted_access);
    const std::uint32_t flags = open_flags(plan, need_of(parameters.granted_access).value_or(Need::kRead));

    NameChange change(nodes(), place->directory, path.back());
    const Asked asked = nodes().ask_now();
    const auto made = session_->create(
        place->directory_id, path.back(),
        {.flags = flags | fuse::open_flag::kCreate | fuse::open_flag::kExclusive,
         .mode = fuse::mode::kRegular | (read_only ? without_write_bits(kFileMode) : kFileMode),
         .umask = kUmask},
        owner_for_new());
    if (!made) return std::unexpected(made.error());
    FoundNode found = nodes().adopt_unnamed(made->entry, asked);
    found.attr = nodes().note_made(found.node);
    const HostFileHandle host_file{.epoch = found.node.id().epoch, .fh = made->open.fh};
    auto handle =
        std::make_shared<HostHandle>(*session_, found.node, host_file, HostHandle::Type::kFile, flags);
    change.is_now(found.node,
                  lifetime_end(asked.time, made->entry.entry_valid, made->entry.entry_valid_nsec));
    nodes().note_directory_changed(place->directory);
    if (read_only) nodes().set_cleared_write_bits(found.node, kFileMode & 0222U);
    if (kind_of(found.attr) != FileKind::kRegular)
        return std::unexpected(Failure(nt::Status::kDeviceProtocolError));

    auto file =
        std::make_shared<File>(found.node, FileKind::kRegular, parameters.options, parameters.granted_access);
    file->add_handle(std::move(handle));
    if (parameters.allocation_size > 0) {
        set_aside(*file, parameters.allocation_size);
        found.attr = nodes().attributes(found.node).attr;
    }
    return add_file(std::move(file), found.attr);
}

HostResult<Opened> Volume::Impl::create_directory(std::span<const std::string> path,
                                                  const CreateParameters& parameters, Trust trust) {
    const auto place = place_of(path, trust);
    if (!place) return std::unexpected(place.error());
    const bool read_only = (parameters.attributes & nt::file_attribute::kReadOnly) != 0;

    NameChange change(nodes(), place->directory, path.back());
    const Asked asked = nodes().ask_now();
    const auto made = session_->make_directory(
        place->directory_id, path.back(),
        {.mode = read_only ? without_write_bits(kDirectoryMode) : kDirectoryMode, .umask = kUmask},
        owner_for_new());
    if (!made) return std::unexpected(made.error());
    FoundNode found = nodes().adopt_unnamed(*made, asked);
    found.attr = nodes().note_made(found.node);
    change.is_now(found.node, lifetime_end(asked.time, made->entry_valid, made->entry_valid_nsec));
    nodes().note_directory_changed(place->directory);
    if (read_only) nodes().set_cleared_write_bits(found.node, kDirectoryMode & 0222U);
    if (kind_of(found.attr) != FileKind::kDirectory)
        return std::unexpected(Failure(nt::Status::kDeviceProtocolError));
    return add_file(std::make_shared<File>(found.node, FileKind::kDirectory, parameters.options,
                                           parameters.granted_access),
                    found.attr);
}

}  // namespace guest
