// A FUSE request as this side reads it: copied out of the guest's memory once, then taken apart with every
// length checked. Must never know: what is done with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "fuse/protocol.h"
#include "fuse/request.h"
#include "host/exchange.h"
#include "host/fs/c_string.h"

namespace host {

// What is left of a request's arguments.
class Arguments {
  public:
    explicit Arguments(std::span<const std::byte> bytes) : rest_(bytes) {}

    // The next fixed part; nullopt if the request ends before.
    template <typename T>
    std::optional<T> fixed() {
        static_assert(std::is_trivially_copyable_v<T>);
        if (rest_.size() < sizeof(T)) return std::nullopt;
        T value;
        std::memcpy(&value, rest_.data(), sizeof(T));
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }

    // The next string and its NUL.
    std::optional<CString> string() {
        const void* const end = rest_.empty() ? nullptr : std::memchr(rest_.data(), 0, rest_.size());
        if (end == nullptr) return std::nullopt;
        const auto length = static_cast<std::size_t>(static_cast<const std::byte*>(end) - rest_.data());
        const CString text(std::string_view(reinterpret_cast<const char*>(rest_.data()), length));
        rest_ = rest_.subspan(length + 1);
        return text;
    }

    // The next string if it can name a directory's entry: "." and ".." cannot.
    std::optional<CString> name() {
        const auto text = string();
        if (!text || !fuse::is_component(text->view()) || text->view() == "." || text->view() == "..") {
            return std::nullopt;
        }
        return text;
    }

    std::optional<std::span<const std::byte>> bytes(std::size_t count) {
        if (rest_.size() < count) return std::nullopt;
        const auto result = rest_.first(count);
        rest_ = rest_.subspan(count);
        return result;
    }

    std::span<const std::byte> rest() const { return rest_; }

  private:
    std::span<const std::byte> rest_;
};

// A worker's room for one request at a time.
class RequestBuffer {
  public:
    // Longest request that is copied whole; of a WRITE only the fixed part is.
    static constexpr std::size_t kMaxBytes = std::size_t{160} << 10;
    static constexpr std::size_t kWriteBytes = sizeof(fuse::InHeader) + sizeof(fuse::WriteIn);

    RequestBuffer() : bytes_(kMaxBytes) {}

    // Reads the next request; false if it is none: too short, too long, or its header speaks of more than
    // there is.
    bool load(const Exchange& exchange);

    const fuse::InHeader& header() const { return header_; }
    // Behind the header, without extensions.
    Arguments arguments() const { return Arguments(arguments_); }
    // What a new file is to be labelled with; empty if nothing.
    struct SecurityContext {
        CString name;  // of an extended attribute
        std::span<const std::byte> value;
    };
    std::span<const SecurityContext> security_contexts() const { return security_contexts_; }

    // The group that the guest's user is also in and the new file's directory belongs to.
    std::optional<std::uint32_t> further_group() const { return further_group_; }

  private:
    bool read_extensions(std::span<const std::byte> extensions);
    bool read_security_contexts(Arguments contexts, std::uint32_t count);

    std::vector<std::byte> bytes_;
    fuse::InHeader header_;
    std::span<const std::byte> arguments_;
    std::vector<SecurityContext> security_contexts_;
    std::optional<std::uint32_t> further_group_;
};

// The parts of `pieces` from byte `skip` on, at most `limit` bytes, written into `room`; how many parts.
// Parts for which there is no room are left out.
std::size_t slice(std::span<const iovec> pieces, std::size_t skip, std::size_t limit, std::span<iovec> room);

}  // namespace host
