// Reading, writing and flushing (winfsp-contract 6), without the cache manager: every request goes to the
// file system.
#include <limits>

#include "lab/fsd/fsd_impl.h"

namespace lab::fsd {
namespace {

namespace access = nt::access;
using nt::Status;

constexpr std::uint64_t kWriteToEndOfFile = ~std::uint64_t{0};
constexpr std::uint64_t kUseFilePosition = ~std::uint64_t{1};
constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();

bool is_position(std::optional<std::uint64_t> offset) {
    return !offset || *offset == kUseFilePosition;
}

// The lock of a synchronous handle; none for others.
std::unique_lock<std::mutex> in_turn(FileObject& object) {
    if (!object.is_synchronous()) return {};
    return std::unique_lock(object.synchronous_lock);
}

}  // namespace

bool Fsd::Impl::is_aligned(const FileObject& object, std::uint64_t offset_or_length) const {
    return (object.options & nt::create_option::kNoIntermediateBuffering) == 0 ||
           offset_or_length % params_.sector_size == 0;
}

IoStatus Fsd::Impl::read(FileId id, std::span<std::byte> buffer, std::optional<std::uint64_t> offset) {
    const auto active = enter_file(id);
    if (!active) return io(active.error());
    const auto turn = in_turn(**active);
    return read_at(**active, buffer, offset);
}

IoStatus Fsd::Impl::read_at(FileObject& object, std::span<std::byte> buffer,
                            std::optional<std::uint64_t> offset) {
    if ((object.granted_access & access::kReadData) == 0) return io(Status::kAccessDenied);
    if (object.node->is_directory) return io(Status::kInvalidParameter);
    if (is_position(offset)) {
        if (!object.is_synchronous()) return io(Status::kInvalidParameter);
        offset = object.position.load();
    }
    if (*offset > kMaxOffset || buffer.size() > std::numeric_limits<std::uint32_t>::max()) {
        return io(Status::kInvalidParameter);
    }
    if (!is_aligned(object, *offset) || !is_aligned(object, buffer.size()))
        return io(Status::kInvalidParameter);
    if (buffer.empty()) return io(Status::kSuccess);
    const auto bytes = file_system_.read(object.context, buffer, *offset);
    if (!bytes) return io(bytes.error());
    if (*bytes > buffer.size()) return io(Status::kInternalError);
    if (object.is_synchronous()) object.position = *offset + *bytes;
    return io(Status::kSuccess, *bytes);
}

IoStatus Fsd::Impl::write(FileId id, std::span<const std::byte> data, std::optional<std::uint64_t> offset) {
    const auto active = enter_file(id);
    if (!active) return io(active.error());
    const auto turn = in_turn(**active);
    return write_at(**active, data, offset);
}

IoStatus Fsd::Impl::write_at(FileObject& object, std::span<const std::byte> data,
                             std::optional<std::uint64_t> offset) {
    const std::uint32_t granted = object.granted_access & (access::kWriteData | access::kAppendData);
    if (granted == 0) return io(Status::kAccessDenied);
    if (object.node->is_directory) return io(Status::kInvalidParameter);
    if (granted == access::kAppendData) offset = kWriteToEndOfFile;
    if (is_position(offset)) {
        if (!object.is_synchronous()) return io(Status::kInvalidParameter);
        offset = object.position.load();
    }
    const WriteRequest where{.offset = *offset, .to_end_of_file = *offset == kWriteToEndOfFile};
    if (data.size() > std::numeric_limits<std::uint32_t>::max()) return io(Status::kInvalidParameter);
    if (!where.to_end_of_file) {
        if (*offset > kMaxOffset || data.size() > kMaxOffset - *offset) return io(Status::kInvalidParameter);
        if (!is_aligned(object, *offset)) return io(Status::kInvalidParameter);
    }
    if (!is_aligned(object, data.size())) return io(Status::kInvalidParameter);
    if (data.empty()) return io(Status::kSuccess);
    const auto written = file_system_.write(object.context, data, where);
    if (!written) return io(written.error());
    if (written->bytes > data.size()) return io(Status::kInternalError);
    object.history |= did::kModify;
    nodes_.store_info(*object.node, written->info);
    if (object.is_synchronous()) {
        object.position = where.to_end_of_file ? written->info.file_size : *offset + written->bytes;
    }
    return io(Status::kSuccess, written->bytes);
}

IoStatus Fsd::Impl::flush(FileId id) {
    const auto active = enter(id);
    if (!active) return io(active.error());
    FileObject& object = **active;
    if ((object.granted_access & (access::kWriteData | access::kAppendData)) == 0)
        return io(Status::kAccessDenied);
    if (object.is_volume() || is_root(nodes_.snapshot(*object.node).path)) {
        const auto flushed = file_system_.flush(std::nullopt);
        return io(flushed ? Status::kSuccess : flushed.error());
    }
    if (object.node->is_directory) return io(Status::kSuccess);
    const auto info = file_system_.flush(object.context);
    if (!info) return io(info.error());
    nodes_.store_info(*object.node, *info);
    return io(Status::kSuccess);
}

}  // namespace lab::fsd
