// The volume parameters the cases run with natively: those the service sets.
#pragma once

#include "lab/fsd/file_system.h"

namespace behaviour {

inline lab::fsd::VolumeParams volume_parameters() {
    return {.sector_size = 4096,
            .sectors_per_allocation_unit = 1,
            .max_component_length = 255,
            .file_info_timeout = 0,
            .case_sensitive_search = true,
            .case_preserved_names = true,
            .unicode_on_disk = true,
            .reparse_points = true,
            .post_cleanup_when_modified_only = true,
            .flush_and_purge_on_cleanup = true,
            .pass_query_directory_file_name = true,
            .context_is_per_open = true,
            .file_system_name = u"virtiofs"};
}

}  // namespace behaviour
