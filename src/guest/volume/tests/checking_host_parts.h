// What CheckingHost's files share: its inodes and how it takes requests apart. Must never know: the guest.
#pragma once

#include <algorithm>
#include <cstring>

#include "fuse/request.h"
#include "guest/volume/tests/checking_host.h"

namespace guest::test {

// Linux's numbers.
inline constexpr std::int32_t kNoEntry = 2;
inline constexpr std::int32_t kIoError = 5;
inline constexpr std::int32_t kBadFile = 9;
inline constexpr std::int32_t kExists = 17;
inline constexpr std::int32_t kNotADirectory = 20;
inline constexpr std::int32_t kIsADirectory = 21;
inline constexpr std::int32_t kInvalid = 22;
inline constexpr std::int32_t kNameTooLong = 36;
inline constexpr std::int32_t kNoSuchCall = 38;
inline constexpr std::int32_t kNotEmpty = 39;
inline constexpr std::int32_t kNotSupported = 95;

template <typename T>
void append_to(std::vector<std::byte>& bytes, const T& value) {
    const auto piece = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), piece.begin(), piece.end());
}

struct CheckingHost::Inode {
    std::uint64_t ino = 0;
    std::uint32_t mode = 0;
    std::uint32_t nlink = 1;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string data;
    std::uint64_t atime = 0, mtime = 0, ctime = 0;
    std::uint32_t atimensec = 0, mtimensec = 0, ctimensec = 0;
    std::uint64_t allocated = 0;
    std::map<std::string, InodePtr, std::less<>> children;
    bool is_directory() const { return (mode & fuse::mode::kTypeMask) == fuse::mode::kDirectory; }
    bool is_regular() const { return (mode & fuse::mode::kTypeMask) == fuse::mode::kRegular; }
};

// Takes a request apart; everything must be used up.
class CheckingHost::Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
    template <typename T>
    T fixed() {
        T value{};
        if (rest_.size() < sizeof(T)) {
            good_ = false;
            return value;
        }
        std::memcpy(&value, rest_.data(), sizeof(T));
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }
    std::string name() {
        std::string text = string();
        if (!fuse::is_component(text) || text == "." || text == "..") good_ = false;
        return text;
    }
    std::string string() {
        const auto end = std::find(rest_.begin(), rest_.end(), std::byte{0});
        if (end == rest_.end()) {
            good_ = false;
            return {};
        }
        std::string text(reinterpret_cast<const char*>(rest_.data()),
                         static_cast<std::size_t>(end - rest_.begin()));
        rest_ = rest_.subspan(text.size() + 1);
        return text;
    }
    std::string_view payload() {
        const std::string_view text(reinterpret_cast<const char*>(rest_.data()), rest_.size());
        rest_ = {};
        return text;
    }
    bool is_done() const { return good_ && rest_.empty(); }

  private:
    std::span<const std::byte> rest_;
    bool good_ = true;
};

struct CheckingHost::Request {
    fuse::InHeader header;
    Reader reader;                 // what follows the header
    std::vector<std::byte>& body;  // of the reply
    std::size_t room;              // bytes of body that the guest has room for
};

}  // namespace guest::test
