// What a process knows of one of its handles, in 64 bits, so that a look-up is one load. The same bits
// (without those that are a process's own) are in the name of the event that stands in for an open file,
// where a child process or a receiver of a duplicate finds them. Must never know: NT calls, the transport.
#pragma once

#include <cstdint>

namespace lab::redirect {

enum class Kind : std::uint64_t {
    kUnknown = 0,  // not looked at yet
    kForeign = 1,  // nothing of ours
    kFile = 2,     // an open file of a volume: number is the server's
    kDevice = 3,   // an open device: known to lab/redirect/device.h
    kSection = 4,  // a section over a file of a volume: number is an index of sections.cc
};

class Tag {
  public:
    constexpr Tag() = default;
    constexpr explicit Tag(std::uint64_t bits) : bits_(bits) {}
    static constexpr Tag of(Kind kind) { return Tag(static_cast<std::uint64_t>(kind)); }
    static constexpr Tag file(unsigned mount, std::uint64_t number, bool synchronous) {
        return Tag(static_cast<std::uint64_t>(Kind::kFile) | (synchronous ? kSynchronous : 0) |
                   std::uint64_t{mount & 0xFF} << 8 | number << 16);
    }
    static constexpr Tag section(std::uint64_t number) {
        return Tag(static_cast<std::uint64_t>(Kind::kSection) | number << 16);
    }

    constexpr Kind kind() const { return static_cast<Kind>(bits_ & 7); }
    constexpr bool is_file() const { return kind() == Kind::kFile; }
    // Opened with FILE_SYNCHRONOUS_IO_*: has a current position.
    constexpr bool synchronous() const { return bits_ & kSynchronous; }
    // A completion port is associated in this process.
    constexpr bool has_port() const { return bits_ & kHasPort; }
    constexpr Tag with_port() const { return Tag(bits_ | kHasPort); }
    constexpr unsigned mount() const { return (bits_ >> 8) & 0xFF; }
    constexpr std::uint64_t number() const { return bits_ >> 16; }
    constexpr std::uint64_t bits() const { return bits_; }
    // Without what is known in one process only.
    constexpr Tag shared() const { return Tag(bits_ & ~kHasPort); }

  private:
    static constexpr std::uint64_t kSynchronous = 8;
    static constexpr std::uint64_t kHasPort = 16;
    std::uint64_t bits_ = 0;
};

inline constexpr std::uint64_t kMaxOpenNumber = (std::uint64_t{1} << 48) - 1;

}  // namespace lab::redirect
