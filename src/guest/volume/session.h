// One FUSE session with the host: what was negotiated, typed requests, and the nodes known to it. Each
// request is one round trip; sends nothing that carries an id of another epoch. Must never know: paths, NT
// semantics.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/protocol.h"
#include "guest/volume/call.h"
#include "guest/volume/host_ids.h"
#include "guest/volume/node_table.h"
#include "guest/volume/request_gate.h"
#include "guest/volume/status_table.h"
#include "guest/volume/volume.h"

namespace guest {

// What INIT agreed on, as sizes of single messages.
struct SessionLimits {
    std::uint32_t read_bytes = 0;       // payload of one READ
    std::uint32_t write_bytes = 0;      // payload of one WRITE
    std::uint32_t directory_bytes = 0;  // reply of one READDIR or READDIRPLUS
    bool read_dir_plus = false;
};

// A piece of a large read or write, all of which travel at once.
struct ReadPiece {
    std::uint64_t offset = 0;
    std::span<std::byte> buffer;
    HostResult<std::uint32_t> result = 0;  // bytes read
};
struct WritePiece {
    std::uint64_t offset = 0;
    std::span<const std::byte> data;
    HostResult<std::uint32_t> result = 0;  // bytes written, at most what was asked
};

class Session final : private ForgetSink {
  public:
    // INIT. Fails with kNotSupported if the host speaks no protocol from 7.31 on.
    static nt::Result<std::unique_ptr<Session>> open(Channel& channel, std::size_t max_idle_nodes);
    // Waits for background messages; sends nothing.
    ~Session();

    NodeTable& nodes() { return nodes_; }
    const SessionLimits& limits() const { return limits_; }

    // Gives back every reference that is not in use; when it returns the transport has taken the FORGETs and
    // every RELEASE sent before.
    void forget_idle();
    // Gives references back and waits until the transport has taken the messages.
    void forget_now(const std::vector<fuse::ForgetOne>& nodes);

    void shut_down() noexcept { gate_.shut_down(); }
    // Asks for the root's attributes, to be learned and to be `seen` (on any thread, before the session ends)
    // when they come; does not wait. Nothing happens while the last question is on its way.
    void look_at_root(std::function<void(const fuse::Attr&)> seen) noexcept;
    void destroy();  // DESTROY; the host drops everything

    HostResult<fuse::EntryOut> lookup(HostNodeId directory, std::string_view name);
    // The same for many names at once.
    std::vector<HostResult<fuse::EntryOut>> lookup_all(HostNodeId directory,
                                                       std::span<const std::string> names);
    HostResult<fuse::AttrOut> get_attributes(HostNodeId node, std::optional<HostFileHandle> handle);
    HostResult<fuse::AttrOut> set_attributes(HostNodeId node, std::optional<HostFileHandle> handle,
                                             fuse::SetAttrIn change);
    HostResult<fuse::CreateOut> create(HostNodeId directory, std::string_view name,
                                       const fuse::CreateIn& what, HostOwner owner);
    HostResult<fuse::EntryOut> make_directory(HostNodeId directory, std::string_view name,
                                              const fuse::MkdirIn& what, HostOwner owner);
    HostResult<fuse::EntryOut> make_symlink(HostNodeId directory, std::string_view name,
                                            std::string_view target, HostOwner owner);
    // READLINK of all of them at once: targets as the host has them, 1 to 4095 bytes without a NUL.
    std::vector<HostResult<std::string>> read_links(std::span<const HostNodeId> links);
    HostResult<fuse::EntryOut> link(HostNodeId node, HostNodeId directory, std::string_view name);
    HostResult<void> unlink(HostNodeId directory, std::string_view name);
    HostResult<void> remove_directory(HostNodeId directory, std::string_view name);
    // `flags` are fuse::kRename bits.
    HostResult<void> rename(HostNodeId from, std::string_view from_name, HostNodeId to,
                            std::string_view to_name, std::uint32_t flags);

    HostResult<HostFileHandle> open_file(HostNodeId node, std::uint32_t flags);
    HostResult<HostFileHandle> open_directory(HostNodeId node);
    void read_all(HostNodeId node, HostFileHandle handle, std::uint32_t flags, std::span<ReadPiece> pieces);
    void write_all(HostNodeId node, HostFileHandle handle, std::uint32_t flags, std::span<WritePiece> pieces);
    // READDIRPLUS or READDIR: the reply's records, at the beginning of `buffer`.
    HostResult<std::span<const std::byte>> read_directory(bool plus, HostNodeId node, HostFileHandle handle,
                                                          std::uint64_t offset, std::span<std::byte> buffer);
    // FSYNC of all of them at once; the first failure.
    HostResult<void> sync_files(std::span<const std::pair<HostNodeId, HostFileHandle>> files);
    HostResult<void> sync_all();  // SYNCFS
    HostResult<void> allocate(HostNodeId node, HostFileHandle handle, std::uint64_t offset,
                              std::uint64_t length);
    HostResult<fuse::StatfsOut> statistics();

    // RELEASE or RELEASEDIR. The node stays pinned until the host has seen it.
    void release(NodePin node, HostFileHandle handle, bool directory, std::uint32_t flags) noexcept;

  private:
    Session(Channel& channel, std::size_t max_idle_nodes);
    nt::Result<void> negotiate(std::size_t max_message_bytes);

    void forget(std::vector<fuse::ForgetOne> nodes) noexcept override;
    bool is_ours(Epoch epoch) const { return epoch == gate_.epoch(); }

    fuse::RequestInfo about(fuse::Opcode opcode, HostNodeId node, HostOwner owner = {}) const;
    bool is_missing(fuse::Opcode opcode) const;
    void note_failure(fuse::Opcode opcode, const Failure& failure);
    template <typename Body, typename Arguments>
    HostResult<Body> ask(Call<Arguments>& call);
    template <typename Arguments>
    HostResult<void> tell(Call<Arguments>& call);

    RequestGate gate_;
    std::atomic<bool> looking_at_root_ = false;
    NodeTable nodes_;
    SessionLimits limits_;
    std::array<std::atomic<bool>, fuse::kOpcodeLimit> missing_{};  // the host answered ENOSYS
};

}  // namespace guest
