// What WinFsp's DLL checks before it asks the file system to create or open (winfsp-contract 4.3): the names'
// attributes and the rights that follow. Callers hold SeChangeNotify, so directories on the way are not
// checked. Must never know: handles, sharing. Each function makes exactly the GetSecurityByName calls that
// the DLL makes.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "lab/fsd/file_system.h"
#include "lab/fsd/names.h"

namespace lab::fsd {

// Why the file system is not asked. kReparse: to be resolved first; where the reparse point is known to be.
struct Refusal {
    Refusal(nt::Status why, std::uint32_t index = 0)
        : status(why), reparse_index(index) {}  // NOLINT: implicit
    nt::Status status;
    std::uint32_t reparse_index;
};
template <typename T>
using Checked = std::expected<T, Refusal>;

// Generic rights turned into file rights.
std::uint32_t map_generic_access(std::uint32_t access) noexcept;

struct AccessWanted {
    std::uint32_t access = 0;   // without generic bits
    std::uint32_t options = 0;  // nt::create_option
};

// An existing file: the access granted. One attributes_by_name, of the name.
Checked<std::uint32_t> check_open(FileSystem& file_system, const VolumeParams& params, const ParsedName& name,
                                  const AccessWanted& wanted);
// A name to be made: its parent must be a directory. One attributes_by_name, of the parent. `attributes` are
// the new file's.
Checked<std::uint32_t> check_create(FileSystem& file_system, const VolumeParams& params,
                                    const ParsedName& name, const AccessWanted& wanted,
                                    std::uint32_t attributes);
// What a Create that met an existing name reports. At most one attributes_by_name, of the name.
Refusal collision_status(FileSystem& file_system, const VolumeParams& params, const ParsedName& name,
                         const AccessWanted& wanted);
// The directory of a rename's target. One attributes_by_name, of the directory.
Checked<void> check_parent(FileSystem& file_system, const VolumeParams& params,
                           std::u16string_view directory);
// A rename's target that may be replaced. One attributes_by_name, of the target; a missing one is fine.
Checked<void> check_replace(FileSystem& file_system, std::u16string_view target, bool ignore_read_only);

}  // namespace lab::fsd
