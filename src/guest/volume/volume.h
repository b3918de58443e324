// An NT-like volume over a FUSE connection: what the service answers WinFsp's callbacks with.
// Must never know: windows.h, WinFsp, the transport below Channel.
//
// Paths are UTF-16, absolute within the volume, separated by backslashes ("\" is the root), without stream
// names, as WinFsp hands them to a file system. Every method is thread-safe and may block for host round
// trips, holding no lock while it does. Unless said otherwise a method fails with the NTSTATUS that NTFS
// would give, or the one that status_table.h has for the host's errno; with kDeviceRemoved once the channel's
// epoch is over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/volume/channel.h"
#include "nt/file.h"
#include "nt/status.h"

namespace guest {

class Session;

// Who new files belong to on the host.
struct HostOwner {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};

struct VolumeOptions {
    std::optional<HostOwner> owner{};             // without: the owner of the share's root
    HostOwner overflow{65534, 65534};             // ids the host shows for owners it has no name for
    std::size_t max_idle_nodes = 4096;            // host references kept for nodes that are not in use
    std::function<void(std::string_view)> log{};  // one UTF-8 line a call, thread-safe; may be empty
};

struct VolumeInfo {
    std::uint64_t total_bytes = 0;
    std::uint64_t free_bytes = 0;  // what an unprivileged user may still use, frsize honoured
};

// One open file or directory: the per-open context. Made by create() and open(), ended by close().
class File;

struct CreateParameters {
    std::uint32_t options = 0;          // nt::create_option bits; kDirectoryFile asks for a directory
    std::uint32_t granted_access = 0;   // nt::access bits
    std::uint32_t attributes = 0;       // nt::file_attribute bits
    std::uint64_t allocation_size = 0;  // bytes, a hint
    // What the program asked for. WinFsp calls Create for kOpenIf, kOverwriteIf and kSupersede when it found
    // no such name; if somebody has made it meanwhile it is opened and, except for kOpenIf, overwritten.
    nt::Disposition disposition = nt::Disposition::kCreate;
};

struct OpenParameters {
    std::uint32_t options = 0;
    std::uint32_t granted_access = 0;
};

struct Opened {
    File* file = nullptr;
    nt::FileInfo info;
};

struct Written {
    std::uint32_t bytes = 0;
    nt::FileInfo info;
};

// Where a write goes. NT's three cases: at an offset, at the end of file, or "constrained" (never extends the
// file).
struct WritePosition {
    std::uint64_t offset = 0;
    bool to_end_of_file = false;
    bool constrained = false;
};

// nullopt and 0 leave a value as it is.
struct BasicInfoChange {
    std::optional<std::uint32_t> attributes;
    nt::FileTime creation_time = 0;
    nt::FileTime last_access_time = 0;
    nt::FileTime last_write_time = 0;
    nt::FileTime change_time = 0;
};

enum class SizeKind { kEndOfFile, kAllocation };

// What has to happen when a handle is cleaned up; WinFsp's FspCleanup flags.
struct CleanupActions {
    bool remove = false;  // delete the file or empty directory
    bool set_allocation_size = false;
    bool set_archive_bit = false;
    bool set_last_access_time = false;
    bool set_last_write_time = false;
    bool set_change_time = false;
};

struct DirectoryEntry {
    std::u16string_view name;  // valid during the call only
    nt::FileInfo info;
};

class Volume {
  public:
    // Negotiates FUSE_INIT on the channel's present epoch and looks at the root. The channel outlives the
    // volume.
    static nt::Result<std::unique_ptr<Volume>> mount(Channel& channel, VolumeOptions options);

    // Ends the session (DESTROY) if the channel is still there. Every File must have been closed before.
    ~Volume();
    Volume(const Volume&) = delete;
    Volume& operator=(const Volume&) = delete;

    // Lets every request in flight fail with kCancelled and refuses new ones; for a stop that must not wait
    // for the host.
    void shut_down() noexcept;

    // Asks for the root's attributes without waiting: a host that is gone shows in the channel, and a new
    // owner of the root in what new files belong to. One question at a time: nothing happens while the last
    // one is on its way.
    void ask_for_sign_of_life() noexcept;

