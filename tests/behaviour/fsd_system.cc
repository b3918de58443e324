#include "tests/behaviour/fsd_system.h"

#include <chrono>

namespace behaviour {
namespace {

using lab::fsd::FileId;

FileId id_of(Handle handle) {
    return static_cast<FileId>(handle);
}

Io io_of(const lab::fsd::IoStatus& io) {
    return {io.status, io.information};
}

}  // namespace

nt::FileTime FsdSystem::now() const {
    constexpr std::int64_t kTicksFrom1601To1970 = 116'444'736'000'000'000;
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    using Ticks = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;
    return static_cast<nt::FileTime>(std::chrono::duration_cast<Ticks>(since_1970).count() +
                                     kTicksFrom1601To1970);
}

CreateAnswer FsdSystem::create(const CreateCall& call) {
    const auto made = volume_.create({.name = call.name,
                                      .related = id_of(call.related),
                                      .desired_access = call.access,
                                      .allocation_size = call.allocation_size,
                                      .attributes = call.attributes,
                                      .share_access = call.share,
                                      .disposition = call.disposition,
                                      .options = call.options,
                                      .has_ea = call.with_ea});
    return {io_of(made.io), static_cast<Handle>(made.file)};
}

nt::Status FsdSystem::close(Handle handle) {
    volume_.close_handle(id_of(handle));
    return nt::Status::kSuccess;
}

Io FsdSystem::read(Handle handle, std::span<std::byte> buffer, std::optional<std::uint64_t> offset) {
    return io_of(volume_.read(id_of(handle), buffer, offset));
}

Io FsdSystem::write(Handle handle, std::span<const std::byte> data, std::optional<std::uint64_t> offset) {
    return io_of(volume_.write(id_of(handle), data, offset));
}

Io FsdSystem::flush(Handle handle) {
    return io_of(volume_.flush(id_of(handle)));
}

Io FsdSystem::query_information(Handle handle, std::uint32_t information_class, std::span<std::byte> buffer) {
    return io_of(volume_.query_information(id_of(handle), information_class, buffer));
}

Io FsdSystem::set_information(Handle handle, std::uint32_t information_class,
                              std::span<const std::byte> buffer) {
    return io_of(volume_.set_information(id_of(handle), information_class, buffer));
}

Io FsdSystem::rename(Handle handle, const RenameCall& call) {
    return io_of(volume_.rename(id_of(handle), {.new_name = call.target,
                                                .root = id_of(call.root),
                                                .replace_if_exists = call.replace,
                                                .flags = call.flags,
                                                .extended = call.extended}));
}

Io FsdSystem::query_directory(Handle handle, const DirectoryCall& call, std::span<std::byte> buffer) {
    lab::fsd::DirectoryQuery query{.information_class = call.information_class,
                                   .pattern = {},
                                   .restart_scan = call.restart,
                                   .return_single_entry = call.single_entry};
    if (call.pattern) query.pattern = *call.pattern;
    return io_of(volume_.query_directory(id_of(handle), query, buffer));
}

Io FsdSystem::query_volume_information(Handle handle, std::uint32_t information_class,
                                       std::span<std::byte> buffer) {
    return io_of(volume_.query_volume_information(id_of(handle), information_class, buffer));
}

Io FsdSystem::fs_control(Handle handle, std::uint32_t code, std::span<const std::byte> in,
                         std::span<std::byte> out) {
    return io_of(volume_.fs_control(id_of(handle), code, in, out));
}

}  // namespace behaviour
