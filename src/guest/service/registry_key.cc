#include "guest/service/registry_key.h"

#include "guest/service/win32.h"

namespace guest::service {
namespace {

// A value that cannot be read counts as missing.
ValueProblem problem_of(LSTATUS status) {
    return status == ERROR_UNSUPPORTED_TYPE ? ValueProblem::kOtherType : ValueProblem::kMissing;
}

}  // namespace

SoftwareKey::SoftwareKey(std::u16string_view name) {
    const std::wstring path = L"Software\\" + std::wstring(as_wide(name));
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path.c_str(), 0, KEY_QUERY_VALUE, &key_) != ERROR_SUCCESS)
        key_ = nullptr;
}

SoftwareKey::~SoftwareKey() {
    if (key_ != nullptr) RegCloseKey(key_);
}

std::expected<std::uint32_t, ValueProblem> SoftwareKey::number(std::u16string_view name) const {
    if (key_ == nullptr) return std::unexpected(ValueProblem::kMissing);
    DWORD value = 0;
    DWORD bytes = sizeof value;
    const std::wstring value_name(as_wide(name));
    const LSTATUS status =
        RegGetValueW(key_, nullptr, value_name.c_str(), RRF_RT_REG_DWORD, nullptr, &value, &bytes);
    if (status != ERROR_SUCCESS) return std::unexpected(problem_of(status));
    return value;
}

std::expected<std::u16string, ValueProblem> SoftwareKey::text(std::u16string_view name) const {
    if (key_ == nullptr) return std::unexpected(ValueProblem::kMissing);
    const std::wstring value_name(as_wide(name));
    std::wstring value(MAX_PATH, L'\0');
    for (;;) {
        DWORD bytes = static_cast<DWORD>(value.size() * sizeof(wchar_t));
        const LSTATUS status =
            RegGetValueW(key_, nullptr, value_name.c_str(), RRF_RT_REG_SZ, nullptr, value.data(), &bytes);
        if (status == ERROR_MORE_DATA) {
            value.resize(bytes / sizeof(wchar_t) + 1);
            continue;
        }
        if (status != ERROR_SUCCESS) return std::unexpected(problem_of(status));
        // The length counts the terminator, which RegGetValue adds where it is missing.
        value.resize(bytes / sizeof(wchar_t) - (bytes >= sizeof(wchar_t) ? 1 : 0));
        return std::u16string(as_utf16(value));
    }
}

}  // namespace guest::service
