// One open file or directory of the guest (volume.h's File) and the host's open files behind it. Must never
// know: paths, how requests are made up.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "guest/volume/attributes.h"
#include "guest/volume/directory_snapshot.h"
#include "guest/volume/session.h"

namespace guest {

// An open file of the host; RELEASEd, without waiting, when the last user lets go.
class HostHandle {
  public:
    enum class Type { kFile, kDirectory };

    HostHandle(Session& session, NodePin node, HostFileHandle handle, Type type, std::uint32_t flags)
        : session_(session), node_(std::move(node)), handle_(handle), type_(type), flags_(flags) {}
    HostHandle(const HostHandle&) = delete;
    HostHandle& operator=(const HostHandle&) = delete;
    ~HostHandle() { session_.release(std::move(node_), handle_, type_ == Type::kDirectory, flags_); }

    HostNodeId node() const { return node_.id(); }
    const NodePin& pin() const { return node_; }
    bool is_of(const NodePin& node) const { return node_ == node; }
    HostFileHandle handle() const { return handle_; }
    std::uint32_t flags() const { return flags_; }  // fuse::open_flag bits

    bool can_read() const { return (flags_ & fuse::open_flag::kAccessMask) != fuse::open_flag::kWriteOnly; }
    bool can_write() const { return (flags_ & fuse::open_flag::kAccessMask) != fuse::open_flag::kReadOnly; }
    bool appends() const { return (flags_ & fuse::open_flag::kAppend) != 0; }

  private:
    Session& session_;
    NodePin node_;
    HostFileHandle handle_;
    Type type_;
    std::uint32_t flags_;
};

// What an operation needs a host file for. Writes at an offset cannot go through one that appends.
enum class Need { kRead, kWrite, kAppend };

class File {
  public:
    File(NodePin node_of_file, FileKind kind_of_file, std::uint32_t open_options, std::uint32_t access)
        : options(open_options), granted_access(access) {
        become(std::move(node_of_file), kind_of_file);
    }

    const std::uint32_t options;         // nt::create_option bits
    const std::uint32_t granted_access;  // nt::access bits
    std::atomic<bool> was_written = false;

    struct Subject {
        NodePin node;
        FileKind kind;
    };
    // Valid as long as the file. Whoever needs both of it looks once: it may become() another.
    const Subject& subject() const { return *subject_.load(std::memory_order_acquire); }
    const NodePin& node() const { return subject().node; }
    FileKind kind() const { return subject().kind; }

    // A link has taken the file's place, or the other way round: from now on this is what is open.
    void become(NodePin node, FileKind kind) {
        std::vector<std::shared_ptr<HostHandle>> handles;
        std::shared_ptr<HostHandle> directory;
        const std::lock_guard lock(mutex_);
        handles_.swap(handles);
        directory_.swap(directory);
        snapshot_.reset();
        // What was there before stays: somebody may be using it.
        subjects_.push_back(std::make_unique<const Subject>(Subject{.node = std::move(node), .kind = kind}));
        subject_.store(subjects_.back().get(), std::memory_order_release);
    }

    // A host file that is already open and will do; nullptr if there is none.
    std::shared_ptr<HostHandle> handle_for(Need need) {
        const std::lock_guard lock(mutex_);
        for (const auto& handle : handles_) {
            const bool fits = need == Need::kRead    ? handle->can_read()
                              : need == Need::kWrite ? handle->can_write() && !handle->appends()
                                                     : handle->appends();
            if (fits) return handle;
        }
        return nullptr;
    }
    // Any of them; one that can write if there is one.
    std::shared_ptr<HostHandle> any_handle() {
        const std::lock_guard lock(mutex_);
        std::shared_ptr<HostHandle> any;
        for (const auto& handle : handles_) {
            if (any == nullptr || handle->can_write()) any = handle;
        }
        return any;
    }
    // Kept unless the file became another since the handle was opened.
    void add_handle(std::shared_ptr<HostHandle> handle) {
        const std::lock_guard lock(mutex_);
        if (handle->is_of(node())) handles_.push_back(std::move(handle));
    }

    // The open host directory is lent to one reader at a time; a second reader opens its own.
    std::shared_ptr<HostHandle> borrow_directory() {
        const std::lock_guard lock(mutex_);
        return std::exchange(directory_, nullptr);
    }
    void give_back_directory(std::shared_ptr<HostHandle> handle) {
        const std::lock_guard lock(mutex_);
        if (handle->is_of(node())) directory_.swap(handle);
    }

    std::shared_ptr<const DirectorySnapshot> snapshot() {
        const std::lock_guard lock(mutex_);
        return snapshot_;
    }
    void set_snapshot(std::shared_ptr<const DirectorySnapshot> snapshot) {
        const std::lock_guard lock(mutex_);
        snapshot_ = std::move(snapshot);
    }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<const Subject>> subjects_;
    std::atomic<const Subject*> subject_ = nullptr;
    std::vector<std::shared_ptr<HostHandle>> handles_;
    std::shared_ptr<HostHandle> directory_;
    std::shared_ptr<const DirectorySnapshot> snapshot_;
};

}  // namespace guest
