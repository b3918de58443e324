// Walks the records of READDIR and READDIRPLUS replies, trusting no length and no name.
// Must never know: which names a guest's operating system would refuse.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "fuse/protocol.h"
#include "fuse/reply.h"
#include "fuse/request.h"

namespace fuse {

struct DirectoryRecord {
    Dirent dirent;
    std::string_view name;  // points into the reply; "." and ".." occur
};

struct DirectoryRecordPlus {
    EntryOut entry;  // a node that is not kNoNode carries one lookup reference
    Dirent dirent;
    std::string_view name;
};

// Steps through one reply's body, which outlives it. After an error or the end it stays there.
template <typename Fixed, typename Record>
class DirectoryWalk {
  public:
    explicit DirectoryWalk(std::span<const std::byte> body) : rest_(body) {}

    // The next record; nullopt at the end. Records before a bad one are good.
    std::expected<std::optional<Record>, ParseError> next() {
        if (failed_) return std::unexpected(error_);
        if (rest_.empty()) return std::optional<Record>{};
        const auto fixed = read_fixed<Fixed>(rest_);
        if (!fixed) return fail(ParseError::kTruncatedRecord);
        const Dirent dirent = dirent_of(*fixed);
        if (dirent.namelen == 0 || dirent.namelen > kMaxNameBytes) return fail(ParseError::kBadName);
        const std::size_t record_bytes = (sizeof(Fixed) + dirent.namelen + 7) & ~std::size_t{7};
        if (record_bytes > rest_.size()) return fail(ParseError::kTruncatedRecord);
        const std::string_view name(reinterpret_cast<const char*>(rest_.data()) + sizeof(Fixed),
                                    dirent.namelen);
        if (!is_component(name)) return fail(ParseError::kBadName);
        rest_ = rest_.subspan(record_bytes);
        return record_of(*fixed, name);
    }

  private:
    // Of a record that outlives the use.
    static const Dirent& dirent_of(const Dirent& fixed) {
        return fixed;  // NOLINT(bugprone-return-const-ref-from-parameter)
    }
    static const Dirent& dirent_of(const DirentPlus& fixed) { return fixed.dirent; }

    static Record record_of(const Dirent& fixed, std::string_view name) {
        return Record{.dirent = fixed, .name = name};
    }
    static Record record_of(const DirentPlus& fixed, std::string_view name) {
        return Record{.entry = fixed.entry, .dirent = fixed.dirent, .name = name};
    }

    std::unexpected<ParseError> fail(ParseError error) {
        failed_ = true;
        error_ = error;
        return std::unexpected(error);
    }

    std::span<const std::byte> rest_;
    bool failed_ = false;
    ParseError error_{};
};

using DirectoryReader = DirectoryWalk<Dirent, DirectoryRecord>;
using DirectoryPlusReader = DirectoryWalk<DirentPlus, DirectoryRecordPlus>;

}  // namespace fuse
