// Files and programs through plain Win32 calls, as the redirection's test programs use them.
#pragma once

#include <windows.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lab/redirect/tests/check.h"

namespace lab::redirect::test {

class File {
  public:
    File(const std::wstring& path, DWORD access, DWORD disposition, DWORD flags = FILE_ATTRIBUTE_NORMAL,
         DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, bool inherit = false) {
        SECURITY_ATTRIBUTES security{sizeof(security), nullptr, inherit};
        handle_ = CreateFileW(path.c_str(), access, share, &security, disposition, flags, nullptr);
    }
    ~File() { close(); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    bool is_open() const { return handle_ != INVALID_HANDLE_VALUE; }
    HANDLE get() const { return handle_; }
    void close() {
        if (is_open()) CloseHandle(handle_);
        handle_ = INVALID_HANDLE_VALUE;
    }
    bool write(const std::string& text) const {
        DWORD done = 0;
        return WriteFile(handle_, text.data(), static_cast<DWORD>(text.size()), &done, nullptr) &&
               done == text.size();
    }
    std::string read(DWORD bytes) const {
        std::string text(bytes, '\0');
        DWORD done = 0;
        if (!ReadFile(handle_, text.data(), bytes, &done, nullptr)) return "(read failed)";
        text.resize(done);
        return text;
    }

  private:
    HANDLE handle_;
};

inline bool put(const std::wstring& path, const std::string& text) {
    const File file(path, GENERIC_WRITE, CREATE_ALWAYS);
    return file.is_open() && file.write(text);
}

inline std::string get(const std::wstring& path) {
    const File file(path, GENERIC_READ, OPEN_EXISTING);
    if (!file.is_open()) return "(cannot open)";
    LARGE_INTEGER size{};
    GetFileSizeEx(file.get(), &size);
    return file.read(static_cast<DWORD>(size.QuadPart));
}

inline bool exists(const std::wstring& path) {
    return GetFileAttributesW(path.c_str()) != INVALID_FILE_ATTRIBUTES;
}

inline std::string pattern(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::uint32_t value = 12345;
    for (char& c : text)
        c = static_cast<char>((value = value * 1664525 + 1013904223) >> 24);
    return text;
}

inline std::vector<std::wstring> list(const std::wstring& expression) {
    std::vector<std::wstring> names;
    WIN32_FIND_DATAW data{};
    HANDLE find = FindFirstFileW(expression.c_str(), &data);
    if (find == INVALID_HANDLE_VALUE) return names;
    do {
        const std::wstring name = data.cFileName;
        if (name != L"." && name != L"..") names.push_back(name);
    } while (FindNextFileW(find, &data));
    CHECK(GetLastError() == ERROR_NO_MORE_FILES);
    FindClose(find);
    return names;
}

inline std::wstring own_path() {
    wchar_t path[MAX_PATH];
    GetModuleFileNameW(nullptr, path, MAX_PATH);
    return path;
}

// Runs this program again; the exit code.
inline DWORD run(const std::wstring& program, const std::wstring& arguments,
                 const wchar_t* directory = nullptr) {
    std::wstring command = L"\"" + program + L"\" " + arguments;
    STARTUPINFOW startup{};
    startup.cb = sizeof(startup);
    PROCESS_INFORMATION process{};
    if (!CHECK(CreateProcessW(program.c_str(), command.data(), nullptr, nullptr, TRUE, 0, nullptr, directory,
                              &startup, &process))) {
        return ~0U;
    }
    WaitForSingleObject(process.hProcess, INFINITE);
    DWORD code = ~0U;
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return code;
}

}  // namespace lab::redirect::test
