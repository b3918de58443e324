#include "guest/volume/tests/checking_host_parts.h"

namespace guest::test {
namespace {

std::pair<std::string_view, std::string_view> split(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {"", path};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

// The host's other users

CheckingHost::InodePtr CheckingHost::find(std::string_view path) {
    InodePtr inode = root_;
    while (!path.empty() && inode != nullptr) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const auto child = inode->children.find(path.substr(0, end));
        inode = child == inode->children.end() ? nullptr : child->second;
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return inode;
}

CheckingHost::InodePtr CheckingHost::make(std::string_view path, std::uint32_t mode) {
    const auto [parent, name] = split(path);
    auto inode = std::make_shared<Inode>();
    inode->ino = next_ino_++;
    inode->mode = mode;
    touch(*inode);
    find(parent)->children.insert_or_assign(std::string(name), inode);
    return inode;
}

void CheckingHost::make_directory(std::string_view path) {
    make_special(path, fuse::mode::kDirectory | 0755);
}

void CheckingHost::make_special(std::string_view path, std::uint32_t mode) {
    const std::lock_guard lock(mutex_);
    make(path, mode);
}

void CheckingHost::make_symlink(std::string_view path, std::string_view target) {
    const std::lock_guard lock(mutex_);
    make(path, fuse::mode::kSymlink | 0777)->data = target;
}

void CheckingHost::make_file(std::string_view path, std::string_view content, std::uint32_t mode) {
    const std::lock_guard lock(mutex_);
    make(path, fuse::mode::kRegular | mode)->data = content;
}

void CheckingHost::remove(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const auto [parent, name] = split(path);
    const InodePtr inode = find(path);
    --inode->nlink;
    find(parent)->children.erase(std::string(name));
}

void CheckingHost::move(std::string_view from, std::string_view to) {
    const std::lock_guard lock(mutex_);
    const InodePtr inode = find(from);
    const auto [old_parent, old_name] = split(from);
    const auto [new_parent, new_name] = split(to);
    find(old_parent)->children.erase(std::string(old_name));
    find(new_parent)->children.insert_or_assign(std::string(new_name), inode);
}

void CheckingHost::append(std::string_view path, std::string_view content) {
    const std::lock_guard lock(mutex_);
    find(path)->data += content;
}

std::optional<std::string> CheckingHost::content(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const InodePtr inode = find(path);
    if (inode == nullptr) return std::nullopt;
    return inode->data;
}

std::optional<fuse::Attr> CheckingHost::attributes(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const InodePtr inode = find(path);
    if (inode == nullptr) return std::nullopt;
    return attr_of(*inode);
}

std::vector<std::string> CheckingHost::names(std::string_view path) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, child] : find(path)->children)
        names.push_back(name);
    return names;
}

}  // namespace guest::test
