// Lists of records (directory entries, streams) and the directory buffer: the helpers a file system fills its
// answers with. Records lie at multiples of 8 bytes, a zero UINT16 ends a list.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "nt/status.h"
#include "winfsp/winfsp.h"

namespace {

// Room for the end mark is not kept: a list that is full has none.
bool add_record(const void* record, std::size_t size, void* buffer, ULONG length, ULONG& used) {
    const std::uint16_t end_mark = 0;
    if (record == nullptr) {
        record = &end_mark;
        size = sizeof end_mark;
    }
    const std::size_t start = (std::size_t{used} + 7) & ~std::size_t{7};
    if (start > length || length - start < size) return false;
    std::memcpy(static_cast<std::byte*>(buffer) + start, record, size);
    used = static_cast<ULONG>(start + size);
    return true;
}

// A whole listing, sorted once it is complete. One call of a file system fills it while others wait.
class DirectoryBuffer {
  public:
    // Shared for readers, exclusive while it is filled.
    SRWLOCK lock = SRWLOCK_INIT;

    void clear() {
        bytes_.clear();
        offsets_.clear();
    }

    void add(const FSP_FSCTL_DIR_INFO& record) {
        const std::size_t offset = bytes_.size();
        bytes_.resize(offset + ((record.Size + std::size_t{7}) & ~std::size_t{7}));
        std::memcpy(bytes_.data() + offset, static_cast<const void*>(&record), record.Size);
        offsets_.push_back(offset);
    }

    void sort() {
        std::ranges::sort(offsets_, [this](std::size_t left, std::size_t right) {
            return precedes(name_at(left), name_at(right));
        });
    }

    void read(const wchar_t* marker, void* buffer, ULONG length, ULONG& used) const {
        auto next = offsets_.begin();
        if (marker != nullptr) {
            next = std::ranges::upper_bound(
                offsets_, std::wstring_view(marker),
                [](std::wstring_view left, std::wstring_view right) { return precedes(left, right); },
                [this](std::size_t offset) { return name_at(offset); });
        }
        for (; next != offsets_.end(); ++next) {
            if (!add_record(bytes_.data() + *next, size_at(*next), buffer, length, used)) return;
        }
        add_record(nullptr, 0, buffer, length, used);
    }

  private:
    // "." and ".." first, then by UTF-16 units.
    static bool precedes(std::wstring_view left, std::wstring_view right) {
        const auto rank = [](std::wstring_view name) { return name == L"." ? 0 : name == L".." ? 1 : 2; };
        return rank(left) != rank(right) ? rank(left) < rank(right) : left < right;
    }
    std::uint16_t size_at(std::size_t offset) const {
        std::uint16_t size = 0;
        std::memcpy(&size, bytes_.data() + offset, sizeof size);
        return size;
    }
    std::wstring_view name_at(std::size_t offset) const {
        const std::size_t header = sizeof(FSP_FSCTL_DIR_INFO);
        return {reinterpret_cast<const wchar_t*>(bytes_.data() + offset + header),
                (size_at(offset) - header) / sizeof(wchar_t)};
    }

    std::vector<std::byte> bytes_;
    std::vector<std::size_t> offsets_;
};

// The slot in the program's own structure is set by whichever thread comes first.
DirectoryBuffer* buffer_in(PVOID* slot, bool make) {
    auto* present = static_cast<DirectoryBuffer*>(InterlockedCompareExchangePointer(slot, nullptr, nullptr));
    if (present != nullptr || !make) return present;
    auto made = std::make_unique<DirectoryBuffer>();
    auto* other = static_cast<DirectoryBuffer*>(InterlockedCompareExchangePointer(slot, made.get(), nullptr));
    return other != nullptr ? other : made.release();
}

}  // namespace

extern "C" {

BOOLEAN FspFileSystemAddDirInfo(FSP_FSCTL_DIR_INFO* info, PVOID buffer, ULONG length, PULONG transferred) {
    return add_record(info, info != nullptr ? info->Size : 0, buffer, length, *transferred);
}

BOOLEAN FspFileSystemAddStreamInfo(FSP_FSCTL_STREAM_INFO* info, PVOID buffer, ULONG length,
                                   PULONG transferred) {
    return add_record(info, info != nullptr ? info->Size : 0, buffer, length, *transferred);
}

// TRUE: the caller has the buffer to itself, fills it and releases it.
BOOLEAN FspFileSystemAcquireDirectoryBufferEx(PVOID* slot, BOOLEAN reset, ULONG, PNTSTATUS result) {
    if (result != nullptr) *result = 0;
    try {
        const bool present = buffer_in(slot, false) != nullptr;
        if (present && !reset) return FALSE;
        DirectoryBuffer* buffer = buffer_in(slot, true);
        AcquireSRWLockExclusive(&buffer->lock);
        buffer->clear();
        return TRUE;
    } catch (const std::bad_alloc&) {
        if (result != nullptr) *result = static_cast<NTSTATUS>(nt::Status::kInsufficientResources);
        return FALSE;
    }
}

BOOLEAN FspFileSystemAcquireDirectoryBuffer(PVOID* slot, BOOLEAN reset, PNTSTATUS result) {
    return FspFileSystemAcquireDirectoryBufferEx(slot, reset, 0, result);
}

BOOLEAN FspFileSystemFillDirectoryBuffer(PVOID* slot, FSP_FSCTL_DIR_INFO* info, PNTSTATUS result) {
    try {
        buffer_in(slot, false)->add(*info);
        return TRUE;
    } catch (const std::bad_alloc&) {
        if (result != nullptr) *result = static_cast<NTSTATUS>(nt::Status::kInsufficientResources);
        return FALSE;
    }
}

VOID FspFileSystemReleaseDirectoryBuffer(PVOID* slot) {
    DirectoryBuffer* buffer = buffer_in(slot, false);
    if (buffer == nullptr) return;
    buffer->sort();
    ReleaseSRWLockExclusive(&buffer->lock);
}

VOID FspFileSystemReadDirectoryBuffer(PVOID* slot, PWSTR marker, PVOID buffer, ULONG length,
                                      PULONG transferred) {
    DirectoryBuffer* listing = buffer_in(slot, false);
    if (listing == nullptr) {
        add_record(nullptr, 0, buffer, length, *transferred);
        return;
    }
    AcquireSRWLockShared(&listing->lock);
    listing->read(marker, buffer, length, *transferred);
    ReleaseSRWLockShared(&listing->lock);
}

VOID FspFileSystemDeleteDirectoryBuffer(PVOID* slot) {
    delete static_cast<DirectoryBuffer*>(InterlockedExchangePointer(slot, nullptr));
}
}
