#include "lab/bridge/fuse_device.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace lab {
namespace {

constexpr char kDevice[] = "/dev/fuse";

std::unexpected<std::string> fail(const std::string& what) {
    return std::unexpected(what + ": " + std::strerror(errno));
}

}  // namespace

std::expected<FuseDevice, std::string> FuseDevice::mount(const std::string& mountpoint,
                                                         std::size_t max_read) {
    struct stat found;
    if (::stat(mountpoint.c_str(), &found) != 0) return fail("cannot mount on " + mountpoint);
    if (!S_ISDIR(found.st_mode))
        return std::unexpected("cannot mount on " + mountpoint + ": not a directory");
    vhost_user::Fd device(::open(kDevice, O_RDWR | O_CLOEXEC));
    if (!device) return fail(std::string("cannot open ") + kDevice + " (is the kernel's fuse module there?)");
    const std::string options =
        "fd=" + std::to_string(device.get()) +
        ",rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read=" +
        std::to_string(max_read);
    // As any mount of a virtiofs guest: devices and set-user-id programs work.
    if (::mount("virtiofs-mount", mountpoint.c_str(), "fuse.virtiofs-mount", 0, options.c_str()) != 0) {
        return fail("cannot mount on " + mountpoint + " (it needs root)");
    }
    return FuseDevice(std::move(device), mountpoint);
}

FuseDevice::FuseDevice(FuseDevice&& other) noexcept
    : device_(std::move(other.device_)), mountpoint_(std::exchange(other.mountpoint_, {})) {}

FuseDevice::~FuseDevice() {
    detach();
}

std::expected<vhost_user::Fd, std::string> FuseDevice::open_channel() const {
    vhost_user::Fd channel(::open(kDevice, O_RDWR | O_CLOEXEC));
    std::uint32_t session = static_cast<std::uint32_t>(device_.get());
    if (!channel || ::ioctl(channel.get(), FUSE_DEV_IOC_CLONE, &session) != 0) {
        return fail(std::string("cannot open a channel of ") + kDevice);
    }
    return channel;
}

std::expected<void, std::string> FuseDevice::unmount() {
    if (mountpoint_.empty()) return {};
    if (::umount2(mountpoint_.c_str(), UMOUNT_NOFOLLOW) != 0) return fail("cannot unmount " + mountpoint_);
    mountpoint_.clear();
    return {};
}

void FuseDevice::detach() {
    if (!mountpoint_.empty()) ::umount2(mountpoint_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    mountpoint_.clear();
}

}  // namespace lab
