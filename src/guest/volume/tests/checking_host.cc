#include "guest/volume/tests/checking_host.h"

#include <algorithm>
#include <cstring>

#include "fuse/request.h"

namespace guest::test {
namespace {

constexpr std::int32_t kNoEntry = 2;
constexpr std::int32_t kIoError = 5;
constexpr std::int32_t kBadFile = 9;
constexpr std::int32_t kExists = 17;
constexpr std::int32_t kNotADirectory = 20;
constexpr std::int32_t kIsADirectory = 21;
constexpr std::int32_t kInvalid = 22;
constexpr std::int32_t kNameTooLong = 36;
constexpr std::int32_t kNoSuchCall = 38;
constexpr std::int32_t kNotEmpty = 39;
constexpr std::int32_t kNotSupported = 95;

bool counts_as_round_trip(fuse::Opcode opcode) {
    return fuse::has_reply(opcode) && opcode != fuse::Opcode::kRelease && opcode != fuse::Opcode::kReleaseDir;
}

template <typename T>
void append_to(std::vector<std::byte>& bytes, const T& value) {
    const auto piece = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), piece.begin(), piece.end());
}

std::pair<std::string_view, std::string_view> split(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {"", path};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

struct CheckingHost::Inode {
    std::uint64_t ino = 0;
    std::uint32_t mode = 0;
    std::uint32_t nlink = 1;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string data;
    std::uint64_t atime = 0, mtime = 0, ctime = 0;
    std::uint32_t atimensec = 0, mtimensec = 0, ctimensec = 0;
    std::uint64_t allocated = 0;
    std::map<std::string, InodePtr, std::less<>> children;
    bool is_directory() const { return (mode & fuse::mode::kTypeMask) == fuse::mode::kDirectory; }
    bool is_regular() const { return (mode & fuse::mode::kTypeMask) == fuse::mode::kRegular; }
};

// Takes a request apart; everything must be used up.
class CheckingHost::Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
    template <typename T>
    T fixed() {
        T value{};
        if (rest_.size() < sizeof(T)) {
            good_ = false;
            return value;
        }
        std::memcpy(&value, rest_.data(), sizeof(T));
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }
    std::string name() {
        const auto end = std::find(rest_.begin(), rest_.end(), std::byte{0});
        if (end == rest_.end()) {
            good_ = false;
            return {};
        }
        std::string text(reinterpret_cast<const char*>(rest_.data()),
                         static_cast<std::size_t>(end - rest_.begin()));
        rest_ = rest_.subspan(text.size() + 1);
        if (!fuse::is_component(text) || text == "." || text == "..") good_ = false;
        return text;
    }
    std::string_view payload() {
        const std::string_view text(reinterpret_cast<const char*>(rest_.data()), rest_.size());
        rest_ = {};
        return text;
    }
    bool is_done() const { return good_ && rest_.empty(); }

  private:
    std::span<const std::byte> rest_;
    bool good_ = true;
};

CheckingHost::CheckingHost(HostOptions options) : options_(options), root_(std::make_shared<Inode>()) {
    root_->ino = next_ino_++;
    root_->mode = fuse::mode::kDirectory | 0755;
    touch(*root_);
    for (unsigned i = 0; i < options_.threads; ++i)
        threads_.emplace_back([this, i] { work(i); });
}

CheckingHost::~CheckingHost() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_arrived_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

// Transport

void CheckingHost::submit(std::span<Message* const> messages) noexcept {
    bool lost = false;
    {
        const std::lock_guard lock(mutex_);
        lost = broken_;
        if (!lost) queue_.insert(queue_.end(), messages.begin(), messages.end());
    }
    if (lost) {
        for (Message* message : messages)
            message->completed(std::unexpected(ChannelError::kLost));
        return;
    }
    work_arrived_.notify_all();
}

void CheckingHost::cancel(Message& message) noexcept {
    {
        const std::lock_guard lock(mutex_);
        const auto place = std::find(queue_.begin(), queue_.end(), &message);
        if (place == queue_.end()) return;
        queue_.erase(place);
    }
    message.completed(std::unexpected(ChannelError::kCancelled));
}

void CheckingHost::break_down() {
    std::deque<Message*> lost;
    {
        const std::lock_guard lock(mutex_);
        broken_ = true;
        lost.swap(queue_);
    }
    for (Message* message : lost)
        message->completed(std::unexpected(ChannelError::kLost));
}

