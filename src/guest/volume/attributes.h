// What the host says of a file, as NT sees it: attribute bits, sizes, times. Until NT's own metadata is
// stored on the host this is all there is: READONLY is "nobody may write", ARCHIVE is set on every regular
// file, the creation time is the earliest time known. Must never know: nodes, names.
#pragma once

#include <cstdint>

#include "fuse/protocol.h"
#include "guest/volume/file_time.h"
#include "nt/file.h"

namespace guest {

enum class FileKind { kRegular, kDirectory, kSymlink, kOther };

FileKind kind_of(const fuse::Attr& attr);

// nt::file_attribute bits. A symlink has kReparsePoint only: what it points at is not known here.
std::uint32_t nt_attributes_of(const fuse::Attr& attr);

// Complete, but for hard_links, which WinFsp wants to be 0.
nt::FileInfo file_info_of(const fuse::Attr& attr);

// The mode that makes a file READONLY: no write bit at all.
constexpr std::uint32_t without_write_bits(std::uint32_t mode) {
    return mode & ~0222U;
}

// The host's clock for change times is coarse and may lie a tick behind what was told before: that is then
// kept.
void keep_change_time(fuse::Attr& attr, const fuse::Attr& before);

// What is left of the file after `size` bytes from `offset` on were written at `now`.
void note_written(fuse::Attr& attr, std::uint64_t offset, std::uint64_t size, HostTime now);

}  // namespace guest
