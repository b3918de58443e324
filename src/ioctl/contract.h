// The contract between the virtio-fs driver and the service: device interface, control codes, buffer layouts.
// The three codes are the ABI of the virtio-win driver that is already deployed; extensions get codes of
// their own. Must never know: windows.h, what a FUSE message says beyond its header, any file system.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ioctl {

// A GUID in Windows' memory layout (the first three fields are integers of the machine's byte order).
struct Guid {
    std::uint32_t data1;
    std::uint16_t data2;
    std::uint16_t data3;
    std::array<std::uint8_t, 8> data4;
    friend constexpr bool operator==(const Guid&, const Guid&) = default;
};
static_assert(sizeof(Guid) == 16);

// The device interface class that every virtio-fs device registers: {a1b0cbf2-f488-4b29-b89f-16c78e68c737}.
inline constexpr Guid kDeviceInterface = {
    0xa1b0cbf2, 0xf488, 0x4b29, {0xb8, 0x9f, 0x16, 0xc7, 0x8e, 0x68, 0xc7, 0x37}};
// The same as it stands in registry keys and device paths (which spell it in lower case, too).
inline constexpr char16_t kDeviceInterfaceText[] = u"{a1b0cbf2-f488-4b29-b89f-16c78e68c737}";

// CTL_CODE's fields ([MS-WDK] "Defining I/O Control Codes").
enum class Method : std::uint32_t { kBuffered = 0, kInDirect = 1, kOutDirect = 2, kNeither = 3 };
inline constexpr std::uint32_t kReadAccess = 1;   // FILE_READ_ACCESS: the handle needs FILE_READ_DATA
inline constexpr std::uint32_t kWriteAccess = 2;  // FILE_WRITE_ACCESS: the handle needs FILE_WRITE_DATA
inline constexpr std::uint32_t kFileDeviceUnknown = 0x22;

constexpr std::uint32_t control_code(std::uint32_t function, Method method, std::uint32_t access) {
    return kFileDeviceUnknown << 16 | access << 14 | function << 2 | static_cast<std::uint32_t>(method);
}
constexpr std::uint32_t access_of(std::uint32_t code) {
    return code >> 14 & 3;
}

// The device's tag.
//   in: nothing. out: the tag as UTF-16 units; Information is its length in bytes. Whether a terminating zero
//   is counted is not promised: the caller clears a buffer of kMaxVolumeNameBytes beforehand and stops at the
//   first zero. Fails with STATUS_BUFFER_TOO_SMALL when the tag does not fit.
inline constexpr std::uint32_t kGetVolumeName = control_code(0x800, Method::kBuffered, kReadAccess);
// 36 bytes of UTF-8 (virtio 1.2, 5.11.4) are at most 36 units; plus a zero.
inline constexpr std::size_t kMaxVolumeNameBytes = 37 * sizeof(char16_t);

// One FUSE message and its reply.
//   in: a FUSE request, fuse_in_header first, whose `len` is the input buffer's length. out: room for the
//   reply, fuse_out_header first; no output buffer (length 0) means that the message has no reply (FORGET,
//   BATCH_FORGET). Information is the number of reply bytes. Fails with STATUS_INVALID_PARAMETER when the
//   header and the buffer disagree, STATUS_BUFFER_TOO_SMALL when the output buffer is not empty but shorter
//   than a fuse_out_header, STATUS_CANCELLED after a cancellation, STATUS_DEVICE_REMOVED when the device is
//   gone, and STATUS_DEVICE_NOT_CONNECTED when the host behind it is: then the device may have been reset
//   meanwhile, and only a handle opened anew reaches the host that came instead. A FUSE error is a success
//   here: it stands in the reply's header.
inline constexpr std::uint32_t kSubmitMessage =
    control_code(0x801, Method::kOutDirect, kReadAccess | kWriteAccess);

// A FUSE_READ whose payload goes straight to a buffer of the calling process.
//   in: the request, fuse_in_header and fuse_read_in. out: ReadDirect, which on entry names the buffer and
//   its length. Information is sizeof(ReadDirect); how much was read stands in the returned header. Fails
//   like kSubmitMessage, and with STATUS_ACCESS_VIOLATION when the buffer is not writable for the caller.
inline constexpr std::uint32_t kReadDirect =
    control_code(0x802, Method::kOutDirect, kReadAccess | kWriteAccess);

// The output buffer of kReadDirect.
struct ReadDirect {
    // fuse_out_header. On entry `length` is the number of payload bytes wanted (the buffer's size). On return
    // the header is the host's: `length` counts the header and the payload that was written to the buffer.
    std::uint32_t length;
    std::int32_t error;
    std::uint64_t unique;
    std::uint64_t buffer;  // address in the calling process, unchanged on return
};
static_assert(sizeof(ReadDirect) == 24 && offsetof(ReadDirect, buffer) == 16);

static_assert(kGetVolumeName == 0x00226000 && kSubmitMessage == 0x0022E006 && kReadDirect == 0x0022E00A);

}  // namespace ioctl