void CheckingHost::work(unsigned seed) {
    std::minstd_rand random(seed + 1);
    const auto opcode_of = [](const Message& message) {
        fuse::InHeader header;
        std::memcpy(&header, message.out.front().data(), sizeof header);
        return header.opcode;
    };
    std::unique_lock lock(mutex_);
    for (;;) {
        std::vector<std::size_t> ready;
        for (std::size_t i = 0; i < queue_.size(); ++i) {
            if (held_.contains(opcode_of(*queue_[i]))) continue;
            ready.push_back(i);
            if (!options_.shuffle) break;
        }
        if (ready.empty()) {
            held_changed_.notify_all();
            if (stopping_ && queue_.empty()) return;
            work_arrived_.wait(lock);
            continue;
        }
        const std::size_t pick = ready[random() % ready.size()];
        Message* const message = queue_[pick];
        queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(pick));
        std::vector<std::byte> reply = answer(*message);
        const fuse::Opcode opcode = opcode_of(*message);
        const Forger forger = forger_;
        lock.unlock();
        if (forger && !message->in.empty()) reply = forger(opcode, std::move(reply));
        std::size_t at = 0;
        for (const std::span<std::byte> piece : message->in) {
            const std::size_t bytes = std::min(piece.size(), reply.size() - at);
            std::memcpy(piece.data(), reply.data() + at, bytes);
            at += bytes;
        }
        if (options_.shuffle && random() % 4 == 0) std::this_thread::yield();
        message->completed(static_cast<std::uint32_t>(at));
        lock.lock();
    }
}

std::vector<std::byte> CheckingHost::answer(Message& message) {
    std::vector<std::byte> request;
    for (const auto piece : message.out)
        request.insert(request.end(), piece.begin(), piece.end());
    Reader reader(request);
    const auto header = reader.fixed<fuse::InHeader>();
    if (header.len != request.size()) complain("a header's length is not the message's");
    if (message.epoch != epoch()) complain("a message of another epoch");
    if (header.unique == 0 || !uniques_.insert(header.unique).second) complain("a unique was used before");
    ++counts_[header.opcode];
    if (message.in.empty() == fuse::has_reply(header.opcode)) complain("room for a reply is wrong");
    std::size_t room = 0;
    for (const auto piece : message.in)
        room += piece.size();
    if (!message.in.empty() && room < sizeof(fuse::OutHeader)) complain("no room for a header");

    std::vector<std::byte> body;
    const std::int32_t error = perform(header, reader, body, room - std::min(room, sizeof(fuse::OutHeader)));
    if (!reader.is_done()) {
        complain("a request " + std::string(fuse::name_of(header.opcode)) + " is not as it should be");
    }
    if (!fuse::has_reply(header.opcode)) return {};
    if (error != 0) body.clear();
    std::vector<std::byte> reply;
    append_to(reply, fuse::OutHeader{.len = static_cast<std::uint32_t>(sizeof(fuse::OutHeader) + body.size()),
                                     .error = -error,
                                     .unique = header.unique});
    reply.insert(reply.end(), body.begin(), body.end());
    if (reply.size() > room) complain("an answer does not fit: " + std::string(fuse::name_of(header.opcode)));
    return reply;
}

// Nodes and handles

void CheckingHost::complain(std::string what) {
    violations_.push_back(std::move(what));
}

CheckingHost::InodePtr CheckingHost::node(fuse::NodeId id) {
    if (id == fuse::kRootNodeId) return root_;
    const auto place = references_.find(id);
    if (place != references_.end()) return place->second.inode;
    complain("a node id is used that is not referenced");
    return nullptr;
}

CheckingHost::InodePtr CheckingHost::directory(fuse::NodeId id) {
    InodePtr inode = node(id);
    return inode != nullptr && inode->is_directory() ? inode : nullptr;
}

bool CheckingHost::may_change(const Inode& parent, const std::string& name) const {
    if (!options_.needs_references) return true;
    const auto child = parent.children.find(name);
    return child != parent.children.end() && ids_.contains(child->second.get());
}

