// The system under test as the behaviour cases see it: NT's file calls on one volume, nothing else.
// Must never know: which cases run on it. Implemented over lab/fsd natively and over ntdll in a Windows
// program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "nt/file.h"
#include "nt/status.h"

namespace behaviour {

// What a system offers beyond the calls, as bits. A case that needs what a system lacks is not run on it.
enum class Offers : std::uint32_t {
    kNothing = 0,
    kHost = 1,              // the host's directory is visible to this process
    kClock = 2,             // files carry the times of now(), directories those of their last new entry
    kHostNames = 4,         // names end up as a host's names: UTF-8 of at most 255 bytes
    kLargeFiles = 16,       // files beyond 4 GiB, sparse ones at least
    kAttributeRights = 32,  // handles need the rights to read and write attributes (not for programs of Wine)
    kMetadata = 8,          // every attribute and the creation time can be stored
};

constexpr Offers operator|(Offers a, Offers b) {
    return static_cast<Offers>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool includes(Offers all, Offers wanted) {
    return (static_cast<std::uint32_t>(all) & static_cast<std::uint32_t>(wanted)) ==
           static_cast<std::uint32_t>(wanted);
}

// One open handle. 0 is none.
enum class Handle : std::uint64_t { kNone = 0 };

// What a program finds in its IO_STATUS_BLOCK; `status` is the call's own answer.
struct Io {
    nt::Status status = nt::Status::kSuccess;
    std::uint64_t information = 0;
};

// NtCreateFile's arguments.
struct CreateCall {
    std::u16string name;  // "\dir\file" absolute in the volume ("" = the volume), or relative to `related`
    Handle related = Handle::kNone;
    std::uint32_t access = 0;  // nt::access bits, generic ones allowed
    std::uint32_t share = 0;   // nt::share bits
    nt::Disposition disposition = nt::Disposition::kOpen;
    std::uint32_t options = 0;          // nt::create_option bits
    std::uint32_t attributes = 0;       // nt::file_attribute bits
    std::uint64_t allocation_size = 0;  // bytes
    bool with_ea = false;               // pass a well-formed list of one extended attribute
};

struct CreateAnswer {
    Io io;
    Handle handle = Handle::kNone;
};

// FileRenameInformation's arguments, or FileRenameInformationEx's if `extended`.
struct RenameCall {
    std::u16string target;  // a bare name (same directory), "\absolute\in\the\volume", or relative to `root`
    Handle root = Handle::kNone;
    bool replace = false;
    bool extended = false;
    std::uint32_t flags = 0;  // FILE_RENAME_* when extended
};

struct DirectoryCall {
    std::uint32_t information_class = 0;
    std::optional<std::u16string> pattern{};
    bool restart = false;
    bool single_entry = false;
};

// Every call waits for its result. Buffers have NT's own layouts.
class System {
  public:
    virtual ~System() = default;

    virtual Offers offers() const = 0;
    // Where cases may make their directories: "\dir" in the volume, or "" for the volume's root. Exists.
    virtual std::u16string test_root() const = 0;
    // The same directory as the host sees it, where this process can look at it.
    virtual std::optional<std::filesystem::path> host_root() const = 0;
    virtual nt::FileTime now() const = 0;

    virtual CreateAnswer create(const CreateCall& call) = 0;
    virtual nt::Status close(Handle handle) = 0;
    // nullopt: the handle's current position.
    virtual Io read(Handle handle, std::span<std::byte> buffer, std::optional<std::uint64_t> offset) = 0;
    virtual Io write(Handle handle, std::span<const std::byte> data, std::optional<std::uint64_t> offset) = 0;
    virtual Io flush(Handle handle) = 0;
    virtual Io query_information(Handle handle, std::uint32_t information_class,
                                 std::span<std::byte> buffer) = 0;
    virtual Io set_information(Handle handle, std::uint32_t information_class,
                               std::span<const std::byte> buffer) = 0;
    virtual Io rename(Handle handle, const RenameCall& call) = 0;
    virtual Io query_directory(Handle handle, const DirectoryCall& call, std::span<std::byte> buffer) = 0;
    virtual Io query_volume_information(Handle handle, std::uint32_t information_class,
                                        std::span<std::byte> buffer) = 0;
    virtual Io fs_control(Handle handle, std::uint32_t code, std::span<const std::byte> in,
                          std::span<std::byte> out) = 0;
};

}  // namespace behaviour
