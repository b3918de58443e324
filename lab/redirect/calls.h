// One call of this process to the server of an emulated volume: connects on first use, lends the memory in
// which the request is built. Must never know: what the calls mean.
#pragma once

#include <span>

#include "lab/redirect/mounts.h"
#include "lab/redirect/protocol.h"
#include "lab/transport/client.h"

namespace lab::redirect {

// Before anything else here; `mounts` stays.
void start_calls(MountTable* mounts);
const MountTable& mounts();

// Has the volume's server look for files that nobody holds any more, before it answers anything else. Neither
// waits nor takes locks.
void note_process_end(unsigned mount);

// The calling thread is about to end the process: waits until no other thread is within a call; from now on
// they stop where they would start one. Without it, threads that are ended within a call would leave files
// open and keep slots that others wait for.
void stop_other_threads_calls();

// A request being built and its reply. Short-lived, for one thread; holds a slot of the shared memory
// meanwhile.
class ServerCall {
  public:
    ServerCall(unsigned mount, Operation operation, std::uint64_t open = 0);
    ~ServerCall();
    ServerCall(const ServerCall&) = delete;
    ServerCall& operator=(const ServerCall&) = delete;

    RequestHead& request() { return request_; }
    // Room for the request's payload: transport::kPayloadBytes; empty without a server.
    std::span<std::byte> payload() { return connected_ ? lease_.payload() : std::span<std::byte>(); }

    // Sends the request with that many bytes of payload. Returns the reply's status, or
    // STATUS_VOLUME_DISMOUNTED without a server.
    NTSTATUS exchange(std::size_t payload_bytes = 0);
    const ReplyHead& reply() const { return reply_; }
    // In the shared memory until the next exchange.
    std::span<const std::byte> reply_payload() const { return reply_payload_; }

  private:
    unsigned mount_;
    bool locked_ = false;
    bool connected_ = false;
    RequestHead request_;
    ReplyHead reply_;
    std::span<const std::byte> reply_payload_;
    transport::Lease lease_;
};

}  // namespace lab::redirect