CheckingHost::Handle* CheckingHost::handle(fuse::FileHandle fh, fuse::NodeId id) {
    static_cast<void>(node(id));
    const auto place = handles_.find(fh);
    if (place == handles_.end()) {
        complain("a file handle is used that is not open");
        return nullptr;
    }
    if (place->second.node != id) complain("a file handle is used with another node");
    return &place->second;
}

fuse::NodeId CheckingHost::reference(const InodePtr& inode) {
    if (inode == root_) return fuse::kRootNodeId;
    if (const auto known = ids_.find(inode.get()); known != ids_.end()) {
        ++references_.at(known->second).count;
        return known->second;
    }
    fuse::NodeId id{};
    if (free_ids_.empty()) {
        id = fuse::NodeId{next_id_++};
    } else {
        id = free_ids_.back();
        free_ids_.pop_back();
    }
    references_[id] = {.inode = inode, .count = 1};
    ids_[inode.get()] = id;
    most_referenced_ = std::max(most_referenced_, references_.size());
    return id;
}

void CheckingHost::forget(fuse::NodeId id, std::uint64_t count) {
    const auto place = references_.find(id);
    if (place == references_.end() || place->second.count < count || count == 0) {
        complain("a node is forgotten more often than it was given");
        return;
    }
    for (const auto& [fh, open] : handles_) {
        if (open.node == id && place->second.count == count) complain("a node is forgotten while it is open");
    }
    place->second.count -= count;
    if (place->second.count > 0) return;
    ids_.erase(place->second.inode.get());
    references_.erase(place);
    free_ids_.push_back(id);
}

fuse::Attr CheckingHost::attr_of(const Inode& inode) {
    const std::uint64_t size = inode.is_directory() ? inode.children.size() * 32 : inode.data.size();
    return {.ino = inode.ino,
            .size = size,
            .blocks = std::max((size + 4095) / 4096 * 8, inode.allocated / 512),
            .atime = inode.atime,
            .mtime = inode.mtime,
            .ctime = inode.ctime,
            .atimensec = inode.atimensec,
            .mtimensec = inode.mtimensec,
            .ctimensec = inode.ctimensec,
            .mode = inode.mode,
            .nlink = inode.nlink,
            .uid = inode.uid,
            .gid = inode.gid,
            .blksize = 4096};
}

fuse::EntryOut CheckingHost::give(const InodePtr& inode) {
    const auto seconds = static_cast<std::uint64_t>(options_.valid_seconds);
    const auto rest =
        static_cast<std::uint32_t>((options_.valid_seconds - static_cast<double>(seconds)) * 1e9);
    return {.node = reference(inode),
            .entry_valid = seconds,
            .attr_valid = seconds,
            .entry_valid_nsec = rest,
            .attr_valid_nsec = rest,
            .attr = attr_of(*inode)};
}

void CheckingHost::touch(Inode& inode) {
    inode.mtime = inode.ctime = ++clock_;
    if (inode.atime == 0) inode.atime = clock_;
}

fuse::FileHandle CheckingHost::open(fuse::NodeId id, const InodePtr& inode, std::uint32_t flags,
                                    bool is_directory) {
    const fuse::FileHandle fh{next_handle_++};
    handles_[fh] = {.node = id, .inode = inode, .flags = flags, .directory = is_directory, .entries = {}};
    return fh;
}

// Requests

