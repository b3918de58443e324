// The one place where a host's errno becomes an NTSTATUS, and the error type of everything that asks the
// host. Must never know: which operation failed, beyond what the caller says of it.
#pragma once

#include <expected>

#include "fuse/errno.h"
#include "fuse/reply.h"
#include "guest/volume/channel.h"
#include "nt/status.h"

namespace guest {

// The status of a host's errno. Names not found are taken for the last component of a path (see path_status).
nt::Status status_of(fuse::Errno error);

// kDeviceRemoved for a lost channel, kCancelled, and kDeviceProtocolError for a message the transport
// refused.
nt::Status status_of(ChannelError error);

// What a failure of a component before the last one means: not found there is kObjectPathNotFound.
nt::Status path_status(nt::Status status);

// Why a request brought nothing: the host's errno, or none and a status for everything before it.
class Failure {
  public:
    explicit Failure(fuse::Errno error) : error_(error), status_(status_of(error)) {}
    explicit Failure(ChannelError error) : status_(status_of(error)) {}
    explicit Failure(fuse::ParseError) : status_(nt::Status::kDeviceProtocolError) {}
    explicit Failure(nt::Status status) : status_(status) {}

    fuse::Errno error() const { return error_; }  // kNone: the host did not answer with one
    nt::Status status() const { return status_; }
    bool is(fuse::Errno error) const { return error_ == error; }
    // The host no longer knows what it was asked about.
    bool is_gone() const { return is(fuse::Errno::kENOENT) || is(fuse::Errno::kESTALE); }
    // The host, or the file system behind it, does not have the operation.
    bool is_unsupported() const {
        return is(fuse::Errno::kENOSYS) || is(fuse::Errno::kENOTSUP) || is(fuse::Errno::kEINVAL);
    }

    // The same, of a component before the last one.
    Failure on_the_way() const {
        Failure failure = *this;
        failure.status_ = path_status(status_);
        return failure;
    }

  private:
    fuse::Errno error_ = fuse::Errno::kNone;
    nt::Status status_;
};

template <typename T>
using HostResult = std::expected<T, Failure>;

inline std::unexpected<nt::Status> fail(const Failure& failure) {
    return std::unexpected(failure.status());
}

}  // namespace guest
