// What WinFsp's DLL checks before it asks the file system to create or open (winfsp-contract 4.3): the names'
// attributes and the rights that follow. Callers hold SeChangeNotify, so directories on the way are not
// checked. Must never know: handles, sharing. Each function makes exactly the GetSecurityByName calls that
// the DLL makes.
#pragma once

#include <cstdint>
#include <string_view>

#include "lab/fsd/file_system.h"
#include "lab/fsd/names.h"

namespace lab::fsd {

// Generic rights turned into file rights.
std::uint32_t map_generic_access(std::uint32_t access) noexcept;

struct AccessWanted {
    std::uint32_t access = 0;   // without generic bits
    std::uint32_t options = 0;  // nt::create_option
};

// An existing file: the access granted. One attributes_by_name, of the name.
nt::Result<std::uint32_t> check_open(FileSystem& file_system, const VolumeParams& params,
                                     const ParsedName& name, const AccessWanted& wanted);
// A name to be made: its parent must be a directory. One attributes_by_name, of the parent. `attributes` are
// the new file's.
nt::Result<std::uint32_t> check_create(FileSystem& file_system, const VolumeParams& params,
                                       const ParsedName& name, const AccessWanted& wanted,
                                       std::uint32_t attributes);
// What a Create that met an existing name reports. At most one attributes_by_name, of the name.
nt::Status collision_status(FileSystem& file_system, const VolumeParams& params, const ParsedName& name,
                            const AccessWanted& wanted);
// The directory of a rename's target. One attributes_by_name, of the directory.
nt::Result<void> check_parent(FileSystem& file_system, const VolumeParams& params,
                              std::u16string_view directory);
// A rename's target that may be replaced. One attributes_by_name, of the target; a missing one is fine.
nt::Result<void> check_replace(FileSystem& file_system, std::u16string_view target, bool ignore_read_only);

}  // namespace lab::fsd
