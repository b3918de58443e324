#include "tests/behaviour/information.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace behaviour {
namespace {

constexpr std::array<DirectoryLayout, 6> kLayouts{{
    {file_class::kDirectory, 72, 60, 64},
    {file_class::kFullDirectory, 72, 60, 68},
    {file_class::kBothDirectory, 96, 60, 94},
    {file_class::kIdFullDirectory, 88, 60, 80},
    {file_class::kIdBothDirectory, 112, 60, 104},
    {file_class::kNames, 16, 8, 12},
}};

template <typename T>
T load(std::span<const std::byte> from, std::size_t offset) {
    T value{};
    std::memcpy(&value, from.data() + offset, sizeof value);
    return value;
}

DirectoryEntry entry_at(std::span<const std::byte> bytes, const DirectoryLayout& layout) {
    DirectoryEntry entry;
    const auto name_bytes = load<std::uint32_t>(bytes, layout.name_length_offset);
    entry.name.resize(name_bytes / 2);
    if (name_bytes != 0) std::memcpy(entry.name.data(), bytes.data() + layout.name_offset, name_bytes);
    const std::uint32_t kind = layout.information_class;
    if (kind == file_class::kNames) return entry;
    entry.info.creation_time = load<std::uint64_t>(bytes, 8);
    entry.info.last_access_time = load<std::uint64_t>(bytes, 16);
    entry.info.last_write_time = load<std::uint64_t>(bytes, 24);
    entry.info.change_time = load<std::uint64_t>(bytes, 32);
    entry.info.file_size = load<std::uint64_t>(bytes, 40);
    entry.info.allocation_size = load<std::uint64_t>(bytes, 48);
    entry.info.attributes = load<std::uint32_t>(bytes, 56);
    if (kind == file_class::kDirectory) return entry;
    const auto ea_or_tag = load<std::uint32_t>(bytes, 64);
    if ((entry.info.attributes & nt::file_attribute::kReparsePoint) != 0) {
        entry.info.reparse_tag = ea_or_tag;
    } else {
        entry.info.ea_size = ea_or_tag;
    }
    if (kind == file_class::kBothDirectory || kind == file_class::kIdBothDirectory) {
        entry.short_name_bytes = load<std::uint8_t>(bytes, 68);
    }
    if (kind == file_class::kIdFullDirectory) entry.info.index_number = load<std::uint64_t>(bytes, 72);
    if (kind == file_class::kIdBothDirectory) entry.info.index_number = load<std::uint64_t>(bytes, 96);
    return entry;
}

}  // namespace

std::span<const DirectoryLayout> directory_layouts() {
    return kLayouts;
}

const DirectoryLayout& layout_of(std::uint32_t information_class) {
    return *std::ranges::find(kLayouts, information_class, &DirectoryLayout::information_class);
}

std::optional<std::vector<DirectoryEntry>> parse_entries(std::span<const std::byte> filled,
                                                         std::uint32_t information_class) {
    const DirectoryLayout& layout = layout_of(information_class);
    std::vector<DirectoryEntry> entries;
    while (true) {
        if (filled.size() < layout.name_offset) return std::nullopt;
        const std::size_t name_bytes = load<std::uint32_t>(filled, layout.name_length_offset);
        if (name_bytes % 2 != 0 || name_bytes > filled.size() - layout.name_offset) return std::nullopt;
        entries.push_back(entry_at(filled, layout));
        const std::size_t next = load<std::uint32_t>(filled, 0);
        if (next == 0) return entries;
        if (next % 8 != 0 || next < layout.name_offset + name_bytes || next > filled.size())
            return std::nullopt;
        filled = filled.subspan(next);
    }
}

}  // namespace behaviour
