// One FILE_OBJECT (WinFsp's FileDesc): what belongs to a single open rather than to the file, and the table
// of them. Must never know: rules of any operation; it only holds state.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lab/fsd/fsd.h"
#include "lab/fsd/shared_lock.h"

namespace lab::fsd {

struct FileNode;

// What a handle did to its file; decides what Cleanup asks of the file system (winfsp-contract 5).
namespace did {
inline constexpr std::uint32_t kModify = 1;
inline constexpr std::uint32_t kSetAttributes = 2;
inline constexpr std::uint32_t kSetLastAccess = 4;
inline constexpr std::uint32_t kSetLastWrite = 8;
inline constexpr std::uint32_t kSetChangeTime = 16;
inline constexpr std::uint32_t kSetMetadata = 32;  // anything through SetBasicInfo
}  // namespace did

// Where a handle's directory enumeration stands.
struct DirectoryScan {
    std::optional<std::u16string> pattern;  // as the first query gave it; nullopt: no query yet
    std::optional<std::u16string> marker;   // name of the last entry consumed
    bool found_something = false;           // since the scan began
};

struct FileObject {
    FileId id = FileId::kNone;
    std::shared_ptr<FileNode> node;  // null: the volume itself
    Context context = 0;
    std::uint32_t granted_access = 0;
    std::uint32_t share_access = 0;
    std::uint32_t options = 0;
    bool delete_on_close = false;
    std::u16string target_name;  // open-target-directory: the last component of the name given

    bool is_volume() const noexcept { return node == nullptr; }
    bool is_synchronous() const noexcept {
        return (options &
                (nt::create_option::kSynchronousIoAlert | nt::create_option::kSynchronousIoNonalert)) != 0;
    }

    // Held shared by every operation, exclusively by cleanup, which so waits for them.
    SharedLock activity;
    std::atomic<bool> cleaned_up = false;

    // NT's file object lock: the operations of a synchronous handle come one after the other.
    std::mutex synchronous_lock;
    std::atomic<std::uint64_t> position = 0;  // bytes

    std::mutex scan_lock;
    DirectoryScan scan;

    std::atomic<std::uint32_t> history = 0;  // did:: bits
    std::atomic<bool> posix_delete = false;
    // The answer to a failed FileDispositionInformationEx, kept for the retry that Windows makes; 0: none.
    std::atomic<nt::Status> disposition_status = nt::Status::kSuccess;
};

using FileObjectRef = std::shared_ptr<FileObject>;

// File objects by id. Thread-safe.
class FileObjectTable {
  public:
    // Gives the object its id.
    FileId add(const FileObjectRef& object);
    FileObjectRef find(FileId id) const;
    // The object, no longer to be found; null if there is none.
    FileObjectRef take(FileId id);
    std::vector<FileId> ids() const;
    std::size_t size() const;

  private:
    mutable std::shared_mutex mutex_;
    std::uint64_t last_id_ = 0;
    std::unordered_map<FileId, FileObjectRef> objects_;
};

}  // namespace lab::fsd
