#include "guest/volume/session.h"

#include <algorithm>
#include <memory>

#include "guest/volume/link_target.h"

namespace guest {
namespace {

constexpr std::size_t kForgetsPerMessage = 250;  // a message of 4 KiB
// Messages of a large read or write at once: at least half of it while there is more to send. As many long
// messages as this a transport has to have room for.
constexpr std::size_t kDataMessages = 16;
constexpr std::uint32_t kDirectoryBytes = 512 * 1024;

// Bytes of a message that are not payload, generously.
constexpr std::size_t kMessageOverhead = 256;

// Requests that a host may lack without being of no use.
bool is_optional(fuse::Opcode opcode) {
    switch (opcode) {
        case fuse::Opcode::kSyncfs:
        case fuse::Opcode::kFallocate:
        case fuse::Opcode::kRename2:
        case fuse::Opcode::kFsync:
        case fuse::Opcode::kStatfs:
            return true;
        default:
            return false;
    }
}

std::unexpected<Failure> failed(const Failure& failure) {
    return std::unexpected(failure);
}

Failure not_a_name() {
    return Failure(nt::Status::kObjectNameInvalid);
}

// FORGET for one node, BATCH_FORGET for more.
class ForgetCall final : public BackgroundCall {
  public:
    explicit ForgetCall(std::vector<fuse::ForgetOne> nodes)
        : nodes_(std::move(nodes)),
          one_({.opcode = fuse::Opcode::kForget, .node = nodes_.front().node},
               {.nlookup = nodes_.front().nlookup}),
          many_({.opcode = fuse::Opcode::kBatchForget},
                {.count = static_cast<std::uint32_t>(nodes_.size())}) {
        static_cast<void>(many_.add_payload(std::as_bytes(std::span(nodes_))));
    }
    void prepare(std::uint64_t unique) noexcept override {
        one_.set_unique(unique);
        many_.set_unique(unique);
        out = nodes_.size() == 1 ? one_.pieces() : many_.pieces();
    }
    void on_done(Outcome) noexcept override {}

  private:
    std::vector<fuse::ForgetOne> nodes_;
    fuse::Request<fuse::ForgetIn> one_;
    fuse::Request<fuse::BatchForgetIn> many_;
};

class ReleaseCall final : public BackgroundCall {
  public:
    ReleaseCall(NodePin node, const fuse::RequestInfo& info, const fuse::ReleaseIn& arguments)
        : node_(std::move(node)), request_(info, arguments) {}
    void prepare(std::uint64_t unique) noexcept override {
        request_.set_unique(unique);
        out = request_.pieces();
        in_piece_ = std::as_writable_bytes(std::span(&reply_header_, 1));
        in = std::span(&in_piece_, 1);
    }
    void on_done(Outcome) noexcept override { node_ = NodePin(); }

  private:
    NodePin node_;
    fuse::Request<fuse::ReleaseIn> request_;
    fuse::OutHeader reply_header_;
    std::span<std::byte> in_piece_;
};

class RootCall final : public BackgroundCall {
  public:
    // `looking` is true and becomes false in the end; it and the table outlive the call.
    RootCall(NodeTable& nodes, const fuse::RequestInfo& info, std::function<void(const fuse::Attr&)> seen,
             std::atomic<bool>& looking)
        : nodes_(nodes),
          root_(nodes.root()),
          asked_(nodes.ask_now()),
          seen_(std::move(seen)),
          looking_(looking),
          request_(info, {}) {}
    void prepare(std::uint64_t unique) noexcept override {
        request_.set_unique(unique);
        out = request_.pieces();
        in_pieces_ = {std::as_writable_bytes(std::span(&reply_header_, 1)),
                      std::as_writable_bytes(std::span(&reply_, 1))};
        in = in_pieces_;
    }
    void on_done(Outcome outcome) noexcept override {
        if (outcome) {
            const auto header = fuse::check_reply_header(reply_header_, request_.header().unique, *outcome);
            if (header && header->error == fuse::Errno::kNone && header->body_bytes == sizeof(reply_) &&
                fuse::is_plausible(reply_.attr)) {
                nodes_.learn_attributes(root_, reply_, asked_);
                seen_(reply_.attr);
            }
        }
        root_ = NodePin();
        looking_ = false;
    }

