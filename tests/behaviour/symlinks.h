// Symbolic links as the cases make and read them: by file system control, as CreateSymbolicLink does.
// Must never know: which System it runs on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nt/reparse.h"
#include "tests/behaviour/context.h"

namespace behaviour {

enum class LinkKind { kFile, kDirectory };

inline constexpr std::uint32_t kFileLink = attribute::kReparsePoint;
inline constexpr std::uint32_t kDirectoryLink = attribute::kReparsePoint | attribute::kDirectory;
// The attributes that say what a link is.
inline constexpr std::uint32_t kLinkBits = kDirectoryLink;

// REPARSE_DATA_BUFFER of a link.
std::vector<std::byte> link_data(std::u16string_view target, bool relative = true);
// One without data.
std::vector<std::byte> reparse_header(std::uint32_t tag);

Io set_reparse_point(Context& c, const File& file, std::span<const std::byte> data);
Io get_reparse_point(Context& c, const File& file, std::span<std::byte> out);
Io delete_reparse_point(Context& c, const File& file, std::span<const std::byte> data);

// The link itself, not what it leads to.
File open_link(Context& c, std::u16string_view name,
               std::uint32_t access = access::kReadAttributes | access::kWriteAttributes | access::kDelete);

// What making the link came to; nothing is left behind if it failed.
Status try_link(Context& c, std::u16string_view name, std::span<const std::byte> data,
                LinkKind kind = LinkKind::kFile);
// Makes it or stops the case.
void make_link(Context& c, std::u16string_view name, std::u16string_view target,
               LinkKind kind = LinkKind::kFile, Where where = Where::current());
// The target as a program reads it.
std::u16string target_of(Context& c, std::u16string_view name, Where where = Where::current());
// Those of kLinkBits that the link itself has.
std::uint32_t link_attributes(Context& c, std::u16string_view name, Where where = Where::current());

}  // namespace behaviour
