// A volume mounted through WinFsp as a drive or a directory: from FUSE_INIT to the mount point, and back.
// Must never know: where devices come from, how the program was started.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "guest/service/options.h"
#include "guest/volume/channel.h"

namespace guest::service {

enum class MountProblem {
    kHost,        // the device is there, but what answers behind it is no usable FUSE server
    kMountPoint,  // taken
    kWinFsp,      // anything WinFsp refused
    kSystem,      // Windows refused what cannot be done without
};

struct MountError {
    MountProblem problem = MountProblem::kWinFsp;
    std::string message;  // a sentence for the user
};

// Whether the settings' mount point is free and WinFsp ready to serve it, before there is anything to mount.
std::expected<void, MountError> check_mount_point(const Settings& settings);

class Mount {
  public:
    // The channel outlives the mount. `on_stopped` is called, on a thread of WinFsp's, when WinFsp's driver
    // ends the file system by itself.
    static std::expected<std::unique_ptr<Mount>, MountError> make(Channel& channel, std::u16string_view tag,
                                                                  const Settings& settings,
                                                                  std::function<void()> on_stopped);
    // end(), if that was not called.
    ~Mount();

    // Takes the mount point away; requests in flight are failed, not waited for. The mount is of no use
    // afterwards.
    void end();

    // Asks the host for something small without waiting: if it is gone the channel will notice. One question
    // at a time.
    void ask_for_sign_of_life();

    // Where it is: "Z:" or a directory.
    std::u16string mount_point() const;

  private:
    class Impl;
    explicit Mount(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace guest::service