  private:
    NodeTable& nodes_;
    NodePin root_;
    const Asked asked_;
    const std::function<void(const fuse::Attr&)> seen_;
    std::atomic<bool>& looking_;
    fuse::Request<fuse::GetAttrIn> request_;
    fuse::OutHeader reply_header_;
    fuse::AttrOut reply_;
    std::array<std::span<std::byte>, 2> in_pieces_;
};

template <typename CallType>
std::vector<PendingCall*> pointers_to(std::vector<std::unique_ptr<CallType>>& calls) {
    std::vector<PendingCall*> pointers;
    pointers.reserve(calls.size());
    for (const auto& call : calls)
        pointers.push_back(call.get());
    return pointers;
}

bool is_sane(const fuse::EntryOut& entry) {
    return entry.node == fuse::kNoNode || fuse::is_plausible(entry.attr);
}

}  // namespace

Session::Session(Channel& channel, std::size_t max_idle_nodes)
    : gate_(channel),
      nodes_(gate_.epoch(),
             {.max_idle_references = max_idle_nodes,
              .max_names = std::max<std::size_t>(16 * max_idle_nodes, 4096)},
             *this) {}

Session::~Session() {
    gate_.wait_for_background();
}

nt::Result<std::unique_ptr<Session>> Session::open(Channel& channel, std::size_t max_idle_nodes) {
    std::unique_ptr<Session> session(new Session(channel, max_idle_nodes));
    if (auto done = session->negotiate(channel.max_message_bytes()); !done) return nt::fail(done.error());
    return session;
}

nt::Result<void> Session::negotiate(std::size_t max_message_bytes) {
    using namespace fuse::init_flag;
    constexpr std::uint64_t kWanted =
        kAsyncRead | kBigWrites | kDoReadDirPlus | kReadDirPlusAuto | kParallelDirOps | kMaxPages;
    constexpr std::uint32_t kDefaultMaxPages = 32;

    Call<fuse::InitIn> call({.opcode = fuse::Opcode::kInit}, {.major = fuse::kMajorVersion,
                                                              .minor = fuse::kMinorVersion,
                                                              .max_readahead = 1U << 20,
                                                              .flags = static_cast<std::uint32_t>(kWanted)});
    std::array<std::byte, sizeof(fuse::InitOut)> room;
    call.set_reply_room(room);
    gate_.transact(call);
    const auto body = call.body();
    if (!body) return fail(body.error());
    const auto init = fuse::parse_init_reply(*body);
    if (!init) {
        return nt::fail(init.error() == fuse::ParseError::kBadVersion ? nt::Status::kNotSupported
                                                                      : nt::Status::kDeviceProtocolError);
    }
    if (init->minor < fuse::kOldestMinorVersion) return nt::fail(nt::Status::kNotSupported);

    const std::uint64_t agreed = fuse::init_flags(*init) & kWanted;
    const std::uint32_t pages =
        (agreed & kMaxPages) != 0 && init->max_pages > 0 ? init->max_pages : kDefaultMaxPages;
    const std::uint64_t transport =
        max_message_bytes > kMessageOverhead + fuse::kPageBytes ? max_message_bytes - kMessageOverhead : 0;
    const std::uint64_t payload =
        std::min<std::uint64_t>(std::uint64_t{pages} * fuse::kPageBytes, transport) / fuse::kPageBytes *
        fuse::kPageBytes;
    if (payload == 0 || init->max_write < fuse::kPageBytes) return nt::fail(nt::Status::kDeviceProtocolError);
    limits_.read_bytes = static_cast<std::uint32_t>(payload);
    limits_.write_bytes = std::min(limits_.read_bytes, init->max_write / fuse::kPageBytes * fuse::kPageBytes);
    limits_.directory_bytes = std::min(limits_.read_bytes, kDirectoryBytes);
    limits_.read_dir_plus = (agreed & kDoReadDirPlus) != 0;
    return {};
}

void Session::destroy() {
    gate_.wait_for_background();
    Call<> call({.opcode = fuse::Opcode::kDestroy});
    gate_.transact(call);
}

// References

void Session::forget(std::vector<fuse::ForgetOne> nodes) noexcept {
    for (std::size_t at = 0; at < nodes.size(); at += kForgetsPerMessage) {
        const std::size_t end = std::min(at + kForgetsPerMessage, nodes.size());
        gate_.send_in_background(std::make_unique<ForgetCall>(
            std::vector<fuse::ForgetOne>(nodes.begin() + static_cast<std::ptrdiff_t>(at),
                                         nodes.begin() + static_cast<std::ptrdiff_t>(end))));
    }
}

void Session::forget_now(const std::vector<fuse::ForgetOne>& nodes) {
    std::vector<std::unique_ptr<Call<fuse::BatchForgetIn>>> calls;
    for (std::size_t at = 0; at < nodes.size(); at += kForgetsPerMessage) {
        const auto part = std::span(nodes).subspan(at, std::min(kForgetsPerMessage, nodes.size() - at));
        auto& call = calls.emplace_back(std::make_unique<Call<fuse::BatchForgetIn>>(
            fuse::RequestInfo{.opcode = fuse::Opcode::kBatchForget},
            fuse::BatchForgetIn{.count = static_cast<std::uint32_t>(part.size())}));
        static_cast<void>(call->request().add_payload(std::as_bytes(part)));
    }
    gate_.transact(pointers_to(calls));
}

void Session::forget_idle() {
    for (;;) {
        gate_.wait_for_background();
        const std::vector<fuse::ForgetOne> idle = nodes_.take_idle();
        if (idle.empty()) break;
        forget_now(idle);
    }
    gate_.wait_for_background();
}

void Session::release(NodePin node, HostFileHandle handle, bool directory, std::uint32_t flags) noexcept {
    if (!is_ours(handle.epoch)) return;
    const HostNodeId id = node.id();
    gate_.send_in_background(std::make_unique<ReleaseCall>(
        std::move(node), about(directory ? fuse::Opcode::kReleaseDir : fuse::Opcode::kRelease, id),
        fuse::ReleaseIn{.fh = handle.fh, .flags = flags}));
}

void Session::look_at_root(std::function<void(const fuse::Attr&)> seen) noexcept {
    if (looking_at_root_.exchange(true)) return;
    gate_.send_in_background(std::make_unique<RootCall>(
        nodes_, about(fuse::Opcode::kGetAttr, nodes_.root().id()), std::move(seen), looking_at_root_));
}

// Requests

fuse::RequestInfo Session::about(fuse::Opcode opcode, HostNodeId node, HostOwner owner) const {
    return {.opcode = opcode, .node = node.id, .uid = owner.uid, .gid = owner.gid};
}

bool Session::is_missing(fuse::Opcode opcode) const {
    return missing_[static_cast<std::size_t>(opcode)].load();
}

void Session::note_failure(fuse::Opcode opcode, const Failure& failure) {
    if (failure.is(fuse::Errno::kENOSYS) && is_optional(opcode))
        missing_[static_cast<std::size_t>(opcode)] = true;
}

template <typename Arguments>
HostResult<void> Session::tell(Call<Arguments>& call) {
    if (is_missing(call.opcode())) return failed(Failure(fuse::Errno::kENOSYS));
    gate_.transact(call);
    const auto body = call.body();
    if (body) return {};
    note_failure(call.opcode(), body.error());
    return failed(body.error());
}

template <typename Body, typename Arguments>
HostResult<Body> Session::ask(Call<Arguments>& call) {
    std::array<std::byte, sizeof(Body)> room;
    call.set_reply_room(room);
    if (auto told = tell(call); !told) return failed(told.error());
    const auto value = fuse::read_fixed<Body>(*call.body());
    if (!value) return failed(Failure(value.error()));
    return *value;
}

HostResult<fuse::EntryOut> Session::lookup(HostNodeId directory, std::string_view name) {
    if (!is_ours(directory.epoch)) return failed(Failure(ChannelError::kLost));
    Call<> call(about(fuse::Opcode::kLookup, directory));
    if (!call.request().add_name(name)) return failed(not_a_name());
    auto entry = ask<fuse::EntryOut>(call);
    if (entry && !is_sane(*entry)) return failed(Failure(nt::Status::kDeviceProtocolError));
    return entry;
}

std::vector<HostResult<fuse::EntryOut>> Session::lookup_all(HostNodeId directory,
                                                            std::span<const std::string> names) {
    std::vector<HostResult<fuse::EntryOut>> results(names.size(), failed(Failure(ChannelError::kLost)));
    if (!is_ours(directory.epoch)) return results;
    std::vector<std::unique_ptr<Call<>>> calls;
    std::vector<std::array<std::byte, sizeof(fuse::EntryOut)>> rooms(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto& call = calls.emplace_back(std::make_unique<Call<>>(about(fuse::Opcode::kLookup, directory)));
        // The names are components: they come from a directory reply, which was checked.
        static_cast<void>(call->request().add_name(names[i]));
        call->set_reply_room(rooms[i]);
    }
    gate_.transact(pointers_to(calls));
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto body = calls[i]->body();
        if (!body) {
            results[i] = failed(body.error());
        } else if (const auto entry = fuse::read_fixed<fuse::EntryOut>(*body); entry && is_sane(*entry)) {
            results[i] = *entry;
        } else {
            results[i] = failed(Failure(nt::Status::kDeviceProtocolError));
        }
    }
    return results;
}

