#include "guest/volume/new_file_owner.h"

namespace guest {

NewFileOwner::NewFileOwner(std::optional<HostOwner> chosen, HostOwner overflow)
    : is_chosen_(chosen.has_value()),
      overflow_(overflow),
      uid_(chosen.value_or(HostOwner{}).uid),
      gid_(chosen.value_or(HostOwner{}).gid) {}

void NewFileOwner::root_belongs_to(HostOwner shown) noexcept {
    if (is_chosen_) return;
    if (shown.uid != overflow_.uid) uid_ = shown.uid;
    if (shown.gid != overflow_.gid) gid_ = shown.gid;
}

HostOwner NewFileOwner::now() const noexcept {
    return {.uid = uid_, .gid = gid_};
}

}  // namespace guest
