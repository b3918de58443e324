#include <algorithm>
#include <cstring>

#include "guest/volume/tests/checking_host_parts.h"

namespace guest::test {
namespace {

bool counts_as_round_trip(fuse::Opcode opcode) {
    return fuse::has_reply(opcode) && opcode != fuse::Opcode::kRelease && opcode != fuse::Opcode::kReleaseDir;
}

}  // namespace

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
    std::vector<std::byte> bytes;
    for (const auto piece : message.out)
        bytes.insert(bytes.end(), piece.begin(), piece.end());
    Reader reader(bytes);
    const auto header = reader.fixed<fuse::InHeader>();
    if (header.len != bytes.size()) complain("a header's length is not the message's");
    if (message.epoch != epoch()) complain("a message of another epoch");
    if (header.unique == 0 || !uniques_.insert(header.unique).second) complain("a unique was used before");
    ++counts_[header.opcode];
    if (message.in.empty() == fuse::has_reply(header.opcode)) complain("room for a reply is wrong");
    std::size_t room = 0;
    for (const auto piece : message.in)
        room += piece.size();
    if (!message.in.empty() && room < sizeof(fuse::OutHeader)) complain("no room for a header");

    std::vector<std::byte> body;
    Request request{.header = header,
                    .reader = reader,
                    .body = body,
                    .room = room - std::min(room, sizeof(fuse::OutHeader))};
    const std::int32_t error = perform(request);
    if (!request.reader.is_done()) {
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
