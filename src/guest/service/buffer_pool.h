// Contiguous message buffers, used again: allocating a megabyte afresh costs hundreds of page faults a
// message. Must never know: what is in them.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "threads/mutex.h"

namespace guest::service {

class BufferPool {
  public:
    // A piece of memory of at least the size asked for, its content undefined.
    struct Buffer {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t capacity = 0;
    };

    // Thread-safe; throws std::bad_alloc.
    Buffer take(std::size_t bytes);
    // Thread-safe; takes a buffer of take(), or an empty one.
    void give_back(Buffer buffer) noexcept;

  private:
    struct Shelf {
        std::size_t capacity;  // bytes of each buffer
        std::size_t most_kept;
        std::vector<std::unique_ptr<std::byte[]>> free;
    };

    threads::Mutex mutex_;
    std::array<Shelf, 3> shelves_{{{.capacity = 4096, .most_kept = 128, .free = {}},
                                   {.capacity = 72 * 1024, .most_kept = 64, .free = {}},
                                   {.capacity = (1 << 20) + (64 << 10), .most_kept = 16, .free = {}}}};
};

}  // namespace guest::service
