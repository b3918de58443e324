// Small owners and conversions for Win32, shared by the service's Windows files. Must never know: FUSE,
// WinFsp.
#pragma once

#include <windows.h>

#include <string>
#include <string_view>
#include <utility>

namespace guest::service {

// A kernel handle that is closed; both of Win32's "none" values count as none.
class UniqueHandle {
  public:
    UniqueHandle() = default;
    explicit UniqueHandle(HANDLE handle) noexcept
        : handle_(handle == INVALID_HANDLE_VALUE ? nullptr : handle) {}
    UniqueHandle(UniqueHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    UniqueHandle& operator=(UniqueHandle&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~UniqueHandle() {
        if (handle_ != nullptr) CloseHandle(handle_);
    }

    HANDLE get() const noexcept { return handle_; }
    explicit operator bool() const noexcept { return handle_ != nullptr; }

  private:
    HANDLE handle_ = nullptr;
};

// wchar_t and char16_t are the same UTF-16 here, of different type; this program is built without strict
// aliasing.
inline std::u16string_view as_utf16(std::wstring_view text) {
    return {reinterpret_cast<const char16_t*>(text.data()), text.size()};
}
inline std::wstring_view as_wide(std::u16string_view text) {
    return {reinterpret_cast<const wchar_t*>(text.data()), text.size()};
}

// UTF-8 to UTF-16 for messages; what is not UTF-8 becomes U+FFFD.
std::wstring to_wide(std::string_view utf8);

// "Access is denied. (error 5)", in UTF-8.
std::string describe_error(DWORD error);

}  // namespace guest::service