HostResult<fuse::AttrOut> Session::get_attributes(HostNodeId node, std::optional<HostFileHandle> handle) {
    if (!is_ours(node.epoch) || (handle && !is_ours(handle->epoch)))
        return failed(Failure(ChannelError::kLost));
    fuse::GetAttrIn what;
    if (handle) what = {.getattr_flags = fuse::kGetAttrFileHandle, .fh = handle->fh};
    Call<fuse::GetAttrIn> call(about(fuse::Opcode::kGetAttr, node), what);
    auto reply = ask<fuse::AttrOut>(call);
    if (reply && !fuse::is_plausible(reply->attr)) return failed(Failure(nt::Status::kDeviceProtocolError));
    return reply;
}

HostResult<fuse::AttrOut> Session::set_attributes(HostNodeId node, std::optional<HostFileHandle> handle,
                                                  fuse::SetAttrIn change) {
    if (!is_ours(node.epoch) || (handle && !is_ours(handle->epoch)))
        return failed(Failure(ChannelError::kLost));
    if (handle) {
        change.valid |= fuse::set_attr::kFileHandle;
        change.fh = handle->fh;
    }
    Call<fuse::SetAttrIn> call(about(fuse::Opcode::kSetAttr, node), change);
    auto reply = ask<fuse::AttrOut>(call);
    if (reply && !fuse::is_plausible(reply->attr)) return failed(Failure(nt::Status::kDeviceProtocolError));
    return reply;
}

