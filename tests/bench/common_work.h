// The operations of rows.h, by the volume and natively: one large file, and ten thousand small ones.
// Must never know: how they are measured.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/bench/operations.h"
#include "tests/bench/rows.h"

namespace bench {

// The operations must not outlive it, nor it the shares.
class CommonWork {
  public:
    // `share` has device buffers; `flags` is one without EVENT_IDX. Both of `directory`, where this finds or
    // makes the data file and the directory for the many.
    static std::expected<std::unique_ptr<CommonWork>, std::string> make(const std::string& directory,
                                                                        Share& share, Share& flags);
    ~CommonWork();
    CommonWork(const CommonWork&) = delete;
    CommonWork& operator=(const CommonWork&) = delete;

    std::vector<Operation> operations();

  private:
    // One thread's.
    struct Reader {
        lab::DeviceBuffer page;
        RandomPages pages;
    };
    CommonWork(const std::string& directory, Share& share, Share& flags)
        : directory_(directory), share_(share), flags_(flags) {}
    std::string prepare();
    std::vector<Operation> data_operations();
    std::vector<Operation> file_operations();
    Operation transfer(const char* name, bool writes, std::span<std::byte> buffer);
    Operation random_reads(const char* name, int threads, Share& share, guest::File& file);

    std::string path_of(std::size_t file) const;
    std::u16string volume_path_of(std::size_t file) const;
    // Names that nobody knows anything of; with `make` they are files.
    void renew_files(bool make);

    const std::string directory_;
    Share& share_;
    Share& flags_;
    guest::File* data_ = nullptr;
    guest::File* data_by_flags_ = nullptr;
    int native_ = -1;
    std::optional<lab::DeviceBuffer> megabyte_;
    std::vector<std::byte> other_memory_;
    std::vector<Reader> readers_;
    std::uint64_t next_ = 0;
    unsigned generation_ = 0;  // of the names of the many files
};

}  // namespace bench
