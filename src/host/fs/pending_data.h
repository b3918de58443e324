// A read or write that waits for a disk. Must never know: which request it belongs to, beyond its reply.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <vector>

#include "host/async_io.h"
#include "host/fs/open_files.h"
#include "host/fs/reply.h"

namespace host {

class FuseWorker;

// Belongs to a worker, which uses it again for others.
class PendingData final : public AsyncOperation {
  public:
    enum class Direction : std::uint8_t { kRead, kWrite };

    explicit PendingData(FuseWorker& worker) : worker_(worker) {}

    // Takes over a transfer of `want` bytes of which `done` are done already.
    void begin(Direction direction, std::shared_ptr<OpenFile> file, const Reply& reply,
               std::span<const iovec> pieces, std::uint64_t offset, std::size_t want, std::size_t done);
    void completed(std::int32_t result) noexcept override;

  private:
    void go_on() noexcept;
    // Does the rest now, without the ring.
    void wait_for_rest() noexcept;
    void end(int error) noexcept;

    FuseWorker& worker_;
    Direction direction_{};
    std::shared_ptr<OpenFile> file_;
    std::optional<Reply> reply_;
    std::vector<iovec> pieces_;  // of the whole transfer
    std::vector<iovec> rest_;    // of what is in flight
    std::uint64_t offset_ = 0;
    std::size_t want_ = 0;
    std::size_t done_ = 0;
};

}  // namespace host
