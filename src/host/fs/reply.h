// Writing replies into the guest's memory. Must never know: what was asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <type_traits>

#include "fuse/protocol.h"
#include "host/exchange.h"

namespace host {

// The one reply to an exchange that has one. Each function finishes the exchange; one is called, once.
class Reply {
  public:
    Reply(Exchange& exchange, std::uint64_t unique) : exchange_(exchange), unique_(unique) {}

    Exchange& exchange() const { return exchange_; }
    std::uint64_t unique() const { return unique_; }
    // Room for a body.
    std::size_t room() const {
        return exchange_.reply_bytes < sizeof(fuse::OutHeader)
                   ? 0
                   : exchange_.reply_bytes - sizeof(fuse::OutHeader);
    }

    void fail(fuse::Errno error) const;
    void succeed() const { succeed(std::initializer_list<std::span<const std::byte>>{}); }
    // With a body of those parts; kEINVAL if the guest's room is too small.
    void succeed(std::initializer_list<std::span<const std::byte>> body) const;
    template <typename T>
    requires std::is_trivially_copyable_v<T>
    void succeed(const T& body) const { succeed({std::as_bytes(std::span(&body, 1))}); }
    // With a body of that many bytes that are already there.
    void succeed_in_place(std::size_t body_bytes) const;
    // 0, or an errno as system calls leave it.
    void finish(int error) const { error == 0 ? succeed() : fail(static_cast<fuse::Errno>(error)); }

  private:
    void write(std::int32_t error, std::initializer_list<std::span<const std::byte>> body,
               std::size_t in_place) const;

    Exchange& exchange_;
    std::uint64_t unique_;
};

}  // namespace host
