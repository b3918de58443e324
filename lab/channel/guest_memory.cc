#include "lab/channel/guest_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace lab {

GuestMemory::GuestMemory(vhost_user::Fd fd, std::byte* memory, std::size_t bytes, std::uint64_t guest_base)
    : fd_(std::move(fd)), memory_(memory), bytes_(bytes), guest_base_(guest_base), free_{{0, bytes}} {}

GuestMemory::GuestMemory(GuestMemory&& other) noexcept
    : fd_(std::move(other.fd_)),
      memory_(std::exchange(other.memory_, nullptr)),
      bytes_(other.bytes_),
      guest_base_(other.guest_base_),
      free_(std::move(other.free_)),
      used_(std::move(other.used_)) {}

GuestMemory::~GuestMemory() {
    if (memory_ != nullptr) ::munmap(memory_, bytes_);
}

std::expected<GuestMemory, std::string> GuestMemory::create(std::size_t bytes, std::uint64_t guest_base) {
    bytes = (bytes + 4095) & ~std::size_t{4095};
    const std::string attempt = "cannot make " + std::to_string(bytes) + " bytes of guest memory: ";
    vhost_user::Fd fd(::memfd_create("virtiofs-guest-memory", MFD_CLOEXEC));
    if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
        return std::unexpected(attempt + std::strerror(errno));
    }
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) return std::unexpected(attempt + std::strerror(errno));
    return GuestMemory(std::move(fd), static_cast<std::byte*>(memory), bytes, guest_base);
}

std::optional<std::size_t> GuestMemory::allocate(std::size_t bytes) {
    bytes = (std::max<std::size_t>(bytes, 1) + 63) & ~std::size_t{63};
    for (auto it = free_.begin(); it != free_.end(); ++it) {
        if (it->second < bytes) continue;
        const std::size_t offset = it->first;
        const std::size_t left = it->second - bytes;
        free_.erase(it);
        if (left != 0) free_.emplace(offset + bytes, left);
        used_.emplace(offset, bytes);
        return offset;
    }
    return std::nullopt;
}

void GuestMemory::free(std::size_t offset) {
    const auto block = used_.find(offset);
    if (block == used_.end()) return;
    std::size_t bytes = block->second;
    used_.erase(block);
    auto after = free_.lower_bound(offset);
    if (after != free_.end() && after->first == offset + bytes) {
        bytes += after->second;
        after = free_.erase(after);
    }
    if (after != free_.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second == offset) {
            before->second += bytes;
            return;
        }
    }
    free_.emplace(offset, bytes);
}

}  // namespace lab
