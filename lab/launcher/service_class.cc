#include "lab/launcher/service_class.h"

#include <optional>

namespace lab::launcher {
namespace {

constexpr DWORD kRegistryView = RRF_SUBKEY_WOW6432KEY;
constexpr DWORD kMaxValueBytes = 8192;

class ClassKey {
  public:
    explicit ClassKey(const std::wstring& name) : path_(L"Software\\WinFsp\\Services\\" + name) {}

    // Empty when there is no such value, as an empty value means the same.
    std::wstring text(const wchar_t* value) const {
        std::wstring result(kMaxValueBytes / sizeof(wchar_t), L'\0');
        DWORD bytes = kMaxValueBytes;
        if (RegGetValueW(HKEY_LOCAL_MACHINE, path_.c_str(), value, RRF_RT_REG_SZ | kRegistryView, nullptr,
                         result.data(), &bytes) != ERROR_SUCCESS) {
            return {};
        }
        result.resize(bytes / sizeof(wchar_t) - 1);
        return result;
    }
    std::optional<DWORD> number(const wchar_t* value) const {
        DWORD result = 0;
        DWORD bytes = sizeof result;
        if (RegGetValueW(HKEY_LOCAL_MACHINE, path_.c_str(), value, RRF_RT_REG_DWORD | kRegistryView, nullptr,
                         &result, &bytes) != ERROR_SUCCESS) {
            return std::nullopt;
        }
        return result;
    }

  private:
    std::wstring path_;
};

}  // namespace

std::expected<ServiceClass, DWORD> read_class(const std::wstring& name) {
    if (name.empty() || name.find_first_of(L"\\/") != std::wstring::npos)
        return std::unexpected(ERROR_INVALID_PARAMETER);
    const ClassKey key(name);
    ServiceClass result{.executable = key.text(L"Executable"),
                        .command_line = key.text(L"CommandLine"),
                        .work_directory = key.text(L"WorkDirectory"),
                        .job_control = key.number(L"JobControl").value_or(1) != 0};
    if (result.executable.empty()) return std::unexpected(ERROR_FILE_NOT_FOUND);
    const bool modelled = key.text(L"RunAs").empty() && key.number(L"Credentials").value_or(0) == 0 &&
                          key.text(L"AuthPackage").empty() && key.text(L"Agent").empty();
    if (!modelled) return std::unexpected(ERROR_NOT_SUPPORTED);
    return result;
}

}  // namespace lab::launcher