std::int32_t CheckingHost::perform(const fuse::InHeader& header, Reader& reader, std::vector<std::byte>& body,
                                   std::size_t room) {
    using fuse::Opcode;
    const auto seconds = static_cast<std::uint64_t>(options_.valid_seconds);
    const auto attr_out = [&](const Inode& inode) {
        return fuse::AttrOut{.attr_valid = seconds, .attr = attr_of(inode)};
    };
    switch (header.opcode) {
        case Opcode::kInit: {
            const auto in = reader.fixed<fuse::InitIn>();
            std::uint64_t offered = fuse::init_flag::kAsyncRead | fuse::init_flag::kBigWrites |
                                    fuse::init_flag::kMaxPages | fuse::init_flag::kParallelDirOps;
            if (options_.read_dir_plus) {
                offered |= fuse::init_flag::kDoReadDirPlus | fuse::init_flag::kReadDirPlusAuto;
            }
            append_to(body, fuse::InitOut{.major = 7,
                                          .minor = options_.minor,
                                          .flags = static_cast<std::uint32_t>(offered & in.flags),
                                          .max_write = options_.max_write,
                                          .max_pages = options_.max_pages});
            return 0;
        }
        case Opcode::kDestroy:
            return 0;
        case Opcode::kForget:
            forget(header.node, reader.fixed<fuse::ForgetIn>().nlookup);
            return 0;
        case Opcode::kBatchForget: {
            const auto in = reader.fixed<fuse::BatchForgetIn>();
            for (std::uint32_t i = 0; i < in.count; ++i) {
                const auto one = reader.fixed<fuse::ForgetOne>();
                forget(one.node, one.nlookup);
            }
            return 0;
        }
        case Opcode::kLookup: {
            const std::string name = reader.name();
            const InodePtr parent = node(header.node);
            if (parent == nullptr) return kNoEntry;
            if (!parent->is_directory()) return kNotADirectory;
            if (name.size() > 255) return kNameTooLong;
            const auto child = parent->children.find(name);
            if (child == parent->children.end()) {
                if (options_.missing_seconds <= 0) return kNoEntry;
                fuse::EntryOut missing;
                missing.entry_valid = static_cast<std::uint64_t>(options_.missing_seconds);
                append_to(body, missing);
                return 0;
            }
            append_to(body, give(child->second));
            return 0;
        }
        case Opcode::kGetAttr: {
            const auto in = reader.fixed<fuse::GetAttrIn>();
            if ((in.getattr_flags & fuse::kGetAttrFileHandle) != 0) handle(in.fh, header.node);
            const InodePtr inode = node(header.node);
            if (inode == nullptr) return kNoEntry;
            append_to(body, attr_out(*inode));
            return 0;
        }
        case Opcode::kSetAttr: {
            const auto in = reader.fixed<fuse::SetAttrIn>();
            const InodePtr inode = node(header.node);
            if (inode == nullptr) return kNoEntry;
            if ((in.valid & fuse::set_attr::kFileHandle) != 0) {
                const Handle* open_file = handle(in.fh, header.node);
                if (open_file == nullptr) return kBadFile;
                if ((in.valid & fuse::set_attr::kSize) != 0 &&
                    (open_file->flags & fuse::open_flag::kAccessMask) == fuse::open_flag::kReadOnly) {
                    return kInvalid;
                }
            }
            if ((in.valid & fuse::set_attr::kMode) != 0) {
                inode->mode = (inode->mode & fuse::mode::kTypeMask) | (in.mode & 07777);
            }
            if ((in.valid & fuse::set_attr::kSize) != 0) {
                inode->data.resize(in.size);
                inode->allocated = 0;
                touch(*inode);
            }
            if ((in.valid & fuse::set_attr::kAtime) != 0) {
                inode->atime = in.atime;
                inode->atimensec = in.atimensec;
            }
            if ((in.valid & fuse::set_attr::kMtime) != 0) {
                inode->mtime = in.mtime;
                inode->mtimensec = in.mtimensec;
            }
            inode->ctime = ++clock_;
            append_to(body, attr_out(*inode));
            return 0;
        }
        case Opcode::kCreate: {
            const auto in = reader.fixed<fuse::CreateIn>();
            const std::string name = reader.name();
            const InodePtr parent = directory(header.node);
            if (parent == nullptr || parent->nlink == 0) return kNoEntry;
            if (name.size() > 255) return kNameTooLong;
            if (parent->children.contains(name)) return kExists;
            auto inode = std::make_shared<Inode>();
            inode->ino = next_ino_++;
            inode->mode = fuse::mode::kRegular | (in.mode & 07777 & ~in.umask);
            inode->uid = header.uid;
            inode->gid = header.gid;
            touch(*inode);
            touch(*parent);
            parent->children.emplace(name, inode);
            const fuse::EntryOut entry = give(inode);
            append_to(body, fuse::CreateOut{.entry = entry,
                                            .open = {.fh = open(entry.node, inode, in.flags, false)}});
            return 0;
        }
        case Opcode::kMkdir: {
            const auto in = reader.fixed<fuse::MkdirIn>();
            const std::string name = reader.name();
            const InodePtr parent = directory(header.node);
            if (parent == nullptr || parent->nlink == 0) return kNoEntry;
            if (parent->children.contains(name)) return kExists;
            auto inode = std::make_shared<Inode>();
            inode->ino = next_ino_++;
            inode->mode = fuse::mode::kDirectory | (in.mode & 07777 & ~in.umask);
            inode->uid = header.uid;
            inode->gid = header.gid;
            touch(*inode);
            touch(*parent);
            parent->children.emplace(name, inode);
            append_to(body, give(inode));
            return 0;
        }
        case Opcode::kLink: {
            const auto in = reader.fixed<fuse::LinkIn>();
            const std::string name = reader.name();
            const InodePtr parent = directory(header.node);
            const InodePtr inode = node(in.oldnode);
            if (parent == nullptr || inode == nullptr) return kNoEntry;
            if (!options_.hard_links) return kNotSupported;
            if (parent->children.contains(name)) return kExists;
            ++inode->nlink;
            parent->children.emplace(name, inode);
            append_to(body, give(inode));
            return 0;
        }
        case Opcode::kUnlink:
        case Opcode::kRmdir: {
            const std::string name = reader.name();
            const InodePtr parent = directory(header.node);
            if (parent == nullptr) return kNoEntry;
            if (!may_change(*parent, name)) return kIoError;
            const auto child = parent->children.find(name);
            if (child == parent->children.end()) return kNoEntry;
            const bool wants_directory = header.opcode == Opcode::kRmdir;
            if (child->second->is_directory() != wants_directory) {
                return wants_directory ? kNotADirectory : kIsADirectory;
            }
            if (!child->second->children.empty()) return kNotEmpty;
            --child->second->nlink;
            parent->children.erase(child);
            touch(*parent);
            return 0;
        }
        case Opcode::kRename:
        case Opcode::kRename2: {
            fuse::Rename2In in;
            if (header.opcode == Opcode::kRename2) {
                in = reader.fixed<fuse::Rename2In>();
            } else {
                in.newdir = reader.fixed<fuse::RenameIn>().newdir;
            }
            const std::string from_name = reader.name();
            const std::string to_name = reader.name();
            const InodePtr from = directory(header.node);
            const InodePtr to = directory(in.newdir);
            if (from == nullptr || to == nullptr || to->nlink == 0) return kNoEntry;
            if (!may_change(*from, from_name)) return kIoError;
            const auto source = from->children.find(from_name);
            if (source == from->children.end()) return kNoEntry;
            if (in.flags != 0 && !options_.no_replace) return kInvalid;
            const InodePtr moved = source->second;
            const auto target = to->children.find(to_name);
            if (target != to->children.end()) {
                if (in.flags == fuse::kRenameNoReplace) return kExists;
                if (target->second->is_directory() && !moved->is_directory()) return kIsADirectory;
                if (!target->second->is_directory() && moved->is_directory()) return kNotADirectory;
                if (!target->second->children.empty()) return kNotEmpty;
                if (target->second == moved) return 0;
                --target->second->nlink;
                to->children.erase(target);
            }
            from->children.erase(from_name);
            to->children.emplace(to_name, moved);
            touch(*from);
            touch(*to);
            return 0;
        }
        case Opcode::kOpen:
        case Opcode::kOpenDir: {
            const auto in = reader.fixed<fuse::OpenIn>();
            const InodePtr inode = node(header.node);
            if (inode == nullptr) return kNoEntry;
            const bool wants_directory = header.opcode == Opcode::kOpenDir;
            if (wants_directory && !inode->is_directory()) return kNotADirectory;
            if (!wants_directory && !inode->is_regular()) {
                complain("something that is no regular file is opened");
                return kInvalid;
            }
            append_to(body, fuse::OpenOut{.fh = open(header.node, inode, in.flags, wants_directory)});
            return 0;
        }
        case Opcode::kRelease:
        case Opcode::kReleaseDir: {
            const auto in = reader.fixed<fuse::ReleaseIn>();
            const Handle* open_file = handle(in.fh, header.node);
            if (open_file != nullptr && open_file->directory != (header.opcode == Opcode::kReleaseDir)) {
                complain("a handle of the other kind is released");
            }
            handles_.erase(in.fh);
            return 0;
        }
        case Opcode::kRead: {
            const auto in = reader.fixed<fuse::ReadIn>();
            const Handle* open_file = handle(in.fh, header.node);
            if (open_file == nullptr) return kBadFile;
            if ((open_file->flags & fuse::open_flag::kAccessMask) == fuse::open_flag::kWriteOnly)
                return kBadFile;
            if (in.size > room) complain("a READ asks for more than it has room for");
            if (in.size > options_.max_pages * fuse::kPageBytes) complain("a READ is too large");
            const std::string& data = open_file->inode->data;
            const std::size_t from = std::min<std::size_t>(in.offset, data.size());
            std::size_t bytes = std::min<std::size_t>(in.size, data.size() - from);
            if (options_.short_read_bytes != 0)
                bytes = std::min<std::size_t>(bytes, options_.short_read_bytes);
            const auto piece = std::as_bytes(std::span(data).subspan(from, bytes));
            body.assign(piece.begin(), piece.end());
            return 0;
        }
        case Opcode::kWrite: {
            const auto in = reader.fixed<fuse::WriteIn>();
            const std::string_view data = reader.payload();
            const Handle* open_file = handle(in.fh, header.node);
            if (open_file == nullptr) return kBadFile;
            if ((open_file->flags & fuse::open_flag::kAccessMask) == fuse::open_flag::kReadOnly)
                return kBadFile;
            if (data.size() != in.size || in.size > options_.max_write) complain("a WRITE's size is wrong");
            std::string& file = open_file->inode->data;
            const bool append = (open_file->flags & fuse::open_flag::kAppend) != 0;
            const std::size_t at = append ? file.size() : static_cast<std::size_t>(in.offset);
            if (file.size() < at + data.size()) file.resize(at + data.size());
            file.replace(at, data.size(), data);
            touch(*open_file->inode);
            append_to(body, fuse::WriteOut{.size = in.size});
            return 0;
        }
        case Opcode::kFsync: {
            handle(reader.fixed<fuse::FsyncIn>().fh, header.node);
            return 0;
        }
        case Opcode::kSyncfs:
            reader.fixed<fuse::SyncfsIn>();
            return options_.syncfs ? 0 : kNoSuchCall;
        case Opcode::kFallocate: {
            const auto in = reader.fixed<fuse::FallocateIn>();
            const Handle* open_file = handle(in.fh, header.node);
            if (open_file == nullptr) return kBadFile;
            if (!options_.fallocate) return kNotSupported;
            open_file->inode->allocated = std::max(open_file->inode->allocated, in.offset + in.length);
            return 0;
        }
        case Opcode::kStatfs:
            append_to(body, fuse::StatfsOut{
                                .blocks = 1000, .bfree = 600, .bavail = 500, .bsize = 65536, .frsize = 4096});
            return 0;
        case Opcode::kReadDir:
        case Opcode::kReadDirPlus: {
            const auto in = reader.fixed<fuse::ReadIn>();
            const bool plus = header.opcode == Opcode::kReadDirPlus;
            if (plus && !options_.read_dir_plus) return kNoSuchCall;
            Handle* open_file = handle(in.fh, header.node);
            if (open_file == nullptr || !open_file->directory) return kBadFile;
            if (in.size > room) complain("a READDIR asks for more than it has room for");
            if (in.offset == 0) {
                open_file->entries = {{".", open_file->inode}, {"..", root_}};
                for (const auto& [name, child] : open_file->inode->children) {
                    open_file->entries.emplace_back(name, child);
                }
            }
            for (std::size_t i = in.offset; i < open_file->entries.size(); ++i) {
                const auto& [name, child] = open_file->entries[i];
                const std::size_t bytes =
                    plus ? fuse::direntplus_bytes(name.size()) : fuse::dirent_bytes(name.size());
                if (body.size() + bytes > in.size) break;
                const std::size_t end = body.size() + bytes;
                if (plus) {
                    const bool dots = name == "." || name == "..";
                    append_to(body, dots ? fuse::EntryOut{.attr = {.ino = child->ino, .mode = child->mode}}
                                         : give(child));
                }
                append_to(body, fuse::Dirent{.ino = child->ino,
                                             .off = i + 1,
                                             .namelen = static_cast<std::uint32_t>(name.size()),
                                             .type = child->mode >> 12});
                const auto text = std::as_bytes(std::span(name));
                body.insert(body.end(), text.begin(), text.end());
                body.resize(end);
            }
            return 0;
        }
        default:
            complain("an unexpected request: " + std::string(fuse::name_of(header.opcode)));
            reader.payload();
            return kNoSuchCall;
    }
}

