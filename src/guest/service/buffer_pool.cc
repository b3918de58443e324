#include "guest/service/buffer_pool.h"

#include <mutex>

namespace guest::service {

BufferPool::Buffer BufferPool::take(std::size_t bytes) {
    if (bytes == 0) return {};
    for (Shelf& shelf : shelves_) {
        if (bytes > shelf.capacity) continue;
        {
            const std::lock_guard lock(mutex_);
            if (!shelf.free.empty()) {
                Buffer buffer{.bytes = std::move(shelf.free.back()), .capacity = shelf.capacity};
                shelf.free.pop_back();
                return buffer;
            }
            shelf.free.reserve(shelf.most_kept);  // so that giving back cannot fail
        }
        return {.bytes = std::make_unique_for_overwrite<std::byte[]>(shelf.capacity),
                .capacity = shelf.capacity};
    }
    return {.bytes = std::make_unique_for_overwrite<std::byte[]>(bytes), .capacity = bytes};
}

void BufferPool::give_back(Buffer buffer) noexcept {
    for (Shelf& shelf : shelves_) {
        if (shelf.capacity != buffer.capacity) continue;
        const std::lock_guard lock(mutex_);
        if (shelf.free.size() < shelf.most_kept) shelf.free.push_back(std::move(buffer.bytes));
    }
}

}  // namespace guest::service
