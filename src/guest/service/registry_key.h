// HKLM\Software\<name> as the settings' RegistryKey. Must never know: which values there are.
#pragma once

#include <windows.h>

#include "guest/service/registry.h"

namespace guest::service {

class SoftwareKey final : public RegistryKey {
  public:
    explicit SoftwareKey(std::u16string_view name);
    ~SoftwareKey() override;
    SoftwareKey(const SoftwareKey&) = delete;
    SoftwareKey& operator=(const SoftwareKey&) = delete;

    std::expected<std::uint32_t, ValueProblem> number(std::u16string_view name) const override;
    std::expected<std::u16string, ValueProblem> text(std::u16string_view name) const override;

  private:
    HKEY key_ = nullptr;  // nullptr: there is no such key
};

}  // namespace guest::service