// The host's other users

CheckingHost::InodePtr CheckingHost::find(std::string_view path) {
    InodePtr inode = root_;
    while (!path.empty() && inode != nullptr) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const auto child = inode->children.find(path.substr(0, end));
        inode = child == inode->children.end() ? nullptr : child->second;
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return inode;
}

CheckingHost::InodePtr CheckingHost::make(std::string_view path, std::uint32_t mode) {
    const auto [parent, name] = split(path);
    auto inode = std::make_shared<Inode>();
    inode->ino = next_ino_++;
    inode->mode = mode;
    touch(*inode);
    find(parent)->children.insert_or_assign(std::string(name), inode);
    return inode;
}

void CheckingHost::make_directory(std::string_view path) {
    make_special(path, fuse::mode::kDirectory | 0755);
}

void CheckingHost::make_special(std::string_view path, std::uint32_t mode) {
    const std::lock_guard lock(mutex_);
    make(path, mode);
}

void CheckingHost::make_file(std::string_view path, std::string_view content, std::uint32_t mode) {
    const std::lock_guard lock(mutex_);
    make(path, fuse::mode::kRegular | mode)->data = content;
}

void CheckingHost::remove(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const auto [parent, name] = split(path);
    const InodePtr inode = find(path);
    --inode->nlink;
    find(parent)->children.erase(std::string(name));
}

