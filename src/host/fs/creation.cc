// Making files, directories, links and special files, as the user that the guest names.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

namespace {

constexpr mode_t kPermissionBits = 07777;
constexpr int kAttempts = 16;  // while others make and remove the same name

// The umask to create with where the guest has not applied it itself (POSIX ACLs: the directory decides).
class CreationMask {
  public:
    CreationMask(bool wanted, std::uint32_t mask) {
        if (wanted) scoped_.emplace(mask & 0777);
    }

  private:
    std::optional<ScopedUmask> scoped_;
};

dev_t device_of(std::uint32_t encoded) {
    return ::makedev(encoded >> 8 & 0xfff, (encoded & 0xff) | (encoded >> 12 & 0xfff00));
}

}  // namespace

// Gives what was just made the attributes that the guest's security module wants on it. 0 or an errno.
int FuseWorker::label(int fd) {
    const DescriptorPath path(fd);
    for (const auto& context : request_.security_contexts()) {
        if (!agreed(fuse::init_flag::kSecurityCtx)) return EINVAL;
        const auto name = host_xattr_name(context.name.view());
        if (!name) return static_cast<int>(name.error());
        if (::setxattr(path.c_str(), name->c_str(), context.value.data(), context.value.size(), 0) != 0)
            return errno;
    }
    return 0;
}