HostResult<fuse::CreateOut> Session::create(HostNodeId directory, std::string_view name,
                                            const fuse::CreateIn& what, HostOwner owner) {
    if (!is_ours(directory.epoch)) return failed(Failure(ChannelError::kLost));
    Call<fuse::CreateIn> call(about(fuse::Opcode::kCreate, directory, owner), what);
    if (!call.request().add_name(name)) return failed(not_a_name());
    auto reply = ask<fuse::CreateOut>(call);
    if (reply && (reply->entry.node == fuse::kNoNode || !is_sane(reply->entry))) {
        return failed(Failure(nt::Status::kDeviceProtocolError));
    }
    return reply;
}

HostResult<fuse::EntryOut> Session::make_directory(HostNodeId directory, std::string_view name,
                                                   const fuse::MkdirIn& what, HostOwner owner) {
    if (!is_ours(directory.epoch)) return failed(Failure(ChannelError::kLost));
    Call<fuse::MkdirIn> call(about(fuse::Opcode::kMkdir, directory, owner), what);
    if (!call.request().add_name(name)) return failed(not_a_name());
    auto entry = ask<fuse::EntryOut>(call);
    if (entry && (entry->node == fuse::kNoNode || !is_sane(*entry))) {
        return failed(Failure(nt::Status::kDeviceProtocolError));
    }
    return entry;
}

HostResult<fuse::EntryOut> Session::make_symlink(HostNodeId directory, std::string_view name,
                                                 std::string_view target, HostOwner owner) {
    if (!is_ours(directory.epoch)) return failed(Failure(ChannelError::kLost));
    Call<> call(about(fuse::Opcode::kSymlink, directory, owner));
    if (!call.request().add_name(name) || !call.request().add_string(target)) return failed(not_a_name());
    auto entry = ask<fuse::EntryOut>(call);
    if (entry && (entry->node == fuse::kNoNode || !is_sane(*entry))) {
        return failed(Failure(nt::Status::kDeviceProtocolError));
    }
    return entry;
}

