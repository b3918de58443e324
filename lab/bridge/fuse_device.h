// A FUSE mount of the local kernel: its device and its mount point.
// Must never know: what serves it, what its messages mean.
#pragma once

#include <expected>
#include <string>

#include "vhost_user/fd.h"

namespace lab {

// A mounted file system whose requests are read from descriptors. Once all of them are closed the mount is
// aborted: whoever uses it gets ENOTCONN. The destructor detaches the mount.
class FuseDevice {
  public:
    // Mounts at an existing directory, for all users, permissions checked by the kernel as in a virtiofs
    // guest. `max_read` is the longest read in bytes. Needs root.
    static std::expected<FuseDevice, std::string> mount(const std::string& mountpoint, std::size_t max_read);
    FuseDevice(FuseDevice&& other) noexcept;
    FuseDevice& operator=(FuseDevice&&) = delete;
    ~FuseDevice();

    // A descriptor for one reader; an answer has to be written to the one that its request was read from.
    std::expected<vhost_user::Fd, std::string> open_channel() const;
    // Drops the descriptor that open_channel() needs: the readers' are all that is left.
    void close() { device_.reset(); }

    // Writes back and unmounts. An error if the mount is in use. Blocks for as long as requests are not
    // answered.
    std::expected<void, std::string> unmount();
    // Takes the mount out of the name space; it ends with its last user.
    void detach();
    // Somebody else has unmounted it.
    void forget_mountpoint() { mountpoint_.clear(); }

  private:
    FuseDevice(vhost_user::Fd device, std::string mountpoint)
        : device_(std::move(device)), mountpoint_(std::move(mountpoint)) {}

    vhost_user::Fd device_;
    std::string mountpoint_;  // empty once unmounted
};

}  // namespace lab
