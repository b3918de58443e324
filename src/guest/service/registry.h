// The settings in the registry: which values there are, which of two keys wins, how wrong ones are reported.
// Must never know: windows.h; the keys come as an interface.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "guest/service/options.h"

namespace guest::service {

// One registry key; a missing key has no values.
class RegistryKey {
  public:
    virtual ~RegistryKey() = default;
    // nullopt also when the value is of another type.
    virtual std::optional<std::uint32_t> number(std::u16string_view name) const = 0;  // REG_DWORD
    virtual std::optional<std::u16string> text(std::u16string_view name) const = 0;   // REG_SZ
};

// HKLM\Software\<name>; the documented name wins, value by value.
inline constexpr std::u16string_view kDocumentedKey = u"virtiofs";
inline constexpr std::u16string_view kReleasedKey = u"VirtIO-FS";

class RegistrySettings {
  public:
    // The keys outlive the object.
    RegistrySettings(const RegistryKey& documented, const RegistryKey& released);

    // What virtiofs.exe without arguments runs with.
    std::expected<Settings, SettingsError> all() const;
    // OverflowUid and OverflowGid, which no option sets and which are always read from here.
    HostOwner overflow() const;

  private:
    std::optional<std::uint32_t> number(std::u16string_view name) const;
    // An empty text counts as a missing one.
    std::optional<std::u16string> text(std::u16string_view name) const;

    const RegistryKey& documented_;
    const RegistryKey& released_;
};

}  // namespace guest::service
