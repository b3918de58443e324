// Open directories and reading them.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

namespace {

constexpr std::size_t kReadAheadBytes = std::size_t{32} << 10;
// The longest reply to one READDIR, whatever room the guest gives.
constexpr std::size_t kMaxReplyBytes = std::size_t{1} << 20;

// The kernel's record. Source: getdents64(2).
struct KernelRecord {
    std::uint64_t ino;
    std::int64_t off;
    std::uint16_t length;
    std::uint8_t type;
    // name and NUL follow
};
constexpr std::size_t kNameOffset = offsetof(KernelRecord, type) + 1;

struct HostEntry {
    fuse::Dirent dirent;
    CString name;
};

bool is_dot_or_dotdot(std::string_view name) {
    return name == "." || name == "..";
}

// The next entry, which stays the next one until step(); nullopt at the end. 0 or an errno otherwise.
std::expected<std::optional<HostEntry>, Errno> peek(OpenDirectory& directory) {
    if (directory.position == directory.filled) {
        if (directory.ahead.empty()) directory.ahead.resize(kReadAheadBytes);
        const long got =
            ::syscall(SYS_getdents64, directory.fd.get(), directory.ahead.data(), directory.ahead.size());
        if (got < 0) return std::unexpected(static_cast<Errno>(errno));
        directory.position = 0;
        directory.filled = static_cast<std::size_t>(got);
        if (got == 0) return std::nullopt;
    }
    const std::byte* const record = directory.ahead.data() + directory.position;
    KernelRecord head;
    std::memcpy(&head, record, kNameOffset);
    const char* const name = reinterpret_cast<const char*>(record) + kNameOffset;
    const std::string_view text(name, ::strnlen(name, head.length - kNameOffset));
    return HostEntry{.dirent = {.ino = head.ino,
                                .off = static_cast<std::uint64_t>(head.off),
                                .namelen = static_cast<std::uint32_t>(text.size()),
                                .type = head.type},
                     .name = CString(text)};
}

void step(OpenDirectory& directory, std::uint64_t next_offset) {
    std::uint16_t length;
    std::memcpy(&length, directory.ahead.data() + directory.position + offsetof(KernelRecord, length),
                sizeof length);
    directory.position += length;
    directory.offset = next_offset;
}

// Puts the next entry where the guest wants to read on.
bool seek(OpenDirectory& directory, std::uint64_t offset) {
    if (directory.offset == offset && (offset != 0 || directory.position == 0)) return true;
    if (::lseek(directory.fd.get(), static_cast<off_t>(offset), SEEK_SET) < 0) return false;
    directory.position = 0;
    directory.filled = 0;
    directory.offset = offset;
    return true;
}

// Appends a record: the fixed part, the name, padding to 8 bytes.
template <typename Fixed>
void append(std::vector<std::byte>& to, const Fixed& fixed, std::string_view name) {
    const std::size_t begin = to.size();
    to.resize(begin + ((sizeof fixed + name.size() + 7) & ~std::size_t{7}));
    std::memcpy(to.data() + begin, &fixed, sizeof fixed);
    std::memcpy(to.data() + begin + sizeof fixed, name.data(), name.size());
}

}  // namespace

void FuseWorker::opendir(const InHeader& header, Arguments arguments, const Reply& reply) {
    if (!arguments.fixed<fuse::OpenIn>()) return reply.fail(Errno::kEINVAL);
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    if (node->info().type != fuse::mode::kDirectory) return reply.fail(Errno::kENOTDIR);
    vhost_user::Fd fd = to_keep(open_descriptor(
        [&] { return ::openat(node->fd(), ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
    if (!fd) return reply.finish(errno);
    fuse::OpenOut out;
    if (options_.cache == CachePolicy::kAlways) {
        out.open_flags = fuse::opened_flag::kKeepCache | fuse::opened_flag::kCacheDir;
    }
    out.fh = server_.directories_.add(std::make_shared<OpenDirectory>(std::move(fd), header.node));
    reply.succeed(out);
}

void FuseWorker::releasedir(const InHeader&, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::ReleaseIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    reply.finish(server_.directories_.remove(in->fh) != nullptr ? 0 : EBADF);
}

void FuseWorker::fsyncdir(const InHeader&, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::FsyncIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto directory = server_.directories_.find(in->fh);
    if (directory == nullptr) return reply.fail(Errno::kEBADF);
    sync_descriptor(directory, directory->fd.get(), *in, reply);
}

// `add(entry, room)` appends the entry's record to scratch_ and returns true, or leaves it if `room` is too
// small.
template <typename Add>
void FuseWorker::read_directory(const InHeader& header, Arguments arguments, const Reply& reply, Add&& add) {
    const auto in = arguments.fixed<fuse::ReadIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto directory = server_.directories_.find(in->fh);
    if (directory == nullptr) return reply.fail(Errno::kEBADF);
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    const std::size_t room = std::min({static_cast<std::size_t>(in->size), reply.room(), kMaxReplyBytes});
    const std::lock_guard lock(directory->mutex);
    if (!seek(*directory, in->offset)) return reply.finish(errno);
    scratch_.clear();
    for (;;) {
        const auto entry = peek(*directory);
        if (!entry) {
            if (scratch_.empty()) return reply.fail(entry.error());
            break;
        }
        if (!*entry) break;
        if (!add(*node, **entry, room - scratch_.size())) {
            if (scratch_.empty()) return reply.fail(Errno::kEINVAL);  // room for not even one
            break;
        }
        step(*directory, (*entry)->dirent.off);
    }
    reply.succeed({std::span<const std::byte>(scratch_)});
}

void FuseWorker::readdir(const InHeader& header, Arguments arguments, const Reply& reply) {
    read_directory(header, arguments, reply,
                   [&](const NodeTable::Pin&, const HostEntry& entry, std::size_t room) {
                       if (fuse::dirent_bytes(entry.name.size()) > room) return false;
                       append(scratch_, entry.dirent, entry.name.view());
                       return true;
                   });
}

void FuseWorker::readdirplus(const InHeader& header, Arguments arguments, const Reply& reply) {
    read_directory(header, arguments, reply,
                   [&](const NodeTable::Pin& node, const HostEntry& entry, std::size_t room) {
                       if (fuse::direntplus_bytes(entry.name.size()) > room) return false;
                       fuse::DirentPlus record{.entry = {}, .dirent = entry.dirent};
                       if (!is_dot_or_dotdot(entry.name.view())) {
                           // Without an entry the guest looks it up itself, if it is still there.
                           if (const auto found = enter_by_handle(node, entry.name.c_str()))
                               record.entry = *found;
                       }
                       append(scratch_, record, entry.name.view());
                       return true;
                   });
}

}  // namespace host
