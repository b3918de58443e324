#include "host/fs/credentials.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace host {
namespace {

constexpr std::uint32_t kNobody = UINT32_MAX;  // an id that the kernel takes for "ask only"

struct Capabilities {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};  // this thread
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

    bool get() { return ::syscall(SYS_capget, &header, data) == 0; }
    bool set() { return ::syscall(SYS_capset, &header, data) == 0; }
    bool effective(unsigned capability) const {
        return (data[capability / 32].effective & 1U << capability % 32) != 0;
    }
    void set_effective(unsigned capability, bool on) {
        const std::uint32_t bit = 1U << capability % 32;
        std::uint32_t& word = data[capability / 32].effective;
        word = on ? word | bit : word & ~bit;
    }
};

}  // namespace

Credentials::Credentials() : own_uid_(::geteuid()), own_gid_(::getegid()), uid_(own_uid_), gid_(own_gid_) {
    Capabilities capabilities;
    can_change_ =
        capabilities.get() && capabilities.effective(CAP_SETUID) && capabilities.effective(CAP_SETGID);
}

std::expected<ActingAs, fuse::Errno> ActingAs::begin(Credentials& credentials, std::uint32_t uid,
                                                     std::uint32_t gid,
                                                     std::optional<std::uint32_t> further_group) {
    ActingAs acting(credentials);  // which undoes what was done, should it fail in the middle
    if (const auto become = credentials.become(uid, gid, further_group); !become) {
        return std::unexpected(become.error());
    }
    return acting;
}

std::expected<void, fuse::Errno> Credentials::become(std::uint32_t uid, std::uint32_t gid,
                                                     std::optional<std::uint32_t> further_group) {
    if (!can_change_) return {};
    if (further_group != further_group_) {
        // The library's function would change all threads.
        const gid_t groups[] = {further_group.value_or(0)};
        if (::syscall(SYS_setgroups, further_group ? 1 : 0, groups) != 0)
            return std::unexpected(fuse::Errno::kEPERM);
        further_group_ = further_group;
    }
    if (gid != gid_) {
        ::setfsgid(gid);
        if (static_cast<std::uint32_t>(::setfsgid(kNobody)) != gid)
            return std::unexpected(fuse::Errno::kEPERM);
        gid_ = gid;
    }
    if (uid != uid_) {
        ::setfsuid(uid);
        if (static_cast<std::uint32_t>(::setfsuid(kNobody)) != uid)
            return std::unexpected(fuse::Errno::kEPERM);
        uid_ = uid;
    }
    return {};
}

WithoutSetIdCapability::WithoutSetIdCapability(bool wanted) {
    if (!wanted) return;
    Capabilities capabilities;
    if (!capabilities.get() || !capabilities.effective(CAP_FSETID)) return;
    capabilities.set_effective(CAP_FSETID, false);
    dropped_ = capabilities.set();
}

WithoutSetIdCapability::~WithoutSetIdCapability() {
    if (!dropped_) return;
    Capabilities capabilities;
    if (!capabilities.get()) return;
    capabilities.set_effective(CAP_FSETID, true);
    capabilities.set();
}

ScopedUmask::ScopedUmask(mode_t mask) : before_(::umask(mask)) {}

ScopedUmask::~ScopedUmask() {
    ::umask(before_);
}

}  // namespace host
