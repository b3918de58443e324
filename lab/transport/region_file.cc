#include "lab/transport/region_file.h"

#include <utility>

#include "lab/transport/host_os.h"

namespace lab::transport {
namespace {

constexpr std::int64_t kNotFound =
    2;  // ENOENT and EEXIST are Linux's here, whatever the compiler's library says
constexpr std::int64_t kExists = 17;

std::string failed(const char* what, const std::string& path, std::int64_t result) {
    return std::string("cannot ") + what + " " + path + ": error " + std::to_string(-result);
}

}  // namespace

std::expected<RegionFile, std::string> RegionFile::create(const std::string& name, std::uint32_t slots) {
    if (slots == 0 || slots > kMaxSlots) {
        return std::unexpected("a region has 1 to " + std::to_string(kMaxSlots) + " slots");
    }
    const region::Path path = region::path_of(name.c_str());
    if (!path.valid) {
        return std::unexpected("'" + name + "' cannot name a region: use letters, digits, '.', '-' and '_'");
    }
    // Made under another name, so that whoever finds the region finds it complete.
    const std::string draft = std::string(path.text) + "~" + std::to_string(os::process_id());
    os::unlink_file(draft.c_str());
    const std::int64_t fd = os::open_file(draft.c_str(), true);
    if (fd < 0) return std::unexpected(failed("create", draft, fd));
    RegionFile file(static_cast<int>(fd), path.text);
    std::string problem = file.prepare(slots);
    if (problem.empty()) problem = file.publish(draft);
    os::unlink_file(draft.c_str());
    if (!problem.empty()) return std::unexpected(problem);
    return file;
}

RegionFile::RegionFile(RegionFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      memory_(std::exchange(other.memory_, nullptr)),
      bytes_(other.bytes_),
      published_(std::exchange(other.published_, false)) {}

RegionFile::~RegionFile() {
    withdraw();
    if (memory_ != nullptr) os::unmap(memory_, bytes_);
    if (fd_ >= 0) os::close_file(fd_);
}

void RegionFile::withdraw() {
    if (std::exchange(published_, false)) os::unlink_file(path_.c_str());
}

std::string RegionFile::prepare(std::uint32_t slots) {
    bytes_ = region::bytes(slots);
    if (const auto result = os::resize_file(fd_, bytes_); result < 0) return failed("size", path_, result);
    memory_ = os::map_shared(fd_, bytes_);
    if (memory_ == nullptr) return "cannot map " + path_ + ": out of memory or address space?";
    header()->magic = region::kMagic;
    header()->slots = slots;
    for (std::uint32_t index = 0; index < slots; ++index) {
        header()->free.words[index / 64].fetch_or(std::uint64_t{1} << (index % 64));
    }
    if (!os::try_lock_byte(fd_, region::kServerLockByte)) return "cannot lock " + path_;
    return {};
}

std::string RegionFile::publish(const std::string& draft) {
    constexpr int kAttempts = 16;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const std::int64_t linked = os::link_file(draft.c_str(), path_.c_str());
        if (linked == 0) {
            published_ = true;
            return {};
        }
        if (linked != -kExists) return failed("link", path_, linked);
        if (!remove_abandoned()) return path_ + " is in use: does another server of this session run?";
    }
    return path_ + " is taken again and again by other servers";
}

// Removes the region of a dead server. False if its server lives.
bool RegionFile::remove_abandoned() {
    const std::int64_t old = os::open_file(path_.c_str(), false);
    if (old < 0) return old == -kNotFound;
    const int fd = static_cast<int>(old);
    const bool abandoned = os::try_lock_byte(fd, region::kServerLockByte);
    // While it is locked nobody else removes it; but it may have been replaced before the lock was taken.
    if (abandoned && is_at_path(fd)) os::unlink_file(path_.c_str());
    os::close_file(fd);
    return abandoned;
}

bool RegionFile::is_at_path(int fd) const {
    const std::int64_t now = os::open_file(path_.c_str(), false);
    if (now < 0) return false;
    const bool same = os::file_inode(fd) == os::file_inode(static_cast<int>(now));
    os::close_file(static_cast<int>(now));
    return same;
}

}  // namespace lab::transport
