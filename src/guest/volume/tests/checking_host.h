// A FUSE host in memory that checks the guest: every node id must be referenced when it is used, every file
// handle open and of that node, nothing forgotten more often than it was given, every header right. Breaches
// are collected in violations(). Answers on threads of its own, in an order of its own; ids that were given
// back are used again at once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fuse/protocol.h"
#include "guest/volume/channel.h"

namespace guest::test {

struct HostOptions {
    double valid_seconds = 60;   // lifetime of names and attributes
    double missing_seconds = 0;  // of names that do not exist
    bool read_dir_plus = true;
    bool no_replace = true;  // RENAME_NOREPLACE
    bool exchange = true;    // RENAME_EXCHANGE
    bool hard_links = true;
    bool needs_references =
        false;  // like QEMU's C daemon: names whose node the guest does not hold cannot be changed
    bool syncfs = true;
    bool fallocate = true;
    std::uint32_t minor = 38;
    std::uint32_t max_write = 1U << 20;
    std::uint16_t max_pages = 256;
    unsigned threads = 1;
    bool shuffle = false;                // answers in random order
    std::uint32_t short_read_bytes = 0;  // READs bring at most this much, if not 0
    std::size_t max_message_bytes = 8U << 20;
};

class CheckingHost final : public Channel {
  public:
    explicit CheckingHost(HostOptions options = {});
    ~CheckingHost() override;

    // Channel
    Epoch epoch() const noexcept override { return Epoch{7}; }
    std::size_t max_message_bytes() const noexcept override { return options_.max_message_bytes; }
    void set_sink(ChannelSink*) noexcept override {}
    void submit(std::span<Message* const> messages) noexcept override;
    void cancel(Message& message) noexcept override;

    // What somebody else does on the host. Paths: "a/b/c", the root is "".
    void make_directory(std::string_view path);
    void make_file(std::string_view path, std::string_view content, std::uint32_t mode = 0644);
    void make_special(std::string_view path, std::uint32_t mode);  // with type bits
    void make_symlink(std::string_view path, std::string_view target);
    void remove(std::string_view path);
    void move(std::string_view from, std::string_view to);
    void append(std::string_view path, std::string_view content);
    std::optional<std::string> content(std::string_view path);
    std::optional<fuse::Attr> attributes(std::string_view path);
    std::vector<std::string> names(std::string_view path);

    // Answers to this opcode are held back until let_go(), then given.
    void hold(fuse::Opcode opcode);
    void let_go();
    void wait_until_held(std::size_t count);
    // Replaces the answer to one request: gets the right one, header included, and answers what arrives
    // instead.
    using Forger = std::function<std::vector<std::byte>(fuse::Opcode, std::vector<std::byte>)>;
    void set_forger(Forger forger);
    // The connection breaks: everything in flight and later is lost.
    void break_down();

    // Requests that were waited for since the last call of reset(); RELEASE, RELEASEDIR and FORGETs do not
    // count.
    std::size_t round_trips();
    std::size_t count(fuse::Opcode opcode);
    std::string summary();  // "LOOKUP 3, OPEN 1"
    void reset();

    std::size_t referenced_nodes();  // the root not counted
    std::size_t most_referenced();   // the greatest number that ever was
    std::size_t open_handles();
    std::vector<std::string> violations();

  private:
    struct Inode;
    using InodePtr = std::shared_ptr<Inode>;
    struct Reference {
        InodePtr inode;
        std::uint64_t count = 0;
    };
    struct Handle {
        fuse::NodeId node{};
        InodePtr inode;
        std::uint32_t flags = 0;
        bool directory = false;
        std::vector<std::pair<std::string, InodePtr>> entries;
    };
    class Reader;
    struct Request;

    void work(unsigned seed);
    std::vector<std::byte> answer(Message& message);  // with mutex_ held; empty: no reply
    // 0 or an errno; the body of the reply is appended to the request's.
    std::int32_t perform(Request& request);
    std::int32_t init(Request& request);
    std::int32_t destroy(Request& request);
    std::int32_t do_forget(Request& request);
    std::int32_t batch_forget(Request& request);
    std::int32_t lookup(Request& request);
    std::int32_t get_attr(Request& request);
    std::int32_t set_attr(Request& request);
    std::int32_t create(Request& request);
    std::int32_t mkdir(Request& request);
    std::int32_t link(Request& request);
    std::int32_t symlink(Request& request);
    std::int32_t read_link(Request& request);
    std::int32_t unlink(Request& request);
    std::int32_t rename(Request& request);
    std::int32_t do_open(Request& request);
    std::int32_t release(Request& request);
    std::int32_t read(Request& request);
    std::int32_t write(Request& request);
    std::int32_t fsync(Request& request);
    std::int32_t syncfs(Request& request);
    std::int32_t fallocate(Request& request);
    std::int32_t statfs(Request& request);
    std::int32_t read_directory(Request& request);
    InodePtr make_child(Inode& parent, const std::string& name, const fuse::InHeader& header,
                        std::uint32_t mode);
    fuse::AttrOut attr_out(const Inode& inode) const;
    void complain(std::string what);
    InodePtr find(std::string_view path);
    InodePtr make(std::string_view path, std::uint32_t mode);
    InodePtr node(fuse::NodeId id);
    InodePtr directory(fuse::NodeId id);
    bool may_change(const Inode& parent, const std::string& name) const;
    Handle* handle(fuse::FileHandle fh, fuse::NodeId node);
    fuse::EntryOut give(const InodePtr& inode);
    fuse::NodeId reference(const InodePtr& inode);
    void forget(fuse::NodeId id, std::uint64_t count);
    static fuse::Attr attr_of(const Inode& inode);
    void touch(Inode& inode);
    fuse::FileHandle open(fuse::NodeId id, const InodePtr& inode, std::uint32_t flags, bool directory);

    const HostOptions options_;
    std::mutex mutex_;
    std::condition_variable work_arrived_;
    std::condition_variable held_changed_;
    std::deque<Message*> queue_;
    std::set<fuse::Opcode> held_;
    bool stopping_ = false;
    bool broken_ = false;
    Forger forger_;

    InodePtr root_;
    std::uint64_t next_ino_ = 1;
    std::uint64_t clock_ = 1'700'000'000;
    std::map<fuse::NodeId, Reference> references_;
    std::map<const Inode*, fuse::NodeId> ids_;
    std::vector<fuse::NodeId> free_ids_;
    std::uint64_t next_id_ = 2;
    std::map<fuse::FileHandle, Handle> handles_;
    std::uint64_t next_handle_ = 0;
    std::set<std::uint64_t> uniques_;
    std::map<fuse::Opcode, std::size_t> counts_;
    std::size_t most_referenced_ = 0;
    std::vector<std::string> violations_;
    std::vector<std::thread> threads_;
};

}  // namespace guest::test
