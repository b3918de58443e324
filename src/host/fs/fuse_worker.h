// Answers FUSE requests, one thread's share of them. The operations are in the files named after what they
// are about. Must never know: rings, the sandbox it runs in.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "host/async_io.h"
#include "host/fs/attributes.h"
#include "host/fs/credentials.h"
#include "host/fs/fuse_server.h"
#include "host/fs/lock_waits.h"
#include "host/fs/reply.h"
#include "host/fs/request.h"

namespace host {

class PendingData;

template <typename T>
using FsResult = std::expected<T, fuse::Errno>;

// Its thread has a working directory and a umask of its own (unshare(CLONE_FS)); the working directory is
// /proc/self/fd, so that a descriptor's number is a path to what it refers to.
class FuseWorker final : public RequestWorker {
  public:
    FuseWorker(FuseServer& server, AsyncIo* io);
    ~FuseWorker() override;

    void serve(Exchange& exchange) noexcept override;
    void stop_waiting() noexcept override;

  private:
    friend class PendingData;
    friend class LockWaits;
    using InHeader = fuse::InHeader;
    using Operation = void (FuseWorker::*)(const InHeader&, Arguments, const Reply&);
    struct Route {
        Operation operation = nullptr;  // null: not supported
        bool modifies = false;          // refused by a read-only server
    };
    static const Route* route_of(fuse::Opcode opcode);

    // session.cc
    void init(const InHeader&, Arguments, const Reply&);
    void destroy(const InHeader&, Arguments, const Reply&);
    void statfs(const InHeader&, Arguments, const Reply&);
    void syncfs(const InHeader&, Arguments, const Reply&);
    std::uint64_t flags_to_agree_on(std::uint64_t offered) const;

    // node_entries.cc
    void lookup(const InHeader&, Arguments, const Reply&);
    void forget(const InHeader&, Arguments);
    void batch_forget(Arguments);
    void forget_node(fuse::NodeId node, fuse::LookupCount count);

    // attribute_operations.cc
    void getattr(const InHeader&, Arguments, const Reply&);
    void setattr(const InHeader&, Arguments, const Reply&);
    void statx(const InHeader&, Arguments, const Reply&);
    void access(const InHeader&, Arguments, const Reply&);
    int change_attributes(const fuse::SetAttrIn& change, const NodeTable::Pin& node, int open_file);

    // creation.cc
    void mknod(const InHeader&, Arguments, const Reply&);
    void mkdir(const InHeader&, Arguments, const Reply&);
    void symlink(const InHeader&, Arguments, const Reply&);
    void create(const InHeader&, Arguments, const Reply&);
    void tmpfile(const InHeader&, Arguments, const Reply&);
    FsResult<vhost_user::Fd> make_or_open(const InHeader& header, const NodeTable::Pin& parent,
                                          const char* name, const fuse::CreateIn& arguments);
    FsResult<vhost_user::Fd> create_file(const InHeader& header, const NodeTable::Pin& parent,
                                         const char* name, const fuse::CreateIn& arguments);
    int label(int fd);
    int label_made(const NodeTable::Pin& parent, const char* name, int remove_flags);
    void answer_created(const NodeTable::Pin& parent, vhost_user::Fd file, std::uint32_t flags,
                        const Reply& reply);

    // name_operations.cc
    void link(const InHeader&, Arguments, const Reply&);
    void unlink(const InHeader&, Arguments, const Reply&);
    void rmdir(const InHeader&, Arguments, const Reply&);
    void rename(const InHeader&, Arguments, const Reply&);
    void rename2(const InHeader&, Arguments, const Reply&);
    void readlink(const InHeader&, Arguments, const Reply&);
    void rename_with(const InHeader& header, fuse::NodeId new_directory, std::uint32_t flags,
                     Arguments arguments, const Reply& reply);
    std::optional<NodeTable::Pin> node_without_name(const NodeTable::Pin& parent, const char* name) const;

    // file_operations.cc
    void open(const InHeader&, Arguments, const Reply&);
    void release(const InHeader&, Arguments, const Reply&);
    void flush(const InHeader&, Arguments, const Reply&);
    void fsync(const InHeader&, Arguments, const Reply&);
    void fallocate(const InHeader&, Arguments, const Reply&);
    void lseek(const InHeader&, Arguments, const Reply&);
    void copy_file_range(const InHeader&, Arguments, const Reply&);
    void sync_descriptor(const std::shared_ptr<void>& owner, int fd, const fuse::FsyncIn& arguments,
                         const Reply& reply);
    // The flags that the host's kernel is given for the guest's.
    int host_open_flags(std::uint32_t flags) const;
    fuse::OpenOut open_reply(vhost_user::Fd file, int flags, fuse::NodeId node);

