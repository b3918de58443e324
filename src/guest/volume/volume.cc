#include "guest/volume/volume.h"

#include <algorithm>

#include "guest/volume/names.h"
#include "guest/volume/volume_impl.h"

namespace guest {

// Volume: everything is done inside

Volume::Volume(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Volume::~Volume() = default;

nt::Result<std::unique_ptr<Volume>> Volume::mount(Channel& channel, VolumeOptions options) {
    auto session = Session::open(channel, options.max_idle_nodes);
    if (!session) return nt::fail(session.error());
    NodeTable& nodes = (*session)->nodes();
    const NodePin root = nodes.root();
    const Asked asked = nodes.ask_now();
    const auto reply = (*session)->get_attributes(root.id(), std::nullopt);
    if (!reply) return fail(reply.error());
    if (kind_of(reply->attr) != FileKind::kDirectory) return nt::fail(nt::Status::kDeviceProtocolError);
    nodes.learn_attributes(root, *reply, asked);
    auto impl = std::make_unique<Impl>(std::move(*session), std::move(options));
    impl->begin_with_owner(reply->attr);
    return std::unique_ptr<Volume>(new Volume(std::move(impl)));
}

void Volume::shut_down() noexcept {
    impl_->session().shut_down();
}
void Volume::ask_for_sign_of_life() noexcept {
    impl_->ask_for_sign_of_life();
}
Session& Volume::session() noexcept {
    return impl_->session();
}

nt::Result<VolumeInfo> Volume::volume_info() {
    return impl_->volume_info();
}
nt::Result<std::uint32_t> Volume::attributes_of(std::u16string_view path) {
    return impl_->attributes_of(path);
}
nt::Result<Opened> Volume::create(std::u16string_view path, const CreateParameters& parameters) {
    return impl_->create(path, parameters);
}
nt::Result<Opened> Volume::open(std::u16string_view path, const OpenParameters& parameters) {
    return impl_->open(path, parameters);
}
nt::Result<nt::FileInfo> Volume::overwrite(File& file, std::uint32_t attributes, bool replace_attributes,
                                           std::uint64_t allocation_size) {
    return impl_->overwrite(file, attributes, replace_attributes, allocation_size);
}
void Volume::cleanup(File& file, std::u16string_view path, const CleanupActions& actions) {
    impl_->cleanup(file, path, actions);
}
void Volume::close(File* file) noexcept {
    impl_->close(file);
}
nt::Result<std::uint32_t> Volume::read(File& file, std::span<std::byte> buffer, std::uint64_t offset) {
    return impl_->read(file, buffer, offset);
}
nt::Result<Written> Volume::write(File& file, std::span<const std::byte> data,
                                  const WritePosition& position) {
    return impl_->write(file, data, position);
}
nt::Result<nt::FileInfo> Volume::flush(File& file) {
    return impl_->flush(file);
}
nt::Result<void> Volume::flush_volume() {
    return impl_->flush_volume();
}
nt::Result<nt::FileInfo> Volume::file_info(File& file) {
    return impl_->file_info(file);
}
nt::Result<nt::FileInfo> Volume::set_basic_info(File& file, const BasicInfoChange& change) {
    return impl_->set_basic_info(file, change);
}
nt::Result<nt::FileInfo> Volume::set_size(File& file, std::uint64_t bytes, SizeKind kind) {
    return impl_->set_size(file, bytes, kind);
}
nt::Result<void> Volume::can_delete(File& file, std::u16string_view) {
    return impl_->can_delete(file);
}
nt::Result<void> Volume::rename(File& file, std::u16string_view from, std::u16string_view to, bool replace) {
    return impl_->rename(file, from, to, replace);
}
nt::Result<bool> Volume::read_directory(File& directory, std::optional<std::u16string_view> marker,
                                        const std::function<bool(const DirectoryEntry&)>& add) {
    return impl_->read_directory(directory, marker, add);
}
nt::Result<nt::FileInfo> Volume::entry_of(File& directory, std::u16string_view name) {
    return impl_->entry_of(directory, name);
}

nt::Result<std::vector<std::byte>> Volume::reparse_point(File& file, std::u16string_view) {
    return impl_->reparse_point(file);
}
nt::Result<std::vector<std::byte>> Volume::reparse_point_of(std::u16string_view path) {
    return impl_->reparse_point_of(path);
}
nt::Result<void> Volume::set_reparse_point(File& file, std::u16string_view path,
                                           std::span<const std::byte> data) {
    return impl_->set_reparse_point(file, path, data);
}
nt::Result<void> Volume::delete_reparse_point(File& file, std::u16string_view path,
                                              std::span<const std::byte> data) {
    return impl_->delete_reparse_point(file, path, data);
}

// The volume as a whole

Volume::Impl::~Impl() {
    files_.clear();
    session_->destroy();
}

void Volume::Impl::log(std::string_view line) {
    if (options_.log) options_.log(line);
}

void Volume::Impl::log_once(Unstored what, std::string_view line) {
    if (!logged_[static_cast<std::size_t>(what)].exchange(true)) log(line);
}

void Volume::Impl::begin_with_owner(const fuse::Attr& root) {
    owner_.root_belongs_to({.uid = root.uid, .gid = root.gid});
    if (options_.owner || (root.uid != options_.overflow.uid && root.gid != options_.overflow.gid)) return;
    const auto text = [](HostOwner owner) {
        return std::to_string(owner.uid) + ":" + std::to_string(owner.gid);
    };
    log("the share's root belongs to " + text({.uid = root.uid, .gid = root.gid}) +
        ", which stands for owners that the host has no name for; new files belong to " + text(owner_.now()) +
        ", or to whom the option -o UID:GID names");
}

void Volume::Impl::ask_for_sign_of_life() noexcept {
    session_->look_at_root(
        [this](const fuse::Attr& root) { owner_.root_belongs_to({.uid = root.uid, .gid = root.gid}); });
}

HostOwner Volume::Impl::owner_for_new() {
    const fuse::Attr root = nodes().attributes(nodes().root()).attr;
    owner_.root_belongs_to({.uid = root.uid, .gid = root.gid});
    return owner_.now();
}

nt::Result<VolumeInfo> Volume::Impl::volume_info() {
    const auto statistics = session_->statistics();
    if (!statistics) return fail(statistics.error());
    const std::uint64_t unit = statistics->frsize != 0 ? statistics->frsize : statistics->bsize;
    const auto bytes = [unit](std::uint64_t blocks) {
        constexpr std::uint64_t kMost = INT64_MAX;
        return unit != 0 && blocks > kMost / unit ? kMost : blocks * unit;
    };
    return VolumeInfo{.total_bytes = bytes(statistics->blocks), .free_bytes = bytes(statistics->bavail)};
}

nt::Result<std::uint32_t> Volume::Impl::attributes_of(std::u16string_view path) {
    const auto components = host_path_of(path);
    if (!components) return nt::fail(components.error());
    const auto walked = walk_.to(*components, Trust::kKnown);
    if (!walked) return fail(walked.error());
    std::uint32_t attributes = nt_attributes_of(walked->attr);
    if (kind_of(walked->attr) == FileKind::kSymlink &&
        leads_to_directory(walked->node, std::span(*components).first(components->size() - 1))) {
        attributes |= nt::file_attribute::kDirectory;
    }
    return attributes;
}

nt::Result<void> Volume::Impl::flush_volume() {
    const auto synced = session_->sync_all();
    if (synced) return {};
    if (!synced.error().is_unsupported()) return fail(synced.error());
    std::vector<std::shared_ptr<HostHandle>> handles;
    {
        const std::lock_guard lock(files_mutex_);
        for (const auto& [raw, file] : files_) {
            if (!file->was_written) continue;
            if (auto handle = file->any_handle()) handles.push_back(std::move(handle));
        }
    }
    std::vector<std::pair<HostNodeId, HostFileHandle>> files;
    for (const auto& handle : handles)
        files.emplace_back(handle->node(), handle->handle());
    const auto done = session_->sync_files(files);
    if (!done && !done.error().is(fuse::Errno::kENOSYS)) return fail(done.error());
    return {};
}

HostResult<Volume::Impl::Place> Volume::Impl::place_of(std::span<const std::string> path, Trust trust) {
    auto directory = walk_.to_parent(path, trust);
    if (!directory) return std::unexpected(directory.error());
    const auto id = walk_.id_of(*directory);
    if (!id) return std::unexpected(id.error().on_the_way());
    return Place{.directory = std::move(*directory), .directory_id = *id};
}

}  // namespace guest
