// Files and directories for Windows test programs, with plain Win32 calls. Every failure throws
// std::runtime_error with a sentence that names the call, the path and Windows' error.
#pragma once

#include <windows.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace tests {

inline std::string utf8(const std::wstring& text) {
    const int length = static_cast<int>(text.size());
    std::string out(4 * text.size() + 1, '\0');
    out.resize(WideCharToMultiByte(CP_UTF8, 0, text.data(), length, out.data(), static_cast<int>(out.size()),
                                   nullptr, nullptr));
    return out;
}

[[noreturn]] inline void fail(const std::string& what) {
    throw std::runtime_error(what);
}

[[noreturn]] inline void fail_with_last_error(const char* call, const std::wstring& on) {
    const DWORD error = GetLastError();
    fail(std::string(call) + " " + utf8(on) + ": Windows error " + std::to_string(error));
}

inline void check(BOOL success, const char* call, const std::wstring& on) {
    if (!success) fail_with_last_error(call, on);
}

class Handle {
  public:
    Handle(const std::wstring& path, DWORD access, DWORD share, DWORD disposition) : path_(path) {
        handle_ =
            CreateFileW(path.c_str(), access, share, nullptr, disposition, FILE_ATTRIBUTE_NORMAL, nullptr);
        if (handle_ == INVALID_HANDLE_VALUE) fail_with_last_error("CreateFile", path);
    }
    ~Handle() { CloseHandle(handle_); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    // Up to `buffer.size()` bytes; less at the end of the file.
    std::size_t read(std::vector<char>& buffer) const {
        DWORD got = 0;
        check(ReadFile(handle_, buffer.data(), static_cast<DWORD>(buffer.size()), &got, nullptr), "ReadFile",
              path_);
        return got;
    }
    void write(const std::string& text) const {
        DWORD put = 0;
        check(WriteFile(handle_, text.data(), static_cast<DWORD>(text.size()), &put, nullptr), "WriteFile",
              path_);
        if (put != text.size()) fail("WriteFile " + utf8(path_) + ": wrote less than asked");
    }
    void seek(std::int64_t offset, DWORD from) const {
        LARGE_INTEGER distance;
        distance.QuadPart = offset;
        check(SetFilePointerEx(handle_, distance, nullptr, from), "SetFilePointerEx", path_);
    }
    void cut_here() const { check(SetEndOfFile(handle_), "SetEndOfFile", path_); }
    void flush() const { check(FlushFileBuffers(handle_), "FlushFileBuffers", path_); }

  private:
    std::wstring path_;
    HANDLE handle_;
};

inline std::uint64_t size_of(const WIN32_FIND_DATAW& entry) {
    return (std::uint64_t{entry.nFileSizeHigh} << 32) | entry.nFileSizeLow;
}

// Calls `use` with each entry of a directory (a path that ends in a backslash) except "." and "..".
template <typename Use>
void for_each_entry(const std::wstring& directory, Use use) {
    WIN32_FIND_DATAW data;
    const std::wstring pattern = directory + L"*";
    const HANDLE search = FindFirstFileW(pattern.c_str(), &data);
    if (search == INVALID_HANDLE_VALUE) fail_with_last_error("FindFirstFile", pattern);
    do {
        const std::wstring name = data.cFileName;
        if (name != L"." && name != L"..") use(data);
    } while (FindNextFileW(search, &data));
    const DWORD end = GetLastError();
    FindClose(search);
    if (end != ERROR_NO_MORE_FILES)
        fail("FindNextFile " + utf8(pattern) + ": Windows error " + std::to_string(end));
}

}  // namespace tests