void CheckingHost::move(std::string_view from, std::string_view to) {
    const std::lock_guard lock(mutex_);
    const InodePtr inode = find(from);
    const auto [old_parent, old_name] = split(from);
    const auto [new_parent, new_name] = split(to);
    find(old_parent)->children.erase(std::string(old_name));
    find(new_parent)->children.insert_or_assign(std::string(new_name), inode);
}

void CheckingHost::append(std::string_view path, std::string_view content) {
    const std::lock_guard lock(mutex_);
    find(path)->data += content;
}

std::optional<std::string> CheckingHost::content(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const InodePtr inode = find(path);
    if (inode == nullptr) return std::nullopt;
    return inode->data;
}

std::optional<fuse::Attr> CheckingHost::attributes(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const InodePtr inode = find(path);
    if (inode == nullptr) return std::nullopt;
    return attr_of(*inode);
}

std::vector<std::string> CheckingHost::names(std::string_view path) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, child] : find(path)->children)
        names.push_back(name);
    return names;
}

// Control and counting

void CheckingHost::hold(fuse::Opcode opcode) {
    const std::lock_guard lock(mutex_);
    held_.insert(opcode);
}

void CheckingHost::let_go() {
    {
        const std::lock_guard lock(mutex_);
        held_.clear();
    }
    work_arrived_.notify_all();
}

