// A directory for a benchmark's files. Must never know: what they are.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace bench {

// A directory that is removed at the end.
class ScratchDirectory {
  public:
    // Below `parent`.
    static std::expected<ScratchDirectory, std::string> make(const std::string& parent);
    ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ScratchDirectory& operator=(ScratchDirectory&&) = delete;
    ~ScratchDirectory();

    const std::string& path() const { return path_; }

  private:
    explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

}  // namespace bench
