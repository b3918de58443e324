#include "tests/bench/scratch_directory.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace bench {

std::expected<ScratchDirectory, std::string> ScratchDirectory::make(const std::string& parent) {
    std::string path = parent + "/virtiofs-bench-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) {
        return std::unexpected(
            fmt::format("cannot make a directory below {}: {}", parent, std::strerror(errno)));
    }
    return ScratchDirectory(path);
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace bench
