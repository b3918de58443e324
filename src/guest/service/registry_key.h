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

    std::optional<std::uint32_t> number(std::u16string_view name) const override;
    std::optional<std::u16string> text(std::u16string_view name) const override;

  private:
    HKEY key_ = nullptr;  // nullptr: there is no such key
};

}  // namespace guest::service