void CheckingHost::wait_until_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    held_changed_.wait(lock, [&] { return queue_.size() >= count; });
}

void CheckingHost::set_forger(Forger forger) {
    const std::lock_guard lock(mutex_);
    forger_ = std::move(forger);
}

std::size_t CheckingHost::round_trips() {
    const std::lock_guard lock(mutex_);
    std::size_t sum = 0;
    for (const auto& [opcode, times] : counts_)
        sum += counts_as_round_trip(opcode) ? times : 0;
    return sum;
}

std::size_t CheckingHost::count(fuse::Opcode opcode) {
    const std::lock_guard lock(mutex_);
    const auto place = counts_.find(opcode);
    return place == counts_.end() ? 0 : place->second;
}

std::string CheckingHost::summary() {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& [opcode, times] : counts_) {
        if (!text.empty()) text += ", ";
        text += std::string(fuse::name_of(opcode)) + " " + std::to_string(times);
    }
    return text;
}

void CheckingHost::reset() {
    const std::lock_guard lock(mutex_);
    counts_.clear();
}

std::size_t CheckingHost::referenced_nodes() {
    const std::lock_guard lock(mutex_);
    return references_.size();
}

std::size_t CheckingHost::most_referenced() {
    const std::lock_guard lock(mutex_);
    return most_referenced_;
}

std::size_t CheckingHost::open_handles() {
    const std::lock_guard lock(mutex_);
    return handles_.size();
}

std::vector<std::string> CheckingHost::violations() {
    const std::lock_guard lock(mutex_);
    return violations_;
}

}  // namespace guest::test
