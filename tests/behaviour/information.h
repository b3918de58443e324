// NT's information classes as the cases use them: layouts, and directory entries taken apart.
// Must never know: a System. Source: [MS-FSCC] 2.4 and 2.5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nt/file.h"
#include "nt/info_class.h"

namespace behaviour {

namespace file_class = nt::file_class;
namespace volume_class = nt::fs_class;

// FILE_BASIC_INFORMATION. Times: 0 leaves, -1 leaves and stops automatic updates through this handle.
struct BasicInformation {
    nt::FileTime creation_time = 0;
    nt::FileTime last_access_time = 0;
    nt::FileTime last_write_time = 0;
    nt::FileTime change_time = 0;
    std::uint32_t attributes = 0;  // 0 leaves
    std::uint32_t reserved = 0;
};
static_assert(sizeof(BasicInformation) == 40);

// FILE_STANDARD_INFORMATION.
struct StandardInformation {
    std::uint64_t allocation_size = 0;
    std::uint64_t end_of_file = 0;
    std::uint32_t links = 0;
    std::uint8_t delete_pending = 0;
    std::uint8_t directory = 0;
    std::uint16_t reserved = 0;
};
static_assert(sizeof(StandardInformation) == 24);

// FILE_NETWORK_OPEN_INFORMATION.
struct NetworkOpenInformation {
    nt::FileTime creation_time = 0;
    nt::FileTime last_access_time = 0;
    nt::FileTime last_write_time = 0;
    nt::FileTime change_time = 0;
    std::uint64_t allocation_size = 0;
    std::uint64_t end_of_file = 0;
    std::uint32_t attributes = 0;
    std::uint32_t reserved = 0;
};
static_assert(sizeof(NetworkOpenInformation) == 56);

// FILE_ATTRIBUTE_TAG_INFORMATION.
struct AttributeTagInformation {
    std::uint32_t attributes = 0;
    std::uint32_t reparse_tag = 0;
};
static_assert(sizeof(AttributeTagInformation) == 8);

// The fixed part of FILE_ALL_INFORMATION; the name's units follow at kAllNameOffset.
struct AllInformation {
    BasicInformation basic;
    StandardInformation standard;
    std::uint64_t index_number = 0;
    std::uint32_t ea_size = 0;
    std::uint32_t access_flags = 0;
    std::uint64_t position = 0;
    std::uint32_t mode = 0;
    std::uint32_t alignment = 0;
    std::uint32_t name_bytes = 0;
    std::uint32_t name_start = 0;
};
static_assert(sizeof(AllInformation) == 104);
inline constexpr std::size_t kAllNameOffset = 100;
static_assert(offsetof(AllInformation, name_start) == kAllNameOffset);

// FILE_FS_SIZE_INFORMATION.
struct SizeInformation {
    std::uint64_t total_units = 0;
    std::uint64_t available_units = 0;
    std::uint32_t sectors_per_unit = 0;
    std::uint32_t bytes_per_sector = 0;
};
static_assert(sizeof(SizeInformation) == 24);

// FILE_FS_FULL_SIZE_INFORMATION.
struct FullSizeInformation {
    std::uint64_t total_units = 0;
    std::uint64_t caller_available_units = 0;
    std::uint64_t actual_available_units = 0;
    std::uint32_t sectors_per_unit = 0;
    std::uint32_t bytes_per_sector = 0;
};
static_assert(sizeof(FullSizeInformation) == 32);

// FILE_FS_DEVICE_INFORMATION.
struct DeviceInformation {
    std::uint32_t device_type = 0;
    std::uint32_t characteristics = 0;
};

// One entry of a directory query, whatever its class; what a class does not have stays 0.
struct DirectoryEntry {
    std::u16string name;
    nt::FileInfo info;
    std::uint8_t short_name_bytes = 0;
};

// How one class of directory query lays out its entries; sizes and offsets in bytes.
struct DirectoryLayout {
    std::uint32_t information_class;
    std::size_t fixed_bytes;  // sizeof the structure, one unit of the name and padding included
    std::size_t name_length_offset;
    std::size_t name_offset;
};

// The six classes, the plain FileDirectoryInformation first.
std::span<const DirectoryLayout> directory_layouts();
const DirectoryLayout& layout_of(std::uint32_t information_class);

// Takes a filled buffer apart; nullopt if offsets, lengths or the alignment of entries are wrong.
std::optional<std::vector<DirectoryEntry>> parse_entries(std::span<const std::byte> filled,
                                                         std::uint32_t information_class);

}  // namespace behaviour
