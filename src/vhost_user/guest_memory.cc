#include "vhost_user/guest_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vhost_user {
namespace {

std::unexpected<std::string> refuse(const std::string& why) {
    return std::unexpected("the guest's memory cannot be mapped: " + why);
}

bool wraps(std::uint64_t first, std::uint64_t bytes) {
    return first + bytes < first;
}

}  // namespace

struct GuestMemory::Mapping {
    Mapping(const MemoryRegion& of, void* from, std::size_t mapped, std::byte* begin)
        : place(of), base(from), length(mapped), memory(begin) {}
    ~Mapping() { ::munmap(base, length); }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    const MemoryRegion place;
    void* const base;  // as mmap() gave it, from a boundary of pages on
    const std::size_t length;
    std::byte* const memory;  // where the region begins
};

Result<std::shared_ptr<const GuestMemory::Mapping>> GuestMemory::map_one(const MemoryRegion& region,
                                                                         const Fd& fd) {
    if (region.bytes == 0) return refuse("a region is empty");
    if (wraps(region.guest_address, region.bytes) || wraps(region.user_address, region.bytes) ||
        wraps(region.file_offset, region.bytes)) {
        return refuse("a region goes beyond the end of its address space");
    }
    struct stat file {};
    if (::fstat(fd.get(), &file) != 0) return refuse(std::strerror(errno));
    if (!S_ISREG(file.st_mode)) return refuse("a region's descriptor is no file; is it a memfd?");
    // Beyond the file's end every access would kill the process.
    if (region.file_offset + region.bytes > static_cast<std::uint64_t>(file.st_size)) {
        return refuse("a region goes beyond the end of its file");
    }
    // Huge pages are mapped in whole ones; their size is the file's block size.
    std::uint64_t page = 4096;
    const auto block = static_cast<std::uint64_t>(file.st_blksize);
    if (block > page && std::has_single_bit(block)) page = block;
    const std::uint64_t ahead = region.file_offset % page;
    const std::uint64_t end = ahead + region.bytes;
    if (wraps(end, page)) return refuse("a region is too large");
    const std::size_t length = (end + page - 1) / page * page;
    void* const base = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd.get(),
                              static_cast<off_t>(region.file_offset - ahead));
    if (base == MAP_FAILED) return refuse(std::strerror(errno));
    // Neither is the guest's memory for core dumps.
    (void)::madvise(base, length, MADV_DONTDUMP);
    return std::make_shared<const Mapping>(region, base, length, static_cast<std::byte*>(base) + ahead);
}

Result<GuestMemory::Pointer> GuestMemory::of(std::vector<std::shared_ptr<const Mapping>> mappings) {
    auto memory = std::make_shared<GuestMemory>();
    for (const auto& mapping : mappings) {
        const MemoryRegion& place = mapping->place;
        memory->by_guest_.push_back({place.guest_address, place.bytes, mapping->memory});
        memory->by_user_.push_back({place.user_address, place.bytes, mapping->memory});
    }
    for (auto* const ranges : {&memory->by_guest_, &memory->by_user_}) {
        std::ranges::sort(*ranges, {}, &Range::first);
        for (std::size_t i = 1; i < ranges->size(); ++i) {
            const Range& before = (*ranges)[i - 1];
            if ((*ranges)[i].first - before.first < before.bytes) return refuse("two regions overlap");
        }
    }
    memory->mappings_ = std::move(mappings);
    return memory;
}

Result<GuestMemory::Pointer> GuestMemory::map(std::span<const MemoryRegion> regions,
                                              std::span<const Fd> fds) {
    if (regions.size() != fds.size()) return refuse("there is not one descriptor for each region");
    std::vector<std::shared_ptr<const Mapping>> mappings;
    for (std::size_t i = 0; i < regions.size(); ++i) {
        auto mapping = map_one(regions[i], fds[i]);
        if (!mapping) return std::unexpected(mapping.error());
        mappings.push_back(std::move(*mapping));
    }
    return of(std::move(mappings));
}

Result<GuestMemory::Pointer> GuestMemory::with(const MemoryRegion& region, const Fd& fd) const {
    auto mapping = map_one(region, fd);
    if (!mapping) return std::unexpected(mapping.error());
    auto mappings = mappings_;
    mappings.push_back(std::move(*mapping));
    return of(std::move(mappings));
}

Result<GuestMemory::Pointer> GuestMemory::without(const MemoryRegion& region) const {
    auto mappings = mappings_;
    const auto gone = std::erase_if(mappings, [&](const auto& mapping) {
        const MemoryRegion& place = mapping->place;
        return place.guest_address == region.guest_address && place.bytes == region.bytes &&
               place.user_address == region.user_address;
    });
    if (gone == 0) {
        return std::unexpected(
            std::string("a region is to be removed from the guest's memory that is not there"));
    }
    return of(std::move(mappings));
}

const GuestMemory::Range* GuestMemory::find_among_many(const std::vector<Range>& ranges,
                                                       std::uint64_t address) {
    const auto after = std::ranges::upper_bound(ranges, address, {}, &Range::first);
    if (after == ranges.begin()) return nullptr;
    const Range& range = *std::prev(after);
    return address - range.first < range.bytes ? &range : nullptr;
}

}  // namespace vhost_user
