// File names as WinFsp's kernel half accepts them: legality, components, relative names, stream suffixes
// (winfsp-contract 4.1 points 4-7 and 4.2). Must never know: files, handles, the file system behind.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "nt/status.h"

namespace lab::fsd {

struct NameRules {
    std::size_t max_component_length = 255;  // UTF-16 units
    bool named_streams = false;
};

struct ParsedName {
    std::u16string path = {};         // "\dir\file", "\" for the root; no trailing backslash, no stream
    std::u16string stream = {};       // without colons and type; empty: the main data stream
    bool trailing_backslash = false;  // one was given and dropped
    bool stream_syntax = false;       // "::$DATA" was given: cannot be a directory
};

// The absolute name an open means. `related` is the path of the file object it is relative to.
// kInvalidParameter: absolute although relative to something; kObjectNameInvalid: not a legal name.
nt::Result<ParsedName> parse_name(std::optional<std::u16string_view> related, std::u16string_view name,
                                  const NameRules& rules);

// One legal component: not empty, not too long, no wildcards, separators or control characters.
bool is_legal_component(std::u16string_view name, std::size_t max_length) noexcept;
// The same with wildcards allowed.
bool is_legal_pattern(std::u16string_view pattern, std::size_t max_length) noexcept;

bool is_root(std::u16string_view path) noexcept;
// "\" for a path of one component. The root has no parent: do not ask.
std::u16string_view parent_of(std::u16string_view path) noexcept;
std::u16string_view last_component(std::u16string_view path) noexcept;
std::u16string join(std::u16string_view directory, std::u16string_view name);

}  // namespace lab::fsd
