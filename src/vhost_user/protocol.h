// The vhost-user wire format: requests, headers and payloads, for either side of the socket.
// Must never know: sockets. Source: QEMU, docs/interop/vhost-user.rst.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vhost_user {

// From front-end to back-end.
enum class Request : std::uint32_t {
    kGetFeatures = 1,
    kSetFeatures = 2,
    kSetOwner = 3,
    kResetOwner = 4,
    kSetMemTable = 5,
    kSetLogBase = 6,
    kSetLogFd = 7,
    kSetVringNum = 8,
    kSetVringAddr = 9,
    kSetVringBase = 10,
    kGetVringBase = 11,
    kSetVringKick = 12,
    kSetVringCall = 13,
    kSetVringErr = 14,
    kGetProtocolFeatures = 15,
    kSetProtocolFeatures = 16,
    kGetQueueNum = 17,
    kSetVringEnable = 18,
    kSetBackendReqFd = 21,
    kGetConfig = 24,
    kSetConfig = 25,
    kResetDevice = 34,
    kGetMaxMemSlots = 36,
    kAddMemReg = 37,
    kRemMemReg = 38,
    kSetStatus = 39,
    kGetStatus = 40,
};

struct Header {
    Request request{};
    std::uint32_t flags = 0;
    std::uint32_t size = 0;  // bytes of payload that follow
};
static_assert(sizeof(Header) == 12);

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kVersionMask = 3;
inline constexpr std::uint32_t kReplyFlag = 1U << 2;
inline constexpr std::uint32_t kNeedReplyFlag = 1U << 3;

inline constexpr std::size_t kMaxFds = 8;              // with one message
inline constexpr std::size_t kMaxPayloadBytes = 4096;  // of any message that this project sends or accepts

// Feature bit (beside virtio's own): the protocol features can be negotiated.
inline constexpr std::uint64_t kProtocolFeaturesBit = 1ULL << 30;

namespace protocol_feature {
inline constexpr std::uint64_t kMultiqueue = 1ULL << 0;
inline constexpr std::uint64_t kLogShmfd = 1ULL << 1;
inline constexpr std::uint64_t kReplyAck = 1ULL << 3;
inline constexpr std::uint64_t kBackendRequests = 1ULL << 5;
inline constexpr std::uint64_t kConfig = 1ULL << 9;
inline constexpr std::uint64_t kBackendSendFd = 1ULL << 10;
inline constexpr std::uint64_t kResetDevice = 1ULL << 13;
inline constexpr std::uint64_t kConfigureMemSlots = 1ULL << 15;
}  // namespace protocol_feature

struct MemoryRegion {
    std::uint64_t guest_address = 0;  // guest physical
    std::uint64_t bytes = 0;
    std::uint64_t user_address = 0;  // in the front-end's own address space
    std::uint64_t file_offset = 0;   // in the descriptor that comes with the message
};
static_assert(sizeof(MemoryRegion) == 32);

inline constexpr std::size_t kMaxRegions = 8;

struct MemoryTable {
    std::uint32_t count = 0;
    std::uint32_t padding = 0;
    MemoryRegion regions[kMaxRegions];  // the first `count` travel
};
static_assert(sizeof(MemoryTable) == 8 + 32 * kMaxRegions);

// ADD_MEM_REG and REM_MEM_REG.
struct SingleMemoryRegion {
    std::uint64_t padding = 0;
    MemoryRegion region;
};
static_assert(sizeof(SingleMemoryRegion) == 40);

struct VringState {
    std::uint32_t index = 0;
    std::uint32_t value = 0;
};
static_assert(sizeof(VringState) == 8);

// User addresses: of the front-end's address space, inside a MemoryRegion.
struct VringAddress {
    std::uint32_t index = 0;
    std::uint32_t flags = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t used = 0;
    std::uint64_t available = 0;
    std::uint64_t log = 0;
};
static_assert(sizeof(VringAddress) == 40);

// Payload of the messages that carry a ring's eventfd.
inline constexpr std::uint64_t kVringIndexMask = 0xff;
inline constexpr std::uint64_t kVringNoFd = 1ULL << 8;

// GET_CONFIG and SET_CONFIG: followed by `bytes` of configuration space.
struct ConfigHeader {
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
    std::uint32_t flags = 0;
};
static_assert(sizeof(ConfigHeader) == 12);
inline constexpr std::size_t kMaxConfigBytes = 256;

}  // namespace vhost_user
