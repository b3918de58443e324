#include "tests/bench/common_work.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace bench {
namespace {

constexpr std::uint32_t kRead = nt::access::kFileGenericRead;
constexpr std::uint32_t kWrite = nt::access::kFileGenericWrite & ~nt::access::kAppendData;
constexpr std::uint32_t kDeleteAccess = nt::access::kDelete | nt::access::kReadAttributes;
constexpr std::uint32_t kAttributesOnly = nt::access::kReadAttributes;

bool create(guest::Volume& volume, const std::u16string& path) {
    if (volume.attributes_of(path)) return false;
    const auto made = volume.create(path, {.granted_access = kWrite});
    if (made) volume.close(made->file);
    return made.has_value();
}

bool open_and_close(guest::Volume& volume, const std::u16string& path) {
    guest::File* const file = open_file(volume, path, kRead);
    if (file != nullptr) volume.close(file);
    return file != nullptr;
}

bool attributes(guest::Volume& volume, const std::u16string& path) {
    guest::File* const file = open_file(volume, path, kAttributesOnly);
    if (file == nullptr) return false;
    const bool known = volume.file_info(*file).has_value();
    volume.close(file);
    return known;
}

bool remove(guest::Volume& volume, const std::u16string& path) {
    guest::File* const file = open_file(volume, path, kDeleteAccess);
    if (file == nullptr) return false;
    const bool deletable = volume.can_delete(*file, path).has_value();
    if (deletable) volume.cleanup(*file, path, {.remove = true});
    volume.close(file);
    return deletable;
}

bool list(guest::Volume& volume) {
    guest::File* const directory = open_file(volume, u"\\files", kRead, nt::create_option::kDirectoryFile);
    if (directory == nullptr) return false;
    std::size_t entries = 0;
    const auto done = volume.read_directory(*directory, std::nullopt,
                                            [&](const guest::DirectoryEntry&) { return ++entries > 0; });
    volume.close(directory);
    return done && *done && entries == kFiles + 2;
}

// With the attributes of each, which Windows' listings have.
bool list(const std::string& path) {
    DIR* const directory = ::opendir(path.c_str());
    if (directory == nullptr) return false;
    std::size_t entries = 0;
    while (const dirent* const entry = ::readdir(directory)) {
        struct stat found;
        if (::fstatat(::dirfd(directory), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0) ++entries;
    }
    ::closedir(directory);
    return entries == kFiles + 2;
}

bool close_if_open(int fd) {
    return fd >= 0 && ::close(fd) == 0;
}

}  // namespace

std::expected<std::unique_ptr<CommonWork>, std::string> CommonWork::make(const std::string& directory,
                                                                         Share& share, Share& flags) {
    std::unique_ptr<CommonWork> work(new CommonWork(directory, share, flags));
    if (const std::string error = work->prepare(); !error.empty()) return std::unexpected(error);
    return work;
}

std::string CommonWork::prepare() {
    const std::string data = directory_ + "/" + kDataFile;
    std::filesystem::create_directory(directory_ + "/" + kFilesDirectory);
    if (!std::filesystem::exists(data)) {
        std::ofstream file(data, std::ios::binary);
        const std::string megabyte(kMegabyte, 'x');
        for (std::size_t i = 0; i < kDataBytes / kMegabyte; ++i)
            file << megabyte;
    }
    native_ = ::open(data.c_str(), O_RDWR | O_CLOEXEC);
    data_ = open_file(share_.volume(), u"\\data", kRead | kWrite);
    data_by_flags_ = open_file(flags_.volume(), u"\\data", kRead);
    if (native_ < 0 || data_ == nullptr || data_by_flags_ == nullptr) return "cannot open " + data;
    megabyte_ = share_.channel().allocate_buffer(kMegabyte);
    other_memory_.assign(kMegabyte, std::byte{'x'});
    for (int i = 0; i < kInFlight; ++i) {
        auto page = share_.channel().allocate_buffer(kPageBytes);
        if (!page || !megabyte_) return "no room for buffers in the guest's memory";
        readers_.push_back({*page, RandomPages(static_cast<std::uint64_t>(i), kDataBytes / kPageBytes)});
    }
    return "";
}

CommonWork::~CommonWork() {
    if (data_ != nullptr) share_.volume().close(data_);
    if (data_by_flags_ != nullptr) flags_.volume().close(data_by_flags_);
    if (native_ >= 0) ::close(native_);
}

std::string CommonWork::path_of(std::size_t file) const {
    return fmt::format("{}/{}/file {}-{}.txt", directory_, kFilesDirectory, generation_, file);
}

std::u16string CommonWork::volume_path_of(std::size_t file) const {
    const std::string name = fmt::format("file {}-{}.txt", generation_, file);
    return u"\\files\\" + std::u16string(name.begin(), name.end());
}

void CommonWork::renew_files(bool make) {
    for (std::size_t i = 0; i < kFiles; ++i)
        ::unlink(path_of(i).c_str());
    ++generation_;
    for (std::size_t i = 0; make && i < kFiles; ++i)
        close_if_open(::open(path_of(i).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

std::vector<Operation> CommonWork::operations() {
    std::vector<Operation> all = data_operations();
    for (Operation& operation : file_operations())
        all.push_back(std::move(operation));
    return all;
}

Operation CommonWork::transfer(const char* name, bool writes, std::span<std::byte> buffer) {
    const auto next = [this] { return next_++ % (kDataBytes / kMegabyte) * kMegabyte; };
    return {.name = name,
            .by_volume =
                [=, this](int) {
                    if (!writes) return share_.volume().read(*data_, buffer, next()) == kMegabyte;
                    const auto written = share_.volume().write(*data_, buffer, {.offset = next()});
                    return written && written->bytes == kMegabyte;
                },
            .natively =
                [=, this](int) {
                    const auto offset = static_cast<off_t>(next());
                    return (writes ? ::pwrite(native_, buffer.data(), kMegabyte, offset)
                                   : ::pread(native_, buffer.data(), kMegabyte, offset)) ==
                           static_cast<ssize_t>(kMegabyte);
                },
            .share = &share_,
            .runs = kDataBytes / kMegabyte};
}

Operation CommonWork::random_reads(const char* name, int threads, Share& share, guest::File& file) {
    return {.name = name,
            .threads = threads,
            .by_volume =
                [this, &share, &file](int thread) {
                    Reader& reader = readers_[static_cast<std::size_t>(thread)];
                    return share.volume().read(file, reader.page.bytes(), reader.pages.next_offset()) ==
                           kPageBytes;
                },
            .natively =
                [this](int thread) {
                    Reader& reader = readers_[static_cast<std::size_t>(thread)];
                    return ::pread(native_, reader.page.bytes().data(), kPageBytes,
                                   static_cast<off_t>(reader.pages.next_offset())) ==
                           static_cast<ssize_t>(kPageBytes);
                },
            .share = &share};
}

std::vector<Operation> CommonWork::data_operations() {
    return {transfer(kSequentialRead, false, megabyte_->bytes()),
            transfer("the same into memory that the device does not reach", false, other_memory_),
            transfer(kSequentialWrite, true, megabyte_->bytes()),
            transfer("the same from memory that the device does not reach", true, other_memory_),
            random_reads(kRandomRead, 1, share_, *data_),
            random_reads(kRandomReads, kInFlight, share_, *data_),
            random_reads("the same without EVENT_IDX", kInFlight, flags_, *data_by_flags_)};
}

std::vector<Operation> CommonWork::file_operations() {
    guest::Volume& volume = share_.volume();
    // An operation on each of the files.
    const auto each = [&](const char* name, bool with_files,
                          bool (*by_volume)(guest::Volume&, const std::u16string&),
                          bool (*natively)(const std::string&)) {
        return Operation{.name = name,
                         .by_volume =
                             [this, &volume, by_volume](int) {
                                 bool all = true;
                                 for (std::size_t i = 0; i < kFiles; ++i)
                                     all = by_volume(volume, volume_path_of(i)) && all;
                                 return all;
                             },
                         .natively =
                             [this, natively](int) {
                                 bool all = true;
                                 for (std::size_t i = 0; i < kFiles; ++i)
                                     all = natively(path_of(i)) && all;
                                 return all;
                             },
                         .share = &share_,
                         .items = kFiles,
                         .runs = 1,
                         .prepare = [this, with_files] { renew_files(with_files); }};
    };
    return {
        each(kCreate, false, create,
             [](const std::string& path) {
                 return close_if_open(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
             }),
        each(kOpen, true, open_and_close,
             [](const std::string& path) {
                 return close_if_open(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
             }),
        each(kAttributes, true, attributes,
             [](const std::string& path) {
                 struct stat found;
                 return ::stat(path.c_str(), &found) == 0;
             }),
        {.name = kList,
         .by_volume = [&volume](int) { return list(volume); },
         .natively = [path = directory_ + "/" + kFilesDirectory](int) { return list(path); },
         .share = &share_,
         .items = kFiles,
         .runs = 1,
         .prepare = [this] { renew_files(true); }},
        each(kDelete, true, remove, [](const std::string& path) { return ::unlink(path.c_str()) == 0; })};
}

}  // namespace bench
