// Following reparse points, as the helpers of WinFsp's DLL do for a file system that knows them by name
// (winfsp-contract 11). Must never know: handles, which file system it is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/fsd/file_system.h"
#include "nt/reparse.h"

namespace lab::fsd {

// The reparse point of a name, of which all but the last component are none; kNotAReparsePoint.
// `is_directory`: the path goes on after it.
using ReparsePointByName =
    std::function<nt::Result<std::vector<std::byte>>(std::u16string_view path, bool is_directory)>;

// FspFileSystemFindReparsePoint: where in the path, in UTF-16 units, the first component begins that is one.
std::optional<std::uint32_t> find_reparse_point(const ReparsePointByName& lookup, std::u16string_view path);

// FspFileSystemResolveReparsePoints: the reparse point to go on with, the whole path in it. A symbolic link
// with a relative target: a path of this volume without reparse points on the way (or at its end, if
// `resolve_last`). One with an absolute target, or another tag: as the file system has it, for the I/O
// manager. kReparsePointNotResolved after 31 links.
nt::Result<Resolved> resolve_reparse_points(const ReparsePointByName& lookup, std::u16string_view path,
                                            std::uint32_t index, bool resolve_last);

// FspFileSystemCanReplaceReparsePoint: whether the one may take the other's place; whole buffers, the present
// one empty if there is none. kIoReparseTagMismatch, kReparseAttributeConflict (another GUID).
nt::Result<void> can_replace_reparse_point(std::span<const std::byte> present,
                                           std::span<const std::byte> replacement);

}  // namespace lab::fsd
