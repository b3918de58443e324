// FSCTL_GET_, SET_ and DELETE_REPARSE_POINT: what WinFsp's kernel half checks before it asks the file system
// (winfsp-contract 11).
#include "lab/fsd/fsd_impl.h"
#include "nt/info_class.h"
#include "nt/reparse.h"

namespace lab::fsd {
namespace {

using nt::Status;

constexpr std::uint32_t kMayChange =
    nt::access::kWriteData | nt::access::kAppendData | nt::access::kWriteAttributes;

nt::Result<void> check_buffer(std::uint32_t code, std::span<const std::byte> in) {
    const auto header = nt::parse_reparse_header(in);
    if (!header) return nt::fail(header.error());
    if (code == nt::fsctl::kDeleteReparsePoint) {
        if (header->data_bytes != 0) return nt::fail(Status::kIoReparseDataInvalid);
    } else if (header->tag == nt::kReparseTagSymlink) {
        if (const auto link = nt::parse_symlink(in); !link) return nt::fail(link.error());
    }
    return {};
}

}  // namespace

IoStatus Fsd::Impl::get_reparse_point(FileObject& object, std::span<std::byte> out) {
    const std::shared_lock no_rename(rename_lock_);
    if (out.size() < nt::kReparseHeaderBytes) return io(Status::kBufferTooSmall);
    const std::u16string path = nodes_.snapshot(*object.node).path;
    const auto bytes = file_system_.get_reparse_point(object.context, path, out);
    return bytes ? io(Status::kSuccess, *bytes) : io(bytes.error());
}

IoStatus Fsd::Impl::change_reparse_point(FileObject& object, std::uint32_t code,
                                         std::span<const std::byte> in) {
    if (const auto valid = check_buffer(code, in); !valid) return io(valid.error());
    if ((object.granted_access & kMayChange) == 0) return io(Status::kAccessDenied);
    const std::shared_lock no_rename(rename_lock_);
    const std::u16string path = nodes_.snapshot(*object.node).path;
    const auto done = code == nt::fsctl::kSetReparsePoint
                          ? file_system_.set_reparse_point(object.context, path, in)
                          : file_system_.delete_reparse_point(object.context, path, in);
    if (!done) return io(done);
    object.history |= did::kSetMetadata;
    nodes_.forget_info(*object.node);
    return io(Status::kSuccess);
}

IoStatus Fsd::Impl::reparse_control(FileObject& object, std::uint32_t code, std::span<const std::byte> in,
                                    std::span<std::byte> out) {
    if (!params_.reparse_points || object.is_volume()) return io(Status::kInvalidDeviceRequest);
    return code == nt::fsctl::kGetReparsePoint ? get_reparse_point(object, out)
                                               : change_reparse_point(object, code, in);
}

}  // namespace lab::fsd
