// Reading, writing and flushing the data of files.
#include <algorithm>

#include "guest/volume/volume_impl.h"

namespace guest {

nt::Result<std::uint32_t> Volume::Impl::read(File& file, std::span<std::byte> buffer, std::uint64_t offset) {
    if (offset > INT64_MAX || buffer.size() > UINT32_MAX) return nt::fail(nt::Status::kInvalidParameter);
    if (buffer.empty()) return 0;
    const auto handle = handle_for(file, Need::kRead);
    if (!handle) return fail(handle.error());
    const std::uint64_t known_size = nodes().attributes((*handle)->pin()).attr.size;
    const auto bytes = read_pieces(**handle, buffer, offset, known_size);
    if (!bytes) return fail(bytes.error());
    if (*bytes == 0) return nt::fail(nt::Status::kEndOfFile);
    return *bytes;
}

HostResult<std::uint32_t> Volume::Impl::read_pieces(const HostHandle& handle, std::span<std::byte> buffer,
                                                    std::uint64_t offset, std::uint64_t known_size) {
    const std::size_t piece_bytes = session_->limits().read_bytes;
    std::vector<ReadPiece> pieces;
    pieces.reserve(buffer.size() / piece_bytes + 1);
    for (std::size_t at = 0; at < buffer.size(); at += piece_bytes) {
        pieces.push_back(
            {.offset = offset + at, .buffer = buffer.subspan(at, std::min(piece_bytes, buffer.size() - at))});
    }
    session_->read_all(handle.node(), handle.handle(), handle.flags(), pieces);

    std::size_t total = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        ReadPiece& piece = pieces[i];
        if (!piece.result) return std::unexpected(piece.result.error());
        std::size_t got = *piece.result;
        const bool more_follows =
            std::any_of(pieces.begin() + static_cast<std::ptrdiff_t>(i) + 1, pieces.end(),
                        [](const ReadPiece& later) { return later.result.value_or(1) > 0; });
        // Short before what is known to be there: not the end of the file, ask for the rest until there is
        // none.
        while (got < piece.buffer.size() && (more_follows || piece.offset + got < known_size)) {
            ReadPiece rest{.offset = piece.offset + got, .buffer = piece.buffer.subspan(got)};
            session_->read_all(handle.node(), handle.handle(), handle.flags(), std::span(&rest, 1));
            if (!rest.result) return std::unexpected(rest.result.error());
            if (*rest.result == 0) break;
            got += *rest.result;
        }
        total += got;
        if (got < piece.buffer.size()) break;
    }
    return static_cast<std::uint32_t>(total);
}

nt::Result<Written> Volume::Impl::write(File& file, std::span<const std::byte> data,
                                        const WritePosition& position) {
    if (data.size() > UINT32_MAX) return nt::fail(nt::Status::kInvalidParameter);
    if (!position.to_end_of_file && position.offset > INT64_MAX - data.size()) {
        return nt::fail(nt::Status::kInvalidParameter);
    }
    // The host finds the end itself, so what others appended meanwhile is never overwritten.
    const bool append = position.to_end_of_file && !position.constrained;
    std::uint64_t offset = position.offset;
    if (position.constrained) {
        const auto attr = current_attributes(file);
        if (!attr) return fail(attr.error());
        if (position.to_end_of_file) offset = attr->size;
        const std::uint64_t room = attr->size > offset ? attr->size - offset : 0;
        data = data.first(static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), room)));
    }
    if (data.empty()) {
        const auto info = file_info(file);
        if (!info) return nt::fail(info.error());
        return Written{.bytes = 0, .info = *info};
    }
    const auto handle = handle_for(file, append ? Need::kAppend : Need::kWrite);
    if (!handle) return fail(handle.error());

    AttributeChange change(nodes(), (*handle)->pin(), AttributeChange::Kind::kWrite);
    file.was_written = true;
    if (append) {
        offset = nodes().attributes((*handle)->pin()).attr.size;
        // One after the other: the host gives each the end of the file at that moment.
        for (std::size_t at = 0; at < data.size();) {
            const std::size_t bytes = std::min<std::size_t>(session_->limits().write_bytes, data.size() - at);
            const auto done = write_pieces(**handle, data.subspan(at, bytes), offset + at);
            if (!done) return fail(done.error());
            at += bytes;
        }
        return Written{.bytes = static_cast<std::uint32_t>(data.size()),
                       .info = file_info_of(change.appended(data.size()))};
    }
    const auto done = write_pieces(**handle, data, offset);
    if (!done) return fail(done.error());
    return Written{.bytes = static_cast<std::uint32_t>(data.size()),
                   .info = file_info_of(change.written(offset, data.size()))};
}

HostResult<void> Volume::Impl::write_pieces(const HostHandle& handle, std::span<const std::byte> data,
                                            std::uint64_t offset) {
    const std::size_t piece_bytes = session_->limits().write_bytes;
    std::vector<WritePiece> pieces;
    pieces.reserve(data.size() / piece_bytes + 1);
    for (std::size_t at = 0; at < data.size(); at += piece_bytes) {
        pieces.push_back(
            {.offset = offset + at, .data = data.subspan(at, std::min(piece_bytes, data.size() - at))});
    }
    while (!pieces.empty()) {
        session_->write_all(handle.node(), handle.handle(), handle.flags(), pieces);
        std::vector<WritePiece> rest;
        for (const WritePiece& piece : pieces) {
            if (!piece.result) return std::unexpected(piece.result.error());
            if (*piece.result == piece.data.size()) continue;
            if (*piece.result == 0) return std::unexpected(Failure(fuse::Errno::kENOSPC));
            rest.push_back(
                {.offset = piece.offset + *piece.result, .data = piece.data.subspan(*piece.result)});
        }
        pieces = std::move(rest);
    }
    return {};
}

nt::Result<nt::FileInfo> Volume::Impl::flush(File& file) {
    if (file.kind() != FileKind::kRegular) return file_info(file);
    auto handle = file.any_handle();
    if (handle == nullptr) {
        auto opened = handle_for(file, Need::kRead);
        if (!opened) return fail(opened.error());
        handle = std::move(*opened);
    }
    const std::pair<HostNodeId, HostFileHandle> target{handle->node(), handle->handle()};
    const auto done = session_->sync_files(std::span(&target, 1));
    // A host without FSYNC has nothing that could be lost.
    if (!done && !done.error().is(fuse::Errno::kENOSYS)) return fail(done.error());
    return file_info_of(nodes().attributes(handle->pin()).attr);
}

}  // namespace guest