// The same for a name. What cannot be labelled is removed again.
int FuseWorker::label_made(const NodeTable::Pin& parent, const char* name, int remove_flags) {
    if (request_.security_contexts().empty()) return 0;
    const vhost_user::Fd made =
        open_descriptor([&] { return ::openat(parent.fd(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC); });
    const int error = made ? label(made.get()) : errno;
    if (error != 0) ::unlinkat(parent.fd(), name, remove_flags);
    return error;
}

void FuseWorker::mknod(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::MknodIn>();
    const auto name = in ? arguments.name() : std::nullopt;
    if (!name) return reply.fail(Errno::kEINVAL);
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    {
        const auto acting = act_as(header);
        if (!acting) return reply.fail(acting.error());
        const CreationMask mask(agreed(fuse::init_flag::kDontMask), in->umask);
        if (::mknodat(parent->fd(), name->c_str(), in->mode, device_of(in->rdev)) != 0)
            return reply.finish(errno);
    }
    if (const int error = label_made(*parent, name->c_str(), 0); error != 0) return reply.finish(error);
    answer_entry(*parent, name->c_str(), reply);
}

void FuseWorker::mkdir(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::MkdirIn>();
    const auto name = in ? arguments.name() : std::nullopt;
    if (!name) return reply.fail(Errno::kEINVAL);
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    {
        const auto acting = act_as(header);
        if (!acting) return reply.fail(acting.error());
        const CreationMask mask(agreed(fuse::init_flag::kDontMask), in->umask);
        if (::mkdirat(parent->fd(), name->c_str(), in->mode & kPermissionBits) != 0)
            return reply.finish(errno);
    }
    if (const int error = label_made(*parent, name->c_str(), AT_REMOVEDIR); error != 0)
        return reply.finish(error);
    answer_entry(*parent, name->c_str(), reply);
}

void FuseWorker::symlink(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto name = arguments.name();
    const auto target = name ? arguments.string() : std::nullopt;
    if (!target) return reply.fail(Errno::kEINVAL);
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    {
        const auto acting = act_as(header);
        if (!acting) return reply.fail(acting.error());
        if (::symlinkat(target->c_str(), parent->fd(), name->c_str()) != 0) return reply.finish(errno);
    }
    if (const int error = label_made(*parent, name->c_str(), 0); error != 0) return reply.finish(error);
    answer_entry(*parent, name->c_str(), reply);
}

// Opens the file, or makes it. Only what was made here belongs to the request's user.
FsResult<vhost_user::Fd> FuseWorker::make_or_open(const InHeader& header, const NodeTable::Pin& parent,
                                                  const char* name, const fuse::CreateIn& arguments) {
    const int flags = host_open_flags(arguments.flags & ~fuse::open_flag::kTruncate) | O_NOFOLLOW;
    vhost_user::Fd made;
    {
        const auto acting = act_as(header);
        if (!acting) return std::unexpected(acting.error());
        const CreationMask mask(agreed(fuse::init_flag::kDontMask), arguments.umask);
        made = open_descriptor([&] {
            return ::openat(parent.fd(), name, flags | O_CREAT | O_EXCL, arguments.mode & kPermissionBits);
        });
    }
    if (made) {
        if (const int error = label(made.get()); error != 0) {
            ::unlinkat(parent.fd(), name, 0);
            return std::unexpected(static_cast<Errno>(error));
        }
        return made;
    }
    if (errno != EEXIST || (arguments.flags & fuse::open_flag::kExclusive) != 0) {
        return std::unexpected(static_cast<Errno>(errno));
    }
    // It may be anything that was put there, so that it is looked at before it is opened.
    vhost_user::Fd there =
        open_descriptor([&] { return ::openat(parent.fd(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC); });
    struct stat status;
    if (!there || ::fstat(there.get(), &status) != 0) return std::unexpected(static_cast<Errno>(errno));
    if (S_ISLNK(status.st_mode)) return std::unexpected(Errno::kELOOP);
    if (S_ISDIR(status.st_mode)) return std::unexpected(Errno::kEISDIR);
    if (!S_ISREG(status.st_mode)) return std::unexpected(Errno::kEEXIST);
    const WithoutSetIdCapability kill((arguments.open_flags & fuse::kOpenKillSuidGid) != 0);
    vhost_user::Fd file = reopen(there.get(), host_open_flags(arguments.flags));
    if (!file) return std::unexpected(static_cast<Errno>(errno));
    return file;
}

FsResult<vhost_user::Fd> FuseWorker::create_file(const InHeader& header, const NodeTable::Pin& parent,
                                                 const char* name, const fuse::CreateIn& arguments) {
    auto file = make_or_open(header, parent, name, arguments);
    // It was there, and then was not.
    for (int again = kAttempts; !file && file.error() == Errno::kENOENT && again != 0; --again)
        file = make_or_open(header, parent, name, arguments);
    return file;
}

void FuseWorker::answer_created(const NodeTable::Pin& parent, vhost_user::Fd file, std::uint32_t flags,
                                const Reply& reply) {
    file = to_keep(std::move(file));
    if (!file) return reply.finish(errno);
    const auto entry = enter_open(parent, file.get());
    if (!entry) return reply.fail(entry.error());
    reply.succeed(fuse::CreateOut{.entry = *entry,
                                  .open = open_reply(std::move(file), host_open_flags(flags), entry->node)});
}

void FuseWorker::create(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::CreateIn>();
    const auto name = in ? arguments.name() : std::nullopt;
    if (!name) return reply.fail(Errno::kEINVAL);
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    auto file = create_file(header, *parent, name->c_str(), *in);
    if (!file) return reply.fail(file.error());
    answer_created(*parent, std::move(*file), in->flags, reply);
}

void FuseWorker::tmpfile(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::CreateIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    const auto parent = pin(header.node);
    if (!parent) return reply.fail(parent.error());
    const int exclusive = (in->flags & fuse::open_flag::kExclusive) != 0 ? O_EXCL : 0;  // never to be linked
    vhost_user::Fd file;
    {
        const auto acting = act_as(header);
        if (!acting) return reply.fail(acting.error());
        const CreationMask mask(agreed(fuse::init_flag::kDontMask), in->umask);
        file = open_descriptor([&] {
            return ::openat(parent->fd(), ".", host_open_flags(in->flags) | O_TMPFILE | exclusive,
                            in->mode & kPermissionBits);
        });
    }
    if (!file) return reply.finish(errno);
    if (const int error = label(file.get()); error != 0) return reply.finish(error);
    answer_created(*parent, std::move(file), in->flags, reply);
}

}  // namespace host
