// Extended attributes, their names by the map.
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "host/fs/fuse_worker.h"

namespace host {

using fuse::Errno;

namespace {

constexpr std::size_t kMaxValueBytes = 65536;  // XATTR_SIZE_MAX, and of a list XATTR_LIST_MAX
constexpr std::string_view kAccessAcl = "system.posix_acl_access";
constexpr std::string_view kDefaultAcl = "system.posix_acl_default";

bool is_acl(std::string_view name) {
    return name == kAccessAcl || name == kDefaultAcl;
}

// What an errno of the host's file system means to a guest.
int answered(int error) {
    return error == EOPNOTSUPP ? static_cast<int>(Errno::kENOTSUP) : error;
}

}  // namespace

// A name on the host. ACLs are looked after by the guest's kernel only if that was agreed on.
FsResult<std::string> FuseWorker::host_xattr_name(std::string_view guest_name) const {
    if (!options_.xattr) return std::unexpected(Errno::kENOSYS);
    if (is_acl(guest_name) && !agreed(fuse::init_flag::kPosixAcl)) return std::unexpected(Errno::kENOTSUP);
    return options_.xattr_map.to_host(guest_name);
}

// The thread's working directory is /proc/self/fd: these system calls take no directory, and no O_PATH
// descriptor.
void FuseWorker::setxattr(const InHeader& header, Arguments arguments, const Reply& reply) {
    fuse::SetXattrIn in;
    if (agreed(fuse::init_flag::kSetXattrExt)) {
        const auto whole = arguments.fixed<fuse::SetXattrIn>();
        if (!whole) return reply.fail(Errno::kEINVAL);
        in = *whole;
    } else {
        const auto compat = arguments.fixed<fuse::SetXattrCompatIn>();
        if (!compat) return reply.fail(Errno::kEINVAL);
        in.size = compat->size;
        in.flags = compat->flags;
    }
    const auto guest_name = arguments.string();
    const auto value = guest_name ? arguments.bytes(in.size) : std::nullopt;
    if (!value) return reply.fail(Errno::kEINVAL);
    const auto name = host_xattr_name(guest_name->view());
    if (!name) return reply.fail(name.error());
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    const bool kill =
        guest_name->view() == kAccessAcl && (in.setxattr_flags & fuse::kSetXattrAclKillSgid) != 0;
    std::optional<ActingAs> acting;
    if (kill) {  // the bit stays for members of the file's group
        auto begun = act_as(header);
        if (!begun) return reply.fail(begun.error());
        acting.emplace(std::move(*begun));
    }
    const WithoutSetIdCapability without(kill);
    const DescriptorPath path(node->fd());
    const int result =
        ::setxattr(path.c_str(), name->c_str(), value->data(), value->size(), static_cast<int>(in.flags));
    reply.finish(result == 0 ? 0 : answered(errno));
}

void FuseWorker::getxattr(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::GetXattrIn>();
    const auto guest_name = in ? arguments.string() : std::nullopt;
    if (!guest_name) return reply.fail(Errno::kEINVAL);
    const auto name = host_xattr_name(guest_name->view());
    // A name that the map forbids is one that no file has.
    if (!name) return reply.fail(name.error() == Errno::kEPERM ? Errno::kENODATA : name.error());
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    const DescriptorPath path(node->fd());
    scratch_.resize(std::min<std::size_t>(in->size, kMaxValueBytes));
    const ssize_t length = ::getxattr(path.c_str(), name->c_str(), scratch_.data(), scratch_.size());
    if (length < 0) return reply.finish(answered(errno));
    if (in->size == 0) return reply.succeed(fuse::GetXattrOut{.size = static_cast<std::uint32_t>(length)});
    reply.succeed({std::span<const std::byte>(scratch_).first(static_cast<std::size_t>(length))});
}

void FuseWorker::listxattr(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto in = arguments.fixed<fuse::GetXattrIn>();
    if (!in) return reply.fail(Errno::kEINVAL);
    if (!options_.xattr) return reply.fail(Errno::kENOSYS);
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    const DescriptorPath path(node->fd());
    scratch_.resize(kMaxValueBytes);
    const ssize_t length =
        ::listxattr(path.c_str(), reinterpret_cast<char*>(scratch_.data()), scratch_.size());
    if (length < 0) return reply.finish(answered(errno));
    std::string_view rest(reinterpret_cast<const char*>(scratch_.data()), static_cast<std::size_t>(length));
    std::string names;
    while (!rest.empty()) {
        const std::string_view name = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        if (is_acl(name) && !agreed(fuse::init_flag::kPosixAcl)) continue;
        const auto shown = options_.xattr_map.to_guest(name);
        if (shown) names.append(*shown).push_back('\0');
    }
    if (in->size == 0)
        return reply.succeed(fuse::GetXattrOut{.size = static_cast<std::uint32_t>(names.size())});
    if (names.size() > in->size) return reply.fail(Errno::kERANGE);
    reply.succeed({std::as_bytes(std::span(names))});
}

void FuseWorker::removexattr(const InHeader& header, Arguments arguments, const Reply& reply) {
    const auto guest_name = arguments.string();
    if (!guest_name) return reply.fail(Errno::kEINVAL);
    const auto name = host_xattr_name(guest_name->view());
    if (!name) return reply.fail(name.error());
    const auto node = pin(header.node);
    if (!node) return reply.fail(node.error());
    const DescriptorPath path(node->fd());
    reply.finish(::removexattr(path.c_str(), name->c_str()) == 0 ? 0 : answered(errno));
}

}  // namespace host
