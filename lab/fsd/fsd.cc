#include "lab/fsd/fsd.h"

#include <utility>

#include "lab/fsd/fsd_impl.h"

namespace lab::fsd {
namespace {

VolumeParams with_defaults(VolumeParams params) {
    if (params.sector_size == 0) params.sector_size = 512;
    if (params.sectors_per_allocation_unit == 0) params.sectors_per_allocation_unit = 1;
    if (params.max_component_length == 0) params.max_component_length = 255;
    return params;
}

}  // namespace

Fsd::Impl::Impl(FileSystem& file_system, VolumeParams params, CallerRules rules)
    : file_system_(file_system), params_(with_defaults(std::move(params))), rules_(rules), nodes_(params_) {}

Fsd::Impl::~Impl() {
    for (const FileId id : objects_.ids()) {
        cleanup(id);
        close(id);
    }
}

nt::Result<Fsd::Impl::Active> Fsd::Impl::enter(FileId id) const {
    Active active{.object = objects_.find(id), .activity = {}};
    if (!active.object) return nt::fail(nt::Status::kInvalidHandle);
    active.activity = std::shared_lock(active.object->activity);
    if (active.object->cleaned_up) return nt::fail(nt::Status::kFileClosed);
    return active;
}

nt::Result<Fsd::Impl::Active> Fsd::Impl::enter_file(FileId id) const {
    auto active = enter(id);
    if (active && (*active)->is_volume()) return nt::fail(nt::Status::kInvalidDeviceRequest);
    return active;
}

FileObjectRef Fsd::Impl::make_object() {
    // The last reference to go is IRP_MJ_CLOSE, be it the handle's or that of an operation still running.
    return {new FileObject, [this](FileObject* object) {
                if (object->node) {
                    nodes_.close(*object);
                    file_system_.close(object->context);
                }
                delete object;
            }};
}

nt::Result<nt::FileInfo> Fsd::Impl::current_info(FileObject& object) {
    if (const auto cached = nodes_.cached_info(*object.node)) return *cached;
    const std::uint64_t changes = nodes_.info_changes(*object.node);
    auto info = file_system_.file_info(object.context);
    if (info) nodes_.store_info(*object.node, *info, changes);
    return info;
}

std::uint64_t Fsd::Impl::allocation_unit() const {
    return std::uint64_t{params_.sector_size} * params_.sectors_per_allocation_unit;
}

std::uint64_t Fsd::Impl::round_to_unit(std::uint64_t bytes) const {
    const std::uint64_t unit = allocation_unit();
    return (bytes + unit - 1) / unit * unit;
}

NameRules Fsd::Impl::name_rules() const {
    return {.max_component_length = params_.max_component_length, .named_streams = params_.named_streams};
}

std::u16string Fsd::Impl::path_of(FileId id) const {
    const FileObjectRef object = objects_.find(id);
    if (!object || object->is_volume()) return {};
    return nodes_.snapshot(*object->node).path;
}

Fsd::Fsd(FileSystem& file_system, VolumeParams params, CallerRules rules)
    : impl_(std::make_unique<Impl>(file_system, std::move(params), rules)) {}

Fsd::~Fsd() = default;

CreateResult Fsd::create(const CreateRequest& request) {
    return impl_->create(request);
}
void Fsd::cleanup(FileId file) {
    impl_->cleanup(file);
}
void Fsd::close(FileId file) {
    impl_->close(file);
}

void Fsd::close_handle(FileId file) {
    impl_->cleanup(file);
    impl_->close(file);
}

IoStatus Fsd::read(FileId file, std::span<std::byte> buffer, std::optional<std::uint64_t> offset) {
    return impl_->read(file, buffer, offset);
}

IoStatus Fsd::write(FileId file, std::span<const std::byte> data, std::optional<std::uint64_t> offset) {
    return impl_->write(file, data, offset);
}

IoStatus Fsd::flush(FileId file) {
    return impl_->flush(file);
}

IoStatus Fsd::query_information(FileId file, std::uint32_t information_class, std::span<std::byte> buffer) {
    return impl_->query_information(file, information_class, buffer);
}

IoStatus Fsd::set_information(FileId file, std::uint32_t information_class,
                              std::span<const std::byte> buffer) {
    return impl_->set_information(file, information_class, buffer);
}

IoStatus Fsd::query_volume_information(FileId file, std::uint32_t information_class,
                                       std::span<std::byte> buffer) {
    return impl_->query_volume_information(file, information_class, buffer);
}

IoStatus Fsd::set_volume_information(FileId file, std::uint32_t information_class,
                                     std::span<const std::byte> buffer) {
    return impl_->set_volume_information(file, information_class, buffer);
}

IoStatus Fsd::query_directory(FileId file, const DirectoryQuery& query, std::span<std::byte> buffer) {
    return impl_->query_directory(file, query, buffer);
}

IoStatus Fsd::fs_control(FileId file, std::uint32_t code, std::span<const std::byte> in,
                         std::span<std::byte> out) {
    return impl_->fs_control(file, code, in, out);
}

IoStatus Fsd::rename(FileId file, const RenameRequest& request) {
    return impl_->rename(file, request);
}

std::u16string Fsd::path_of(FileId file) const {
    return impl_->path_of(file);
}
std::size_t Fsd::open_count() const {
    return impl_->open_count();
}

}  // namespace lab::fsd
