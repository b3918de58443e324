// NtQueryDirectoryFile: classes, patterns, markers and how entries are packed (winfsp-contract 9).
#include <algorithm>
#include <vector>

#include "lab/fsd/fsd_impl.h"
#include "lab/fsd/info_layout.h"
#include "lab/fsd/name_expression.h"
#include "lab/fsd/upcase.h"
#include "nt/bytes.h"
#include "nt/info_class.h"

namespace lab::fsd {
namespace {

namespace file_class = nt::file_class;
using nt::put;
using nt::Status;

// FSP_FSCTL_DIR_INFO: a fixed part before the name, records aligned to 8 bytes; what a request's buffer can
// hold.
constexpr std::size_t kDirInfoFixed = 104;
constexpr std::size_t kMaxRequest = 65536;

constexpr std::size_t aligned(std::size_t bytes) {
    return (bytes + 7) & ~std::size_t{7};
}

std::size_t dir_info_size(std::size_t name_units) {
    return aligned(kDirInfoFixed + name_units * sizeof(char16_t));
}

// Where the fields of a directory information class are; 0: the class has no such field.
struct EntryLayout {
    std::size_t size = 0;  // sizeof(), the smallest buffer accepted
    std::size_t name = 0;
    std::size_t name_length = 0;
    std::size_t ea_size = 0;
    std::size_t file_id = 0;
};

std::optional<EntryLayout> layout_of(std::uint32_t information_class) {
    switch (information_class) {
        case file_class::kDirectory:
            return EntryLayout{.size = 72, .name = 64, .name_length = 60};
        case file_class::kFullDirectory:
            return EntryLayout{.size = 72, .name = 68, .name_length = 60, .ea_size = 64};
        case file_class::kIdFullDirectory:
            return EntryLayout{.size = 88, .name = 80, .name_length = 60, .ea_size = 64, .file_id = 72};
        case file_class::kBothDirectory:
            return EntryLayout{.size = 96, .name = 94, .name_length = 60, .ea_size = 64};
        case file_class::kIdBothDirectory:
            return EntryLayout{.size = 112, .name = 104, .name_length = 60, .ea_size = 64, .file_id = 96};
        case file_class::kNames:
            return EntryLayout{.size = 16, .name = 12, .name_length = 8};
        default:
            return std::nullopt;
    }
}

struct Entry {
    std::u16string name;
    nt::FileInfo info;
};

// The buffer of one ReadDirectory request: full when the records would fill it.
class EntryBuffer final : public DirectorySink {
  public:
    explicit EntryBuffer(std::size_t bytes) : left_(bytes) {}

    bool add(std::u16string_view name, const nt::FileInfo& info) override {
        const std::size_t size = dir_info_size(name.size());
        if (size > left_) return false;
        left_ -= size;
        entries_.push_back({.name = std::u16string(name), .info = info});
        return true;
    }
    const std::vector<Entry>& entries() const { return entries_; }

  private:
    std::size_t left_;
    std::vector<Entry> entries_;
};

// Packs entries into the caller's buffer.
class Packer {
  public:
    Packer(std::span<std::byte> buffer, const EntryLayout& layout, bool single)
        : buffer_(buffer), layout_(layout), single_(single) {}

    enum class Outcome { kPacked, kTruncated, kFull };

    // kFull: not taken. kTruncated: taken, but its name is cut off, and nothing more goes in.
    Outcome add(const Entry& entry, std::uint64_t allocation_size) {
        const std::size_t start = aligned(used_);
        const std::size_t name_bytes = entry.name.size() * sizeof(char16_t);
        const std::size_t needed = layout_.name + name_bytes;
        const std::size_t room = start > buffer_.size() ? 0 : buffer_.size() - start;
        const bool first = used_ == 0;
        if ((!first && (single_ || needed > room)) || room < layout_.name) return Outcome::kFull;
        const auto record = buffer_.subspan(start);
        std::ranges::fill(record.first(layout_.name), std::byte{0});
        put_fields(record, entry, allocation_size);
        const std::size_t written = nt::put_text(record, layout_.name, entry.name);
        if (!first) put(buffer_, last_, static_cast<std::uint32_t>(start - last_));
        last_ = start;
        used_ = start + layout_.name + written;
        return written == name_bytes ? Outcome::kPacked : Outcome::kTruncated;
    }
    std::size_t used() const { return used_; }

  private:
    void put_fields(std::span<std::byte> record, const Entry& entry, std::uint64_t allocation_size) const {
        const nt::FileInfo& info = entry.info;
        put(record, layout_.name_length, static_cast<std::uint32_t>(entry.name.size() * sizeof(char16_t)));
        if (layout_.name_length == 8) return;  // names only
        put(record, 8, info.creation_time);
        put(record, 16, info.last_access_time);
        put(record, 24, info.last_write_time);
        put(record, 32, info.change_time);
        put(record, 40, info.file_size);
        put(record, 48, allocation_size);
        put(record, 56, layout::reported_attributes(info.attributes));
        const bool reparse = (info.attributes & nt::file_attribute::kReparsePoint) != 0;
        if (layout_.ea_size != 0) put(record, layout_.ea_size, reparse ? info.reparse_tag : info.ea_size);
        if (layout_.file_id != 0) put(record, layout_.file_id, info.index_number);
    }

