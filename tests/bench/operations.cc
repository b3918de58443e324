#include "tests/bench/operations.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace bench {
namespace {

constexpr std::size_t kSmallBytes = 4096;
constexpr std::uint32_t kRead = nt::access::kFileGenericRead;
constexpr std::uint32_t kReadWrite = kRead | (nt::access::kFileGenericWrite & ~nt::access::kAppendData);
constexpr std::uint32_t kDelete = nt::access::kDelete | nt::access::kReadAttributes;

bool read_small_file(guest::Volume& volume) {
    guest::File* const file = open_file(volume, u"\\small-0", kRead);
    if (file == nullptr) return false;
    std::vector<std::byte> buffer(kSmallBytes);
    const bool whole = volume.read(*file, buffer, 0) == kSmallBytes;
    volume.close(file);
    return whole;
}

bool read_small_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    std::vector<std::byte> buffer(kSmallBytes);
    const bool whole = ::pread(fd, buffer.data(), buffer.size(), 0) == static_cast<ssize_t>(kSmallBytes);
    return ::close(fd) == 0 && whole;
}

bool create_and_delete(guest::Volume& volume) {
    constexpr std::u16string_view kPath = u"\\new";
    if (volume.attributes_of(kPath)) return false;
    const auto made = volume.create(kPath, {.granted_access = kReadWrite | kDelete});
    if (!made) return false;
    const std::vector<std::byte> data(kSmallBytes);
    const bool written = volume.write(*made->file, data, {}).has_value();
    volume.close(made->file);
    guest::File* const file = open_file(volume, kPath, kDelete);
    if (file == nullptr) return false;
    const bool deletable = volume.can_delete(*file, kPath).has_value();
    if (deletable) volume.cleanup(*file, kPath, {.remove = true});
    volume.close(file);
    return written && deletable;
}

bool create_and_delete(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return false;
    const std::vector<std::byte> data(kSmallBytes);
    const bool written = ::pwrite(fd, data.data(), data.size(), 0) == static_cast<ssize_t>(data.size());
    return ::close(fd) == 0 && ::unlink(path.c_str()) == 0 && written;
}

}  // namespace

guest::File* open_file(guest::Volume& volume, std::u16string_view path, std::uint32_t access,
                       std::uint32_t options) {
    if (!volume.attributes_of(path)) return nullptr;
    const auto opened = volume.open(path, {.options = options, .granted_access = access});
    return opened ? opened->file : nullptr;
}

std::expected<std::unique_ptr<Workload>, std::string> Workload::make(const std::string& directory,
                                                                     Share& known, Share& fresh) {
    std::unique_ptr<Workload> workload(new Workload(directory, known, fresh));
    if (const std::string error = workload->prepare(); !error.empty()) return std::unexpected(error);
    return workload;
}

std::string Workload::prepare() {
    const auto make_file = [&](const std::string& name, std::size_t bytes) {
        std::ofstream file(directory_ + "/" + name, std::ios::binary);
        file << std::string(bytes, 'x');
    };
    const auto open_everywhere = [&](const std::string& name) {
        const std::u16string path = u"\\" + std::u16string(name.begin(), name.end());
        return OpenEverywhere{.known = open_file(known_.volume(), path, kReadWrite),
                              .fresh = open_file(fresh_.volume(), path, kReadWrite),
                              .native = ::open((directory_ + "/" + name).c_str(), O_RDWR | O_CLOEXEC)};
    };
    for (int i = 0; i < kMostThreads; ++i) {
        const std::string name = fmt::format("small-{}", i);
        make_file(name, kSmallBytes);
        small_.push_back(open_everywhere(name));
    }
    bool all = true;
    for (const OpenEverywhere& file : small_)
        all = all && file.known != nullptr && file.fresh != nullptr && file.native >= 0;
    return all ? "" : "cannot open the files in " + directory_;
}

Workload::~Workload() {
    const auto close_everywhere = [&](const OpenEverywhere& file) {
        if (file.known != nullptr) known_.volume().close(file.known);
        if (file.fresh != nullptr) fresh_.volume().close(file.fresh);
        if (file.native >= 0) ::close(file.native);
    };
    for (const OpenEverywhere& file : small_)
        close_everywhere(file);
}

std::vector<Operation> Workload::operations() {
    guest::Volume& known = known_.volume();
    guest::Volume& fresh = fresh_.volume();
    const auto native_attributes = [this](int thread) {
        struct stat attributes;
        return ::fstat(small_[static_cast<std::size_t>(thread)].native, &attributes) == 0;
    };
    const auto fresh_attributes = [this, &fresh](int thread) {
        return fresh.file_info(*small_[static_cast<std::size_t>(thread)].fresh).has_value();
    };
    const std::string small = directory_ + "/small-0";
    return {
        {.name = "attributes of an open file, asked of the host",
         .by_volume = fresh_attributes,
         .natively = native_attributes,
         .share = &fresh_},
        {.name = fmt::format("the same, {} threads", kMostThreads),
         .threads = kMostThreads,
         .by_volume = fresh_attributes,
         .natively = native_attributes,
         .share = &fresh_},
        {.name = "attributes of an open file, known",
         .by_volume = [this, &known](int) { return known.file_info(*small_[0].known).has_value(); },
         .natively = native_attributes,
         .share = &known_},
        {.name = "look-up of a name, nothing known",
         .by_volume = [&fresh](int) { return fresh.attributes_of(u"\\small-0").has_value(); },
         .natively =
             [small](int) {
                 struct stat attributes;
                 return ::stat(small.c_str(), &attributes) == 0;
             },
         .share = &fresh_},
        {.name = "open, read 4 KiB, close",
         .by_volume = [&known](int) { return read_small_file(known); },
         .natively = [small](int) { return read_small_file(small); },
         .share = &known_},
        {.name = "create, write 4 KiB, delete",
         .by_volume = [&known](int) { return create_and_delete(known); },
         .natively = [path = directory_ + "/new"](int) { return create_and_delete(path); },
         .share = &known_},
    };
}

}  // namespace bench