std::vector<HostResult<std::string>> Session::read_links(std::span<const HostNodeId> links) {
    std::vector<HostResult<std::string>> targets(links.size(), failed(Failure(ChannelError::kLost)));
    if (!std::ranges::all_of(links, [this](const HostNodeId& link) { return is_ours(link.epoch); })) {
        return targets;
    }
    std::vector<std::unique_ptr<Call<>>> calls;
    std::vector<std::array<std::byte, kMaxLinkTargetBytes + 1>> rooms(links.size());
    for (std::size_t i = 0; i < links.size(); ++i) {
        auto& call = calls.emplace_back(std::make_unique<Call<>>(about(fuse::Opcode::kReadLink, links[i])));
        call->set_reply_room(rooms[i]);
    }
    gate_.transact(pointers_to(calls));
    for (std::size_t i = 0; i < links.size(); ++i) {
        const auto body = calls[i]->body();
        if (!body) {
            targets[i] = failed(body.error());
        } else if (body->empty() || body->size() > kMaxLinkTargetBytes ||
                   std::ranges::find(*body, std::byte{0}) != body->end()) {
            targets[i] = failed(Failure(nt::Status::kDeviceProtocolError));
        } else {
            targets[i] = std::string(reinterpret_cast<const char*>(body->data()), body->size());
        }
    }
    return targets;
}

HostResult<fuse::EntryOut> Session::link(HostNodeId node, HostNodeId directory, std::string_view name) {
    if (!is_ours(directory.epoch) || !is_ours(node.epoch)) return failed(Failure(ChannelError::kLost));
    Call<fuse::LinkIn> call(about(fuse::Opcode::kLink, directory), {.oldnode = node.id});
    if (!call.request().add_name(name)) return failed(not_a_name());
    auto entry = ask<fuse::EntryOut>(call);
    if (entry && (entry->node == fuse::kNoNode || !is_sane(*entry))) {
        return failed(Failure(nt::Status::kDeviceProtocolError));
    }
    return entry;
}

HostResult<void> Session::unlink(HostNodeId directory, std::string_view name) {
    if (!is_ours(directory.epoch)) return failed(Failure(ChannelError::kLost));
    Call<> call(about(fuse::Opcode::kUnlink, directory));
    if (!call.request().add_name(name)) return failed(not_a_name());
    return tell(call);
}

HostResult<void> Session::remove_directory(HostNodeId directory, std::string_view name) {
    if (!is_ours(directory.epoch)) return failed(Failure(ChannelError::kLost));
    Call<> call(about(fuse::Opcode::kRmdir, directory));
    if (!call.request().add_name(name)) return failed(not_a_name());
    return tell(call);
}

HostResult<void> Session::rename(HostNodeId from, std::string_view from_name, HostNodeId to,
                                 std::string_view to_name, std::uint32_t flags) {
    if (!is_ours(from.epoch) || !is_ours(to.epoch)) return failed(Failure(ChannelError::kLost));
    if (flags == 0) {
        Call<fuse::RenameIn> call(about(fuse::Opcode::kRename, from), {.newdir = to.id});
        if (!call.request().add_name(from_name) || !call.request().add_name(to_name))
            return failed(not_a_name());
        return tell(call);
    }
    Call<fuse::Rename2In> call(about(fuse::Opcode::kRename2, from), {.newdir = to.id, .flags = flags});
    if (!call.request().add_name(from_name) || !call.request().add_name(to_name)) return failed(not_a_name());
    return tell(call);
}

HostResult<HostFileHandle> Session::open_file(HostNodeId node, std::uint32_t flags) {
    if (!is_ours(node.epoch)) return failed(Failure(ChannelError::kLost));
    Call<fuse::OpenIn> call(about(fuse::Opcode::kOpen, node), {.flags = flags});
    const auto opened = ask<fuse::OpenOut>(call);
    if (!opened) return failed(opened.error());
    return HostFileHandle{.epoch = gate_.epoch(), .fh = opened->fh};
}

HostResult<HostFileHandle> Session::open_directory(HostNodeId node) {
    if (!is_ours(node.epoch)) return failed(Failure(ChannelError::kLost));
    Call<fuse::OpenIn> call(about(fuse::Opcode::kOpenDir, node),
                            {.flags = fuse::open_flag::kReadOnly | fuse::open_flag::kDirectory});
    const auto opened = ask<fuse::OpenOut>(call);
    if (!opened) return failed(opened.error());
    return HostFileHandle{.epoch = gate_.epoch(), .fh = opened->fh};
}

