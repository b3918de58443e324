#include "lab/channel/device_buffers.h"

#include <functional>
#include <utility>

namespace lab {

struct DeviceBuffers::Shared {
    explicit Shared(GuestMemory with) : memory(std::move(with)) {}

    std::mutex mutex;
    GuestMemory memory;
    std::map<const std::byte*, std::weak_ptr<Block>, std::less<>> blocks;  // by their first byte
};

// One allocation; freed with the last reference.
struct DeviceBuffers::Block {
    Block(std::shared_ptr<Shared> of, std::size_t at, std::size_t length)
        : shared(std::move(of)), offset(at), bytes(length) {}
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() {
        const std::lock_guard lock(shared->mutex);
        shared->blocks.erase(shared->memory.at(offset));
        shared->memory.free(offset);
    }

    const std::shared_ptr<Shared> shared;
    const std::size_t offset;
    const std::size_t bytes;
};

std::expected<DeviceBuffers, std::string> DeviceBuffers::create(std::size_t bytes) {
    auto memory = GuestMemory::create(bytes, kGuestBase);
    if (!memory) return std::unexpected(memory.error());
    return DeviceBuffers(std::make_shared<Shared>(std::move(*memory)));
}

std::optional<DeviceBuffer> DeviceBuffers::allocate(std::size_t bytes) {
    std::shared_ptr<Block> block;
    {
        const std::lock_guard lock(shared_->mutex);
        constexpr std::size_t kPage = 4096;
        const auto offset = shared_->memory.allocate((bytes + kPage - 1) / kPage * kPage);
        if (!offset) return std::nullopt;
        block = std::make_shared<Block>(shared_, *offset, bytes);
        shared_->blocks[shared_->memory.at(*offset)] = block;
    }
    const std::span<std::byte> where(shared_->memory.at(block->offset), bytes);
    return DeviceBuffer(std::move(block), where);
}

std::optional<DeviceBuffers::Hold> DeviceBuffers::hold(std::span<const std::byte> bytes) const {
    std::shared_ptr<Block> block;  // dropped without the lock, which its end takes
    const std::lock_guard lock(shared_->mutex);
    auto after = shared_->blocks.upper_bound(bytes.data());
    if (after == shared_->blocks.begin()) return std::nullopt;
    const auto& [start, found] = *std::prev(after);
    block = found.lock();
    if (block == nullptr) return std::nullopt;
    const auto at = static_cast<std::size_t>(bytes.data() - start);
    if (at > block->bytes || bytes.size() > block->bytes - at) return std::nullopt;
    return Hold{.guest_address = shared_->memory.guest_address(block->offset + at),
                .block = std::move(block)};
}

const GuestMemory& DeviceBuffers::memory() const {
    return shared_->memory;
}

}  // namespace lab
