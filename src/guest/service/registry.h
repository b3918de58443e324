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

enum class ValueProblem { kMissing, kOtherType };

// One registry key; a missing key has no values.
class RegistryKey {
  public:
    virtual ~RegistryKey() = default;
    virtual std::expected<std::uint32_t, ValueProblem> number(
        std::u16string_view name) const = 0;  // REG_DWORD
    virtual std::expected<std::u16string, ValueProblem> text(std::u16string_view name) const = 0;  // REG_SZ
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
    std::expected<HostOwner, SettingsError> overflow() const;

  private:
    std::expected<std::optional<std::uint32_t>, SettingsError> number(std::u16string_view name) const;
    std::expected<std::uint32_t, SettingsError> id(std::u16string_view name, std::uint32_t standard) const;
    // An empty text counts as a missing one.
    std::expected<std::optional<std::u16string>, SettingsError> text(std::u16string_view name) const;

    const RegistryKey& documented_;
    const RegistryKey& released_;
};

}  // namespace guest::service
