#include "host/fs/reply.h"

#include <algorithm>
#include <cstring>

namespace host {
namespace {

// Puts bytes behind one another into an exchange's reply.
class Writer {
  public:
    explicit Writer(std::span<const iovec> pieces) : pieces_(pieces) {}

    void append(std::span<const std::byte> bytes) {
        while (!bytes.empty() && !pieces_.empty()) {
            const std::size_t count = std::min(pieces_.front().iov_len - used_, bytes.size());
            std::memcpy(static_cast<std::byte*>(pieces_.front().iov_base) + used_, bytes.data(), count);
            bytes = bytes.subspan(count);
            used_ += count;
            if (used_ == pieces_.front().iov_len) {
                pieces_ = pieces_.subspan(1);
                used_ = 0;
            }
        }
    }

  private:
    std::span<const iovec> pieces_;
    std::size_t used_ = 0;  // of the first piece
};

}  // namespace

void Reply::write(std::int32_t error, std::initializer_list<std::span<const std::byte>> body,
                  std::size_t in_place) const {
    std::size_t length = sizeof(fuse::OutHeader) + in_place;
    for (const auto part : body)
        length += part.size();
    const fuse::OutHeader header{
        .len = static_cast<std::uint32_t>(length), .error = error, .unique = unique_};
    if (exchange_.reply_bytes < sizeof header) {
        exchange_.finish(0);
        return;
    }
    Writer writer(exchange_.reply);
    writer.append(std::as_bytes(std::span(&header, 1)));
    for (const auto part : body)
        writer.append(part);
    exchange_.finish(header.len);
}

void Reply::fail(fuse::Errno error) const {
    write(-static_cast<std::int32_t>(error), {}, 0);
}

void Reply::succeed(std::initializer_list<std::span<const std::byte>> body) const {
    std::size_t length = 0;
    for (const auto part : body)
        length += part.size();
    if (length > room()) {
        fail(fuse::Errno::kEINVAL);
    } else {
        write(0, body, 0);
    }
}

void Reply::succeed_in_place(std::size_t body_bytes) const {
    write(0, {}, body_bytes);
}

}  // namespace host
