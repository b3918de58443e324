// What is particular to virtio-fs: device id, queues and configuration space.
// Must never know: FUSE. Source: virtio 1.2, 5.11.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace virtio {

inline constexpr std::uint16_t kFsDeviceId = 26;

// Queues without the notification feature: high priority first, then the request queues.
inline constexpr std::uint16_t kFsHighPriorityQueue = 0;
inline constexpr std::uint16_t kFsFirstRequestQueue = 1;

struct FsConfig {
    char tag[36] = {};  // UTF-8, padded with NULs, not terminated if it fills the field
    std::uint32_t num_request_queues = 0;
    std::uint32_t notify_buf_size = 0;  // exists only with the notification feature
};
static_assert(sizeof(FsConfig) == 44 && offsetof(FsConfig, num_request_queues) == 36);

// The configuration without notify_buf_size, as devices without notifications have it.
inline constexpr std::size_t kFsConfigBytes = offsetof(FsConfig, notify_buf_size);

// The tag; nullopt if it is empty, or if something follows its first NUL.
constexpr std::optional<std::string_view> tag_of(const FsConfig& config) {
    std::size_t length = 0;
    while (length < sizeof config.tag && config.tag[length] != '\0')
        ++length;
    for (std::size_t i = length; i < sizeof config.tag; ++i) {
        if (config.tag[i] != '\0') return std::nullopt;
    }
    if (length == 0) return std::nullopt;
    return std::string_view(config.tag, length);
}

}  // namespace virtio
