// For tests: a guest that asks a FUSE server directly, on the calling thread, about a directory of its own.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/protocol.h"
#include "host/async_io.h"
#include "host/fs/fuse_server.h"

namespace host {

struct Answer {
    fuse::Errno error{};  // of the reply; kNone also if there was none
    bool replied = false;
    std::vector<std::byte> body;

    // The body's fixed part; zeros where it is shorter.
    template <typename T>
    T as(std::size_t offset = 0) const {
        T value{};
        if (offset < body.size())
            std::memcpy(&value, body.data() + offset, std::min(sizeof value, body.size() - offset));
        return value;
    }
    std::string text() const { return {reinterpret_cast<const char*>(body.data()), body.size()}; }
};

// One request in memory that ends within serve().
class TestExchange final : public Exchange {
  public:
    TestExchange(std::vector<std::byte> request_bytes_given, std::size_t reply_room)
        : asked_(std::move(request_bytes_given)), answered_(reply_room) {
        // In pieces, as guests have them: the header, the rest; the reply's header, the rest.
        add(asked_, sizeof(fuse::InHeader), request_pieces_);
        add(answered_, sizeof(fuse::OutHeader), reply_pieces_);
        request = request_pieces_;
        request_bytes = asked_.size();
        reply = reply_pieces_;
        reply_bytes = answered_.size();
    }

    void finish(std::uint32_t bytes_written) noexcept override {
        written_ = bytes_written;
        ++finished_;
    }
    void before_blocking() noexcept override {}

    int finished() const { return finished_; }
    Answer answer() const {
        Answer result;
        if (written_ < sizeof(fuse::OutHeader)) return result;
        fuse::OutHeader header;
        std::memcpy(&header, answered_.data(), sizeof header);
        result.replied = true;
        result.error = static_cast<fuse::Errno>(-header.error);
        result.body.assign(answered_.begin() + sizeof header, answered_.begin() + written_);
        return result;
    }

  private:
    static void add(std::vector<std::byte>& bytes, std::size_t first, std::vector<iovec>& pieces) {
        const std::size_t head = std::min(first, bytes.size());
        if (head != 0) pieces.push_back({bytes.data(), head});
        if (bytes.size() > head) pieces.push_back({bytes.data() + head, bytes.size() - head});
    }

    std::vector<std::byte> asked_;
    std::vector<std::byte> answered_;
    std::vector<iovec> request_pieces_;
    std::vector<iovec> reply_pieces_;
    std::uint32_t written_ = 0;
    int finished_ = 0;
};

// A directory that is removed at the end.
class TestDirectory {
  public:
    explicit TestDirectory(const std::string& parent = std::filesystem::temp_directory_path()) {
        std::string name = parent + "/virtiofs-host-XXXXXX";
        if (::mkdtemp(name.data()) != nullptr) path_ = name;
    }
    ~TestDirectory() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;

