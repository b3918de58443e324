#include "lab/fsd/share_access.h"

namespace lab::fsd {
namespace {

bool reads(std::uint32_t access) {
    return (access & (nt::access::kReadData | nt::access::kExecute)) != 0;
}
bool writes(std::uint32_t access) {
    return (access & (nt::access::kWriteData | nt::access::kAppendData)) != 0;
}
bool deletes(std::uint32_t access) {
    return (access & nt::access::kDelete) != 0;
}
bool counts(std::uint32_t access) {
    return reads(access) || writes(access) || deletes(access);
}

}  // namespace

bool ShareAccess::allows(std::uint32_t granted_access, std::uint32_t share) const noexcept {
    if (!counts(granted_access)) return true;
    if (reads(granted_access) && shared_read_ < handles_) return false;
    if (writes(granted_access) && shared_write_ < handles_) return false;
    if (deletes(granted_access) && shared_delete_ < handles_) return false;
    if (readers_ != 0 && (share & nt::share::kRead) == 0) return false;
    if (writers_ != 0 && (share & nt::share::kWrite) == 0) return false;
    if (deleters_ != 0 && (share & nt::share::kDelete) == 0) return false;
    return true;
}

void ShareAccess::count(std::uint32_t granted_access, std::uint32_t share, std::uint32_t by) noexcept {
    if (!counts(granted_access)) return;
    handles_ += by;
    if (reads(granted_access)) readers_ += by;
    if (writes(granted_access)) writers_ += by;
    if (deletes(granted_access)) deleters_ += by;
    if ((share & nt::share::kRead) != 0) shared_read_ += by;
    if ((share & nt::share::kWrite) != 0) shared_write_ += by;
    if ((share & nt::share::kDelete) != 0) shared_delete_ += by;
}

void ShareAccess::add(std::uint32_t granted_access, std::uint32_t share) noexcept {
    count(granted_access, share, 1);
}

void ShareAccess::remove(std::uint32_t granted_access, std::uint32_t share) noexcept {
    count(granted_access, share, ~std::uint32_t{0});
}

}  // namespace lab::fsd
