#include "lab/fsd/file_object.h"

#include <utility>

namespace lab::fsd {

FileId FileObjectTable::add(const FileObjectRef& object) {
    const std::unique_lock lock(mutex_);
    const FileId id{++last_id_};
    object->id = id;
    objects_.emplace(id, object);
    return id;
}

FileObjectRef FileObjectTable::find(FileId id) const {
    const std::shared_lock lock(mutex_);
    const auto found = objects_.find(id);
    return found == objects_.end() ? nullptr : found->second;
}

FileObjectRef FileObjectTable::take(FileId id) {
    const std::unique_lock lock(mutex_);
    const auto found = objects_.find(id);
    if (found == objects_.end()) return nullptr;
    FileObjectRef object = std::move(found->second);
    objects_.erase(found);
    return object;
}

std::vector<FileId> FileObjectTable::ids() const {
    const std::shared_lock lock(mutex_);
    std::vector<FileId> ids;
    for (const auto& [id, object] : objects_)
        ids.push_back(id);
    return ids;
}

std::size_t FileObjectTable::size() const {
    const std::shared_lock lock(mutex_);
    return objects_.size();
}

}  // namespace lab::fsd
