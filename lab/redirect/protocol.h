// What redirected programs and the server say to each other, one call of lab/transport per message: a fixed
// head, then a payload (names in UTF-16, file data, information structures in NT's own layouts). Must never
// know: how it is carried. Neither side trusts the other's lengths and numbers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lab::redirect {

// File data in one message at most; longer reads and writes are several.
inline constexpr std::uint32_t kChunkBytes = 1024 * 1024;

enum class Operation : std::uint32_t {
    kHello = 1,     // first of a connection: process_id
    kCreate,        // payload: name. Reply: handle, tag
    kHandleClosed,  // a handle of `open` was closed in some process
    kRead,          // length, offset. Reply payload: data
    kWrite,         // offset; payload: data
    kFlush,
    kQueryInformation,  // code: class, length. Reply payload: the buffer
    kSetInformation,    // code: class; payload: the buffer
    kQueryVolume,
    kSetVolume,
    kQueryDirectory,  // code: class, flags; payload: pattern. Reply payload: the buffer
    kFsControl,       // code; payload: input. Reply payload: output
    kRename,          // related: root, flags; payload: new name
    kPathOf,          // Reply payload: path in the volume
    kQueryByName,     // code: class; payload: name. Reply payload: the information
    kDeleteByName,    // payload: name
};

namespace request_flag {
inline constexpr std::uint32_t kHasOffset = 1;
inline constexpr std::uint32_t kHasEa = 2;
inline constexpr std::uint32_t kRestartScan = 4;
inline constexpr std::uint32_t kSingleEntry = 8;
inline constexpr std::uint32_t kHasPattern = 16;
inline constexpr std::uint32_t kExtended = 32;  // kRename: FileRenameInformationEx
inline constexpr std::uint32_t kReplace = 64;   // kRename: ReplaceIfExists
}  // namespace request_flag

struct RequestHead {
    Operation operation{};
    std::uint32_t flags = 0;
    std::uint64_t open = 0;     // the subject: number of an open, see tag.h
    std::uint64_t related = 0;  // number of a second open, 0: none
    std::uint64_t offset = 0;   // bytes
    std::uint32_t code = 0;     // information class or control code
    std::uint32_t length = 0;   // bytes wanted in the reply
    // kCreate
    std::uint32_t desired_access = 0;
    std::uint32_t attributes = 0;
    std::uint32_t share_access = 0;
    std::uint32_t disposition = 0;
    std::uint32_t options = 0;
    std::uint32_t handle_attributes = 0;  // OBJ_INHERIT
    std::uint64_t allocation_size = 0;
    // kHello
    std::uint32_t process_id = 0;
    // kRename
    std::uint32_t rename_flags = 0;
};
static_assert(sizeof(RequestHead) == 80);

struct ReplyHead {
    std::uint32_t status = 0;  // NTSTATUS
    std::uint32_t reserved = 0;
    std::uint64_t information = 0;
    std::uint64_t tag = 0;     // kCreate
    std::uint64_t handle = 0;  // kCreate: valid in the client's process
};
static_assert(sizeof(ReplyHead) == 32);

}  // namespace lab::redirect