void Session::read_all(HostNodeId node, HostFileHandle handle, std::uint32_t flags,
                       std::span<ReadPiece> pieces) {
    if (!is_ours(node.epoch) || !is_ours(handle.epoch)) {
        for (ReadPiece& piece : pieces)
            piece.result = failed(Failure(ChannelError::kLost));
        return;
    }
    std::vector<std::unique_ptr<Call<fuse::ReadIn>>> calls;
    calls.reserve(pieces.size());
    for (const ReadPiece& piece : pieces) {
        auto& call = calls.emplace_back(std::make_unique<Call<fuse::ReadIn>>(
            about(fuse::Opcode::kRead, node),
            fuse::ReadIn{.fh = handle.fh,
                         .offset = piece.offset,
                         .size = static_cast<std::uint32_t>(piece.buffer.size()),
                         .flags = flags}));
        call->set_reply_room(piece.buffer);
    }
    gate_.transact(pointers_to(calls), kDataMessages);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const auto body = calls[i]->body();
        if (body) {
            pieces[i].result = static_cast<std::uint32_t>(body->size());
        } else {
            pieces[i].result = failed(body.error());
        }
    }
}

void Session::write_all(HostNodeId node, HostFileHandle handle, std::uint32_t flags,
                        std::span<WritePiece> pieces) {
    if (!is_ours(node.epoch) || !is_ours(handle.epoch)) {
        for (WritePiece& piece : pieces)
            piece.result = failed(Failure(ChannelError::kLost));
        return;
    }
    std::vector<std::unique_ptr<Call<fuse::WriteIn>>> calls;
    std::vector<std::array<std::byte, sizeof(fuse::WriteOut)>> rooms(pieces.size());
    calls.reserve(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        auto& call = calls.emplace_back(std::make_unique<Call<fuse::WriteIn>>(
            about(fuse::Opcode::kWrite, node),
            fuse::WriteIn{.fh = handle.fh,
                          .offset = pieces[i].offset,
                          .size = static_cast<std::uint32_t>(pieces[i].data.size()),
                          .flags = flags}));
        static_cast<void>(call->request().add_payload(pieces[i].data));
        call->set_reply_room(rooms[i]);
    }
    gate_.transact(pointers_to(calls), kDataMessages);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const auto body = calls[i]->body();
        if (!body) {
            pieces[i].result = failed(body.error());
        } else if (const auto written = fuse::read_fixed<fuse::WriteOut>(*body);
                   written && written->size <= pieces[i].data.size()) {
            pieces[i].result = written->size;
        } else {
            pieces[i].result = failed(Failure(nt::Status::kDeviceProtocolError));
        }
    }
}

HostResult<std::span<const std::byte>> Session::read_directory(bool plus, HostNodeId node,
                                                               HostFileHandle handle, std::uint64_t offset,
                                                               std::span<std::byte> buffer) {
    if (!is_ours(node.epoch) || !is_ours(handle.epoch)) return failed(Failure(ChannelError::kLost));
    Call<fuse::ReadIn> call(
        about(plus ? fuse::Opcode::kReadDirPlus : fuse::Opcode::kReadDir, node),
        {.fh = handle.fh, .offset = offset, .size = static_cast<std::uint32_t>(buffer.size())});
    call.set_reply_room(buffer);
    if (auto told = tell(call); !told) return failed(told.error());
    return *call.body();
}

HostResult<void> Session::sync_files(std::span<const std::pair<HostNodeId, HostFileHandle>> files) {
    std::vector<std::unique_ptr<Call<fuse::FsyncIn>>> calls;
    for (const auto& [node, handle] : files) {
        if (!is_ours(node.epoch) || !is_ours(handle.epoch)) return failed(Failure(ChannelError::kLost));
        calls.push_back(std::make_unique<Call<fuse::FsyncIn>>(about(fuse::Opcode::kFsync, node),
                                                              fuse::FsyncIn{.fh = handle.fh}));
    }
    gate_.transact(pointers_to(calls));
    for (const auto& call : calls) {
        if (const auto body = call->body(); !body) return failed(body.error());
    }
    return {};
}

HostResult<void> Session::sync_all() {
    Call<fuse::SyncfsIn> call(about(fuse::Opcode::kSyncfs, nodes_.root().id()));
    return tell(call);
}

HostResult<void> Session::allocate(HostNodeId node, HostFileHandle handle, std::uint64_t offset,
                                   std::uint64_t length) {
    if (!is_ours(node.epoch) || !is_ours(handle.epoch)) return failed(Failure(ChannelError::kLost));
    Call<fuse::FallocateIn> call(
        about(fuse::Opcode::kFallocate, node),
        {.fh = handle.fh, .offset = offset, .length = length, .mode = fuse::kFallocateKeepSize});
    return tell(call);
}

HostResult<fuse::StatfsOut> Session::statistics() {
    Call<> call(about(fuse::Opcode::kStatfs, nodes_.root().id()));
    return ask<fuse::StatfsOut>(call);
}

}  // namespace guest