    nt::Result<VolumeInfo> volume_info();

    // What GetSecurityByName asks: the attributes of a name. kObjectPathNotFound if a directory on the way is
    // missing, kReparse if one is a symbolic link.
    nt::Result<std::uint32_t> attributes_of(std::u16string_view path);

    // Makes a new file or directory; kObjectNameCollision if the name exists and the disposition is kCreate.
    nt::Result<Opened> create(std::u16string_view path, const CreateParameters& parameters);
    // Opens an existing one. The host file is opened when data is first needed or at once if data access was
    // granted.
    nt::Result<Opened> open(std::u16string_view path, const OpenParameters& parameters);
    // Cuts to zero; attributes are replaced (supersede) or added to.
    nt::Result<nt::FileInfo> overwrite(File& file, std::uint32_t attributes, bool replace_attributes,
                                       std::uint64_t allocation_size);
    // `path` is the file's present path; looked at only if actions.remove. Cannot fail: failures are logged.
    void cleanup(File& file, std::u16string_view path, const CleanupActions& actions);
    // The last use of the file. Does not wait for the host.
    void close(File* file) noexcept;

    // Fills as much of `buffer` as there is data; kEndOfFile at or beyond the end. Large reads go out as one
    // batch.
    nt::Result<std::uint32_t> read(File& file, std::span<std::byte> buffer, std::uint64_t offset);
    nt::Result<Written> write(File& file, std::span<const std::byte> data, const WritePosition& position);
    // FSYNC: what was written is on the host's disk when this returns.
    nt::Result<nt::FileInfo> flush(File& file);
    // SYNCFS where the host has it; otherwise FSYNC of every file this volume wrote and still has open.
    nt::Result<void> flush_volume();

    nt::Result<nt::FileInfo> file_info(File& file);
    nt::Result<nt::FileInfo> set_basic_info(File& file, const BasicInfoChange& change);
    nt::Result<nt::FileInfo> set_size(File& file, std::uint64_t bytes, SizeKind kind);

    // Whether the file may be deleted: kDirectoryNotEmpty, kCannotDelete.
    nt::Result<void> can_delete(File& file, std::u16string_view path);
    // kObjectNameCollision if the target exists and replace is false; kAccessDenied for replacing a
    // directory.
    nt::Result<void> rename(File& file, std::u16string_view from, std::u16string_view to, bool replace);

    // Gives entries in a stable order (sorted by UTF-16 units, "." and ".." first, not for the root),
    // strictly after `marker` even if that entry is gone; without a marker the directory is read afresh.
    // Stops when `add` returns false; returns true when it came to the end of the directory.
    nt::Result<bool> read_directory(File& directory, std::optional<std::u16string_view> marker,
                                    const std::function<bool(const DirectoryEntry&)>& add);
    // One entry by name, as read_directory would give it; kObjectNameNotFound.
    nt::Result<nt::FileInfo> entry_of(File& directory, std::u16string_view name);

    // A symbolic link's REPARSE_DATA_BUFFER, for a program that opened the link itself; kNotAReparsePoint.
    nt::Result<std::vector<std::byte>> reparse_point(File& file, std::u16string_view path);
    // The same by name, for following it: kObjectPathNotFound for a target outside the share.
    nt::Result<std::vector<std::byte>> reparse_point_of(std::u16string_view path);
    // Makes a symbolic link of an empty file or directory, or gives a link another target. The file, and
    // every other that is open by the same name, is the link afterwards. kNotSupported: not a symbolic link,
    // a target outside the share, or a file with data; kDirectoryNotEmpty; kIoReparseDataInvalid and
    // kIoReparseTagInvalid for a malformed buffer.
    nt::Result<void> set_reparse_point(File& file, std::u16string_view path, std::span<const std::byte> data);
    // Makes an empty file or directory of a link; `data` is a header without data.
    nt::Result<void> delete_reparse_point(File& file, std::u16string_view path,
                                          std::span<const std::byte> data);

    Session& session() noexcept;

  private:
    class Impl;
    explicit Volume(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace guest
