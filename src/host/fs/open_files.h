// The files and directories that the guest has open, by file handle.
// Must never know: nodes, messages.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "fuse/ids.h"
#include "vhost_user/fd.h"

namespace host {

// An open file. Kept by whoever uses it, also beyond its release.
struct OpenFile {
    OpenFile(vhost_user::Fd descriptor, fuse::NodeId of) : fd(std::move(descriptor)), node(of) {}

    const vhost_user::Fd fd;
    const fuse::NodeId node;
    bool direct = false;   // O_DIRECT: reads and writes wait for the disk
    bool durable = false;  // O_SYNC or O_DSYNC: writes wait for the disk
    // Whether a read waits for a disk: the kernel tells each time, or cannot tell and it never does, or may.
    enum class Waits : std::uint8_t { kTold, kNever, kPerhaps };
    std::atomic<Waits> waits = Waits::kTold;
};

// What a reading of a directory has fetched but not handed out.
struct OpenDirectory {
    OpenDirectory(vhost_user::Fd descriptor, fuse::NodeId of) : fd(std::move(descriptor)), node(of) {}

    const vhost_user::Fd fd;
    const fuse::NodeId node;
    std::mutex mutex;              // guards everything below; held over getdents64
    std::vector<std::byte> ahead;  // the kernel's records
    std::size_t position = 0;      // in `ahead`, of the record to hand out next
    std::size_t filled = 0;
    std::uint64_t offset = 0;  // of the record at `position`, as the guest names it
};

// Numbers for shared objects. Thread-safe. A number that was not given, or was taken back, finds nothing.
template <typename T>
class HandleTable {
  public:
    // Tables of different kinds, 0 or 1, give different numbers.
    explicit HandleTable(std::uint32_t kind) : kind_(kind) {}

    fuse::FileHandle add(std::shared_ptr<T> object) {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) {
            entries_.emplace_back();
            free_.reserve(entries_.capacity());  // taking back never fails
            free_.push_back(static_cast<std::uint32_t>(entries_.size() - 1));
        }
        const std::uint32_t slot = free_.back();
        free_.pop_back();
        entries_[slot].object = std::move(object);
        return fuse::FileHandle{std::uint64_t{entries_[slot].generation} << 32 | slot << 1 | kind_};
    }

    std::shared_ptr<T> find(fuse::FileHandle handle) const {
        const std::lock_guard lock(mutex_);
        const auto slot = slot_of(handle);
        return slot == kNone ? nullptr : entries_[slot].object;
    }

    // Any one for which `holds` is true.
    template <typename Condition>
    std::shared_ptr<T> find_if(Condition&& holds) const {
        const std::lock_guard lock(mutex_);
        for (const Entry& entry : entries_) {
            if (entry.object != nullptr && holds(*entry.object)) return entry.object;
        }
        return nullptr;
    }

    std::shared_ptr<T> remove(fuse::FileHandle handle) {
        const std::lock_guard lock(mutex_);
        const auto slot = slot_of(handle);
        if (slot == kNone) return nullptr;
        ++entries_[slot].generation;
        free_.push_back(slot);
        return std::exchange(entries_[slot].object, nullptr);
    }

    void clear() {
        std::vector<std::shared_ptr<T>> closed;  // without the lock
        const std::lock_guard lock(mutex_);
        for (std::uint32_t slot = 0; slot < entries_.size(); ++slot) {
            if (entries_[slot].object == nullptr) continue;
            ++entries_[slot].generation;
            free_.push_back(slot);
            closed.push_back(std::exchange(entries_[slot].object, nullptr));
        }
    }

    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return entries_.size() - free_.size();
    }

  private:
    static constexpr std::uint32_t kNone = UINT32_MAX;

    struct Entry {
        std::shared_ptr<T> object;
        std::uint32_t generation = 1;
    };

    std::uint32_t slot_of(fuse::FileHandle handle) const {
        const auto number = static_cast<std::uint64_t>(handle);
        const auto place = static_cast<std::uint32_t>(number);
        const std::uint32_t slot = place >> 1;
        if ((place & 1) != kind_ || slot >= entries_.size() || entries_[slot].object == nullptr ||
            entries_[slot].generation != number >> 32) {
            return kNone;
        }
        return slot;
    }

    const std::uint32_t kind_;
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> free_;
};

}  // namespace host