    // data.cc
    void read(const InHeader&, Arguments, const Reply&);
    void write(const InHeader&, Arguments, const Reply&);
    PendingData& pending();
    void recycle(PendingData& pending);

    // directory_operations.cc
    void opendir(const InHeader&, Arguments, const Reply&);
    void releasedir(const InHeader&, Arguments, const Reply&);
    void fsyncdir(const InHeader&, Arguments, const Reply&);
    void readdir(const InHeader&, Arguments, const Reply&);
    void readdirplus(const InHeader&, Arguments, const Reply&);
    template <typename Add>
    void read_directory(const InHeader& header, Arguments arguments, const Reply& reply, Add&& add);

    // lock_operations.cc
    void getlk(const InHeader&, Arguments, const Reply&);
    void setlk(const InHeader&, Arguments, const Reply&);
    void setlkw(const InHeader&, Arguments, const Reply&);
    void interrupt(Arguments);
    void set_lock(const InHeader& header, Arguments arguments, const Reply& reply, bool waits);
    // kEAGAIN: somebody else's lock is in the way.
    fuse::Errno try_lock(const LockRequest& request);
    fuse::Errno try_lock_again(const LockRequest& request) noexcept;
    void unlock(const LockRequest& request);
    void release_locks(fuse::NodeId node, std::uint64_t owner);

    // xattr_operations.cc
    void setxattr(const InHeader&, Arguments, const Reply&);
    void getxattr(const InHeader&, Arguments, const Reply&);
    void listxattr(const InHeader&, Arguments, const Reply&);
    void removexattr(const InHeader&, Arguments, const Reply&);
    FsResult<std::string> host_xattr_name(std::string_view guest_name) const;

    // Whether both sides agreed on an init_flag.
    bool agreed(std::uint64_t flag) const { return (agreed_ & flag) != 0; }

    // Nodes of names: each gives the guest one reference.
    FsResult<fuse::EntryOut> enter(const NodeTable::Pin& parent, const char* name);
    FsResult<fuse::EntryOut> enter_by_handle(const NodeTable::Pin& parent, const char* name);
    FsResult<fuse::EntryOut> enter_open(const NodeTable::Pin& parent, int file);
    FsResult<fuse::NodeId> add_by_descriptor(const NodeTable::Pin& parent, vhost_user::Fd fd,
                                             struct statx& status);
    fuse::EntryOut entry_of(fuse::NodeId id, const struct statx& status, std::uint64_t parent_mount) const;
    void answer_entry(const NodeTable::Pin& parent, const char* name, const Reply& reply);

    // The node in use, by an open file of it if need be.
    FsResult<NodeTable::Pin> pin(fuse::NodeId id);

    // Makes the thread act as the request's user for what is created next.
    FsResult<ActingAs> act_as(const InHeader& header);
    // Calls `attempt`, which returns a descriptor or -1 and sets errno; again, if descriptors were lacking
    // and some could be given back.
    template <typename Attempt>
    vhost_user::Fd open_descriptor(Attempt&& attempt);
    // What the guest decides how long to keep. None, and errno is EMFILE, if too few descriptors are left.
    vhost_user::Fd to_keep(vhost_user::Fd fd);
    // A descriptor for what an O_PATH descriptor refers to, which is no link.
    vhost_user::Fd reopen(int fd, int flags);

    FuseServer& server_;
    const ServerOptions& options_;
    AsyncIo* const io_;
    std::uint64_t agreed_ = 0;  // as of the present request
    RequestBuffer request_;
    Credentials credentials_;
    std::vector<std::byte> scratch_;  // for one reply
    std::vector<std::unique_ptr<PendingData>> all_pending_;
    std::vector<PendingData*> free_pending_;
    LockWaits lock_waits_;
};

// An O_PATH descriptor's path below /proc/self/fd.
class DescriptorPath {
  public:
    explicit DescriptorPath(int fd);
    const char* c_str() const { return text_; }

  private:
    char text_[12];
};

template <typename Attempt>
vhost_user::Fd FuseWorker::open_descriptor(Attempt&& attempt) {
    vhost_user::Fd fd(attempt());
    if (!fd && (errno == EMFILE || errno == ENFILE) && server_.nodes_.shrink())
        fd = vhost_user::Fd(attempt());
    return fd;
}

}  // namespace host