    std::string path(const std::string& name = {}) const { return name.empty() ? path_ : path_ + "/" + name; }
    void write(const std::string& name, std::string_view content) const {
        const vhost_user::Fd fd(::open(path(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
            std::abort();
    }

  private:
    std::string path_;
};

class TestGuest {
  public:
    // The options' uid and gid of requests are 0.
    explicit TestGuest(const std::string& directory, ServerOptions options = {}, AsyncIo* io = nullptr) {
        ServerRoots roots{
            .directory = vhost_user::Fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
            .proc_self_fd = vhost_user::Fd(::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC))};
        auto server = FuseServer::create(std::move(options), std::move(roots));
        if (!server) std::abort();
        server_ = std::move(*server);
        worker_ = server_->make_worker(io);
        io_ = io;
    }
    // Another guest's thread on the same server, with a worker of its own.
    explicit TestGuest(FuseServer& server, AsyncIo* io = nullptr)
        : shared_(&server), worker_(server.make_worker(io)), io_(io) {}

    FuseServer& server() { return shared_ != nullptr ? *shared_ : *server_; }
    RequestWorker& worker() { return *worker_; }

    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    // Sent as extensions.
    std::optional<std::uint32_t> further_group;
    std::optional<std::pair<std::string, std::string>> security_context;  // name and value

    // A request of any bytes behind its header.
    Answer ask_bytes(fuse::Opcode opcode, fuse::NodeId node, std::span<const std::byte> arguments,
                     std::size_t reply_room = 65536) {
        TestExchange exchange(request(opcode, node, arguments), reply_room);
        serve(exchange);
        return exchange.answer();
    }

    std::uint64_t last_unique() const { return unique_; }

    // Serves until the exchange has ended; what waits for a disk, too.
    void serve(TestExchange& exchange) {
        worker_->serve(exchange);
        finish(exchange);
    }
    void finish(const TestExchange& exchange) {
        for (int wait = 0; exchange.finished() == 0 && io_ != nullptr && wait < 1000; ++wait) {
            io_->submit();
            if (io_->reap() != 0) continue;
            pollfd ready{.fd = io_->fd(), .events = POLLIN, .revents = 0};
            ::poll(&ready, 1, 10);
        }
        if (exchange.finished() != 1) std::abort();
    }

    std::vector<std::byte> request(fuse::Opcode opcode, fuse::NodeId node,
                                   std::span<const std::byte> arguments) {
        const std::vector<std::byte> extension = extensions();
        const std::size_t length = sizeof(fuse::InHeader) + arguments.size() + extension.size();
        const fuse::InHeader header{.len = static_cast<std::uint32_t>(length),
                                    .opcode = opcode,
                                    .unique = ++unique_,
                                    .node = node,
                                    .uid = uid,
                                    .gid = gid,
                                    .total_extlen = static_cast<std::uint16_t>(extension.size() / 8)};
        std::vector<std::byte> bytes(length);
        std::memcpy(bytes.data(), &header, sizeof header);
        if (!arguments.empty()) std::memcpy(bytes.data() + sizeof header, arguments.data(), arguments.size());
        std::ranges::copy(extension, bytes.end() - static_cast<std::ptrdiff_t>(extension.size()));
        return bytes;
    }
    // Source: Linux, fs/fuse/dir.c: get_security_context and get_create_supp_group.
    std::vector<std::byte> extensions() const {
        std::vector<std::byte> bytes;
        if (security_context) {
            const auto& [name, value] = *security_context;
            const std::size_t context =
                (sizeof(fuse::SecurityContext) + name.size() + 1 + value.size() + 7) & ~std::size_t{7};
            append(bytes, fuse::SecurityContextHeader{.size = static_cast<std::uint32_t>(
                                                          sizeof(fuse::SecurityContextHeader) + context),
                                                      .count = 1});
            append(bytes, fuse::SecurityContext{.size = static_cast<std::uint32_t>(value.size())});
            append(bytes, name);
            for (const char c : value)
                append(bytes, c);
            bytes.resize(sizeof(fuse::SecurityContextHeader) + context);
        }
        if (further_group) {
            append(bytes, fuse::ExtHeader{.size = 16, .type = 32});
            append(bytes, std::uint32_t{1});
            append(bytes, *further_group);
        }
        return bytes;
    }
    template <typename... Parts>
    std::vector<std::byte> request_of(fuse::Opcode opcode, fuse::NodeId node, const Parts&... parts) {
        std::vector<std::byte> bytes;
        (append(bytes, parts), ...);
        return request(opcode, node, bytes);
    }

    // Fixed arguments and strings with their NULs.
    template <typename... Parts>
    Answer ask(fuse::Opcode opcode, fuse::NodeId node, const Parts&... parts) {
        std::vector<std::byte> bytes;
        (append(bytes, parts), ...);
        return ask_bytes(opcode, node, bytes);
    }

    // As a Linux guest begins.
    Answer init(std::uint64_t flags = ~std::uint64_t{0}, std::uint32_t minor = fuse::kMinorVersion) {
        return ask(fuse::Opcode::kInit, fuse::NodeId{},
                   fuse::InitIn{.major = fuse::kMajorVersion,
                                .minor = minor,
                                .max_readahead = 131072,
                                .flags = static_cast<std::uint32_t>(flags),
                                .flags2 = static_cast<std::uint32_t>(flags >> 32)});
    }

    Answer lookup(std::string_view name, fuse::NodeId parent = fuse::kRootNodeId) {
        return ask(fuse::Opcode::kLookup, parent, name);
    }
    fuse::NodeId node(std::string_view name, fuse::NodeId parent = fuse::kRootNodeId) {
        return lookup(name, parent).as<fuse::EntryOut>().node;
    }
    void forget(fuse::NodeId node, std::uint64_t count = 1) {
        ask(fuse::Opcode::kForget, node, fuse::ForgetIn{.nlookup = count});
    }
    Answer open(fuse::NodeId node, std::uint32_t flags = fuse::open_flag::kReadOnly) {
        return ask(fuse::Opcode::kOpen, node, fuse::OpenIn{.flags = flags});
    }
    Answer create(std::string_view name, std::uint32_t mode = 0644,
                  std::uint32_t flags = fuse::open_flag::kReadWrite, fuse::NodeId parent = fuse::kRootNodeId,
                  std::uint32_t umask = 0) {
        return ask(fuse::Opcode::kCreate, parent,
                   fuse::CreateIn{.flags = flags, .mode = mode, .umask = umask}, name);
    }
    Answer mkdir(std::string_view name, std::uint32_t mode = 0755, fuse::NodeId parent = fuse::kRootNodeId,
                 std::uint32_t umask = 0) {
        return ask(fuse::Opcode::kMkdir, parent, fuse::MkdirIn{.mode = mode, .umask = umask}, name);
    }
    Answer mknod(std::string_view name, std::uint32_t mode, std::uint32_t device = 0,
                 fuse::NodeId parent = fuse::kRootNodeId) {
        return ask(fuse::Opcode::kMknod, parent, fuse::MknodIn{.mode = mode, .rdev = device}, name);
    }
    Answer symlink(std::string_view name, std::string_view target, fuse::NodeId parent = fuse::kRootNodeId) {
        return ask(fuse::Opcode::kSymlink, parent, name, target);
    }
    Answer unlink(std::string_view name, fuse::NodeId parent = fuse::kRootNodeId) {
        return ask(fuse::Opcode::kUnlink, parent, name);
    }
    Answer getattr(fuse::NodeId node) { return ask(fuse::Opcode::kGetAttr, node, fuse::GetAttrIn{}); }
    Answer setattr(fuse::NodeId node, const fuse::SetAttrIn& change) {
        return ask(fuse::Opcode::kSetAttr, node, change);
    }
    Answer release(fuse::NodeId node, fuse::FileHandle handle) {
        return ask(fuse::Opcode::kRelease, node, fuse::ReleaseIn{.fh = handle});
    }
    Answer write(fuse::NodeId node, fuse::FileHandle handle, std::uint64_t offset, std::string_view data,
                 std::uint32_t write_flags = 0) {
        const fuse::WriteIn in{.fh = handle,
                               .offset = offset,
                               .size = static_cast<std::uint32_t>(data.size()),
                               .write_flags = write_flags};
        std::vector<std::byte> bytes(sizeof in + data.size());
        std::memcpy(bytes.data(), &in, sizeof in);
        std::memcpy(bytes.data() + sizeof in, data.data(), data.size());
        return ask_bytes(fuse::Opcode::kWrite, node, bytes);
    }
    Answer read(fuse::NodeId node, fuse::FileHandle handle, std::uint64_t offset, std::uint32_t size) {
        return ask(fuse::Opcode::kRead, node, fuse::ReadIn{.fh = handle, .offset = offset, .size = size});
    }

  private:
    template <typename T>
    static void append(std::vector<std::byte>& bytes, const T& part) {
        if constexpr (std::is_convertible_v<T, std::string_view>) {
            const std::string text{std::string_view(part)};
            const auto piece = std::as_bytes(std::span(text.c_str(), text.size() + 1));
            bytes.insert(bytes.end(), piece.begin(), piece.end());
        } else {
            const auto piece = std::as_bytes(std::span(&part, 1));
            bytes.insert(bytes.end(), piece.begin(), piece.end());
        }
    }

    std::unique_ptr<FuseServer> server_;
    FuseServer* shared_ = nullptr;
    std::unique_ptr<RequestWorker> worker_;
    AsyncIo* io_ = nullptr;
    std::uint64_t unique_ = 0;
};

}  // namespace host
