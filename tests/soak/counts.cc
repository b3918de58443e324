// Prints how many handles a running program has open: the sum over all processes of that file name.
// Usage: soak_counts.exe PROGRAM.EXE
#include <windows.h>
#include <winternl.h>

#include <cstdio>
#include <cwchar>
#include <map>
#include <string>
#include <vector>

namespace {

// SystemExtendedHandleInformation; winternl.h has neither the class nor its structures.
constexpr auto kExtendedHandles = static_cast<SYSTEM_INFORMATION_CLASS>(64);
constexpr NTSTATUS kLengthMismatch = static_cast<NTSTATUS>(0xC0000004);

struct HandleEntry {
    void* object;
    ULONG_PTR process_id;
    ULONG_PTR handle;
    ULONG access;
    USHORT trace;
    USHORT type;
    ULONG attributes;
    ULONG reserved;
};
struct HandleTable {
    ULONG_PTR count;
    ULONG_PTR reserved;
    HandleEntry entries[1];
};

// The system's answer to a query whose length is not known; empty on failure.
std::vector<char> query(SYSTEM_INFORMATION_CLASS information) {
    for (ULONG size = 1 << 16; size <= 1u << 28; size *= 2) {
        std::vector<char> buffer(size);
        const NTSTATUS status = NtQuerySystemInformation(information, buffer.data(), size, nullptr);
        if (status >= 0) return buffer;
        if (status != kLengthMismatch) break;
    }
    return {};
}

bool is_named(ULONG_PTR process_id, const wchar_t* name) {
    const HANDLE process =
        OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(process_id));
    if (process == nullptr) return false;
    wchar_t path[MAX_PATH];
    DWORD length = MAX_PATH;
    const bool known = QueryFullProcessImageNameW(process, 0, path, &length) != 0;
    CloseHandle(process);
    if (!known) return false;
    const std::wstring text(path, length);
    return _wcsicmp(text.substr(text.rfind(L'\\') + 1).c_str(), name) == 0;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: soak_counts.exe PROGRAM.EXE\n");
        return 2;
    }
    const std::vector<char> answer = query(kExtendedHandles);
    if (answer.empty()) {
        std::fprintf(stderr, "soak_counts: the system does not tell its handles\n");
        return 1;
    }
    const auto& table = *reinterpret_cast<const HandleTable*>(answer.data());
    std::map<ULONG_PTR, unsigned long> handles;
    for (ULONG_PTR i = 0; i < table.count; ++i)
        ++handles[table.entries[i].process_id];
    unsigned long sum = 0;
    for (const auto& [process_id, count] : handles) {
        if (is_named(process_id, argv[1])) sum += count;
    }
    if (sum == 0) {
        std::fprintf(stderr, "soak_counts: no such program runs\n");
        return 1;
    }
    std::printf("%lu\n", sum);
    return 0;
}
