// What the FUSE server is told at its start: how the shared directory is to be shown.
// Must never know: command lines.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "host/id_translation.h"
#include "host/xattr_map.h"
#include "vhost_user/fd.h"

namespace host {

// How long the guest may believe what it was told of names and attributes, and of data between two opens.
enum class CachePolicy : std::uint8_t {
    kNever,     // not at all; data is read around the guest's page cache
    kMetadata,  // names and attributes for metadata_timeout, data as kNever
    kAuto,      // names and attributes a second, data from open to close
    kAlways,    // a day; data is kept between opens
};

// Whether nodes are kept by file handles instead of open descriptors.
enum class FileHandles : std::uint8_t {
    kNever,      // descriptors only
    kPrefer,     // beyond the descriptor budget, on file systems that have them
    kMandatory,  // the same; the start fails where the shared directory has none
};

struct ServerOptions {
    CachePolicy cache = CachePolicy::kAuto;
    std::chrono::nanoseconds entry_timeout{std::chrono::seconds{1}};
    std::chrono::nanoseconds attr_timeout{std::chrono::seconds{1}};
    FileHandles file_handles = FileHandles::kPrefer;
    std::size_t descriptor_budget = 512;  // O_PATH descriptors kept for nodes that could be kept by handles
    bool readonly = false;
    bool xattr = false;
    bool posix_acl = false;  // implies xattr
    bool security_label = false;
    bool posix_locks = false;
    bool flock = false;
    bool writeback = false;
    bool allow_direct_io = false;  // otherwise O_DIRECT of the guest is dropped
    bool announce_submounts = false;
    bool readdirplus = true;
    bool killpriv_v2 = false;
    bool preserve_noatime = false;
    IdTranslation uids{};
    IdTranslation gids{};
    XattrMap xattr_map{};
};

// The places that the server works from, opened before the process was confined. Nothing else is opened by
// path.
struct ServerRoots {
    vhost_user::Fd directory;     // O_PATH, the shared directory
    vhost_user::Fd proc_self_fd;  // O_PATH, /proc/self/fd of this process
};

}  // namespace host
