// NT's I/O manager rules and WinFsp's kernel half for one volume, portable: what happens between a program's
// Nt* call on a drive and the file system's callbacks. Must never know: Wine, the transport, which file
// system is behind FileSystem. Rules and their sources: winfsp-contract.
//
// All methods are thread-safe and may block. Buffers are in NT's own layouts ([MS-FSCC] 2.4, 2.5), so that a
// caller can pass a program's buffer as it is; IoStatus is what the program finds in its IO_STATUS_BLOCK and
// as NTSTATUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lab/fsd/file_system.h"
#include "nt/file.h"
#include "nt/status.h"

namespace lab::fsd {

// One FILE_OBJECT of this volume. Never reused; 0 is none.
enum class FileId : std::uint64_t { kNone = 0 };

struct IoStatus {
    nt::Status status = nt::Status::kSuccess;
    std::uint64_t information = 0;
};

struct CreateRequest {
    std::u16string_view name =
        {};  // "\dir\file" absolute in the volume ("" = the volume itself), or relative to `related`
    FileId related = FileId::kNone;
    std::uint32_t desired_access = 0;  // generic rights allowed
    std::uint64_t allocation_size = 0;
    std::uint32_t attributes = 0;
    std::uint32_t share_access = 0;
    nt::Disposition disposition = nt::Disposition::kOpen;
    std::uint32_t options = 0;
    bool has_ea = false;  // an EA buffer was given
};

struct CreateResult {
    IoStatus io;
    FileId file = FileId::kNone;
};

// FILE_INFORMATION_CLASS and FS_INFORMATION_CLASS values are NT's own numbers.
struct DirectoryQuery {
    std::uint32_t information_class = 0;
    std::optional<std::u16string_view> pattern = {};
    bool restart_scan = false;
    bool return_single_entry = false;
};

// Where the model departs from NT because of who calls it.
struct CallerRules {
    // NT asks for FILE_READ_ATTRIBUTES and FILE_WRITE_ATTRIBUTES on the handle of basic information; Wine's
    // kernelbase opens without them (winfsp-contract 15).
    bool enforce_attribute_access = false;
};

class Fsd {
  public:
    // The file system outlives the Fsd. Handles still open at destruction are cleaned up and closed.
    Fsd(FileSystem& file_system, VolumeParams params, CallerRules rules = {});
    ~Fsd();
    Fsd(const Fsd&) = delete;
    Fsd& operator=(const Fsd&) = delete;

    CreateResult create(const CreateRequest& request);
    // IRP_MJ_CLEANUP: the last handle of the file object was closed. Waits for the file system's Cleanup.
    void cleanup(FileId file);
    // IRP_MJ_CLOSE: the last reference is gone. Follows cleanup; the file system's Close is called before it
    // returns.
    void close(FileId file);
    // NtClose of the only handle: cleanup, then close.
    void close_handle(FileId file);

    // nullopt offset: the file object's current position (synchronous handles). Advances the position of
    // synchronous handles.
    IoStatus read(FileId file, std::span<std::byte> buffer, std::optional<std::uint64_t> offset);
    // Offset ~0 (FILE_WRITE_TO_END_OF_FILE) appends, as do handles with append but no write access.
    IoStatus write(FileId file, std::span<const std::byte> data, std::optional<std::uint64_t> offset);
    IoStatus flush(FileId file);

    IoStatus query_information(FileId file, std::uint32_t information_class, std::span<std::byte> buffer);
    // For FileRename[Ex]Information the target path is what the I/O manager made of it: see RenameRequest;
    // RootDirectory holds a FileId's number.
    IoStatus set_information(FileId file, std::uint32_t information_class, std::span<const std::byte> buffer);
    IoStatus query_volume_information(FileId file, std::uint32_t information_class,
                                      std::span<std::byte> buffer);
    IoStatus set_volume_information(FileId file, std::uint32_t information_class,
                                    std::span<const std::byte> buffer);
    IoStatus query_directory(FileId file, const DirectoryQuery& query, std::span<std::byte> buffer);
    IoStatus fs_control(FileId file, std::uint32_t code, std::span<const std::byte> in,
                        std::span<std::byte> out);
    // FileRename[Ex]Information once the I/O manager has resolved names: `new_name` is a bare name (same
    // directory) or
    // "\absolute\path" within this volume; `root` a directory FileId it is relative to, or kNone.
    struct RenameRequest {
        std::u16string_view new_name = {};
        FileId root = FileId::kNone;
        bool replace_if_exists = false;
        std::uint32_t flags = 0;  // FILE_RENAME_* of FileRenameInformationEx
        bool extended = false;    // FileRenameInformationEx rather than FileRenameInformation
    };
    IoStatus rename(FileId file, const RenameRequest& request);

    // "\dir\file" as it is now.
    std::u16string path_of(FileId file) const;
    // File objects not closed yet; 0 after a clean run.
    std::size_t open_count() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::fsd
