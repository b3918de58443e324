// A virtiofs daemon mounted locally, from the mount to its end, and a program that runs meanwhile.
// Must never know: how messages travel, where the daemon comes from.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "lab/bridge/carrier.h"
#include "lab/bridge/fuse_device.h"

namespace lab {

// Gives this thread, and what it starts, a mount name space of its own, which ends with its last process.
std::expected<void, std::string> leave_mount_namespace();

// Signals that end a mount: SIGINT and SIGTERM, and SIGCHLD for the program, as a descriptor. Blocked in this
// thread and in those it starts later.
vhost_user::Fd block_signals();

class LocalMount {
  public:
    // `signals` is block_signals()'. Returns when kernel and daemon have agreed at INIT.
    static std::expected<std::unique_ptr<LocalMount>, std::string> make(std::unique_ptr<Carrier> carrier,
                                                                        const std::string& mountpoint,
                                                                        vhost_user::Fd signals);
    // What is still mounted is aborted and detached.
    ~LocalMount();
    LocalMount(const LocalMount&) = delete;
    LocalMount& operator=(const LocalMount&) = delete;

    // Runs a program with its arguments and waits for it. Its exit code, 128 and the signal's number if one
    // killed it. If the daemon goes meanwhile the mount is aborted, and the program has a minute to end by
    // itself.
    std::expected<int, std::string> run(const std::vector<std::string>& command);
    // Waits until a signal asks for the end, somebody else unmounts, or the daemon goes.
    void wait();
    // Writes back and unmounts, within a minute.
    std::expected<void, std::string> unmount();

    // Why the mount was lost; empty if it was not.
    const std::string& loss() const { return loss_; }

  private:
    LocalMount(std::unique_ptr<Carrier> carrier, FuseDevice device, vhost_user::Fd signals)
        : carrier_(std::move(carrier)), device_(std::move(device)), signals_(std::move(signals)) {}

    // What ended a wait.
    enum class Event { kSignal, kLost, kUnmounted, kOther, kTimeout };
    Event next_event(int other, std::chrono::steady_clock::time_point deadline);
    void abort(const std::string& why);

    std::unique_ptr<Carrier> carrier_;
    FuseDevice device_;
    vhost_user::Fd signals_;
    std::string loss_;
    bool unmounted_ = false;
};

}  // namespace lab