    std::span<std::byte> buffer_;
    EntryLayout layout_;
    bool single_;
    std::size_t used_ = 0;
    std::size_t last_ = 0;
};

// What names a scan lets through, and how the file system is asked for them.
struct Filter {
    bool all = false;       // "*" or none
    bool one_name = false;  // no wildcards
    bool ignore_case = false;
    std::u16string pattern;   // as given
    std::u16string compared;  // upper-cased where case does not matter

    bool lets_through(std::u16string_view name) const {
        if (all) return true;
        return ignore_case ? is_name_in_expression(compared, upcase(name))
                           : is_name_in_expression(compared, name);
    }
};

Filter filter_of(const DirectoryScan& scan, bool case_sensitive) {
    Filter filter;
    filter.pattern = scan.pattern.value_or(u"*");
    filter.all = filter.pattern == u"*";
    filter.one_name = !has_wildcards(filter.pattern);
    filter.ignore_case = !case_sensitive;
    filter.compared = case_sensitive ? filter.pattern : upcase(filter.pattern);
    return filter;
}

}  // namespace

// One request to the file system: the entries after the scan's marker.
struct Fsd::Impl::Listing {
    std::vector<Entry> entries;
    bool at_end = false;
};

nt::Result<Fsd::Impl::Listing> Fsd::Impl::list(const FileObject& object, const DirectoryScan& scan,
                                               std::size_t caller_bytes) const {
    const Filter filter = filter_of(scan, params_.case_sensitive_search);
    const bool by_name = filter.one_name && params_.pass_query_directory_file_name;
    const std::size_t one_entry = dir_info_size(params_.max_component_length);
    if (by_name) {
        std::u16string real_name = filter.pattern;
        const auto found = file_system_.entry_by_name(object.context, filter.pattern, real_name);
        if (found) {
            return Listing{.entries = {{.name = std::move(real_name), .info = *found}}, .at_end = true};
        }
        if (found.error() == Status::kObjectNameNotFound) return Listing{.entries = {}, .at_end = true};
        if (found.error() != Status::kInvalidDeviceRequest) return nt::fail(found.error());
    }
    std::optional<std::u16string_view> pattern;
    if (by_name || (params_.pass_query_directory_pattern && !filter.all)) pattern = filter.pattern;
    std::optional<std::u16string_view> marker;
    if (scan.marker) marker = *scan.marker;
    const std::size_t bytes =
        by_name ? one_entry : std::clamp(aligned(caller_bytes), one_entry, std::max(one_entry, kMaxRequest));
    EntryBuffer buffer(bytes);
    const auto at_end = file_system_.read_directory(object.context, pattern, marker, bytes, buffer);
    if (!at_end) return nt::fail(at_end.error());
    return Listing{.entries = buffer.entries(), .at_end = *at_end};
}

IoStatus Fsd::Impl::query_directory(FileId id, const DirectoryQuery& query, std::span<std::byte> buffer) {
    const auto active = enter_file(id);
    if (!active) return io(active.error());
    FileObject& object = **active;
    const auto entry_layout = layout_of(query.information_class);
    if (!entry_layout) return io(Status::kInvalidInfoClass);
    if (buffer.size() < entry_layout->size) return io(Status::kInfoLengthMismatch);
    if ((object.granted_access & nt::access::kReadData) == 0) return io(Status::kAccessDenied);
    if (!object.node->is_directory) return io(Status::kInvalidParameter);
    const bool has_pattern = query.pattern && !query.pattern->empty();
    if (has_pattern && !is_legal_pattern(*query.pattern, params_.max_component_length)) {
        return io(Status::kObjectNameInvalid);
    }
    // The queries of one handle come one after the other.
    const std::scoped_lock turn(object.scan_lock);
    DirectoryScan& scan = object.scan;
    if (!scan.pattern || query.restart_scan) {
        if (has_pattern || !scan.pattern) scan.pattern = has_pattern ? std::u16string(*query.pattern) : u"*";
        scan.marker.reset();
        scan.found_something = false;
    }
    const Filter filter = filter_of(scan, params_.case_sensitive_search);
    if (filter.one_name && scan.found_something) return io(Status::kNoMoreFiles);

    Packer packer(buffer, *entry_layout, query.return_single_entry);
    while (packer.used() == 0) {
        const auto listing = list(object, scan, buffer.size());
        if (!listing) return io(listing.error());
        // A file system that neither ends nor gets past the marker would be asked for ever.
        if (!listing->at_end && (listing->entries.empty() || listing->entries.back().name == scan.marker)) {
            return io(Status::kInternalError);
        }
        for (const Entry& entry : listing->entries) {
            if (filter.lets_through(entry.name)) {
                const auto outcome = packer.add(
                    entry, round_to_unit(std::max(entry.info.allocation_size, entry.info.file_size)));
                if (outcome == Packer::Outcome::kFull) return io(Status::kSuccess, packer.used());
                scan.found_something = true;
                if (outcome == Packer::Outcome::kTruncated) {
                    scan.marker = entry.name;
                    return io(Status::kBufferOverflow, packer.used());
                }
            }
            scan.marker = entry.name;
        }
        if (listing->at_end) break;
    }
    if (packer.used() != 0) return io(Status::kSuccess, packer.used());
    return io(scan.found_something ? Status::kNoMoreFiles : Status::kNoSuchFile);
}

}  // namespace lab::fsd
