#include "guest/service/registry.h"

#include <array>
#include <limits>

#include "guest/service/text.h"

namespace guest::service {
namespace {

SettingsError wrong_value(std::u16string_view name, const std::string& why) {
    return {.problem = Problem::kUsage,
            .message = "registry value " + to_utf8(name) +
                       " of HKLM\\Software\\virtiofs or HKLM\\Software\\VirtIO-FS: " + why};
}

// Stores what a value says, if there is one and it is right.
template <typename T, typename Parse, typename Target>
std::expected<void, SettingsError> store(std::u16string_view name,
                                         const std::expected<std::optional<T>, SettingsError>& value,
                                         Parse parse, Target& target) {
    if (!value) return std::unexpected(value.error());
    if (!*value) return {};
    auto parsed = parse(**value);
    if (!parsed) return std::unexpected(wrong_value(name, parsed.error()));
    target = *std::move(parsed);
    return {};
}

// A value that may be anything of its type.
template <typename T>
std::expected<T, std::string> as_it_is(const T& value) {
    return value;
}

}  // namespace

RegistrySettings::RegistrySettings(const RegistryKey& documented, const RegistryKey& released)
    : documented_(documented), released_(released) {}

std::expected<std::optional<std::uint32_t>, SettingsError> RegistrySettings::number(
    std::u16string_view name) const {
    for (const RegistryKey* key : {&documented_, &released_}) {
        const auto value = key->number(name);
        if (value) return *value;
        if (value.error() == ValueProblem::kOtherType)
            return std::unexpected(wrong_value(name, "a DWORD is expected"));
    }
    return std::nullopt;
}

std::expected<std::optional<std::u16string>, SettingsError> RegistrySettings::text(
    std::u16string_view name) const {
    for (const RegistryKey* key : {&documented_, &released_}) {
        auto value = key->text(name);
        if (value && !value->empty()) return *std::move(value);
        if (!value && value.error() == ValueProblem::kOtherType)
            return std::unexpected(wrong_value(name, "a string is expected"));
    }
    return std::nullopt;
}

std::expected<std::uint32_t, SettingsError> RegistrySettings::id(std::u16string_view name,
                                                                 std::uint32_t standard) const {
    const auto value = number(name);
    if (!value) return std::unexpected(value.error());
    // The greatest id means "leave as it is" to Linux and belongs to nobody.
    if (*value == std::numeric_limits<std::uint32_t>::max())
        return std::unexpected(wrong_value(name, "ids go from 0 to 4294967294 (0xfffffffe)"));
    return value->value_or(standard);
}

std::expected<HostOwner, SettingsError> RegistrySettings::overflow() const {
    const HostOwner standard = Settings{}.overflow;
    const auto uid = id(u"OverflowUid", standard.uid);
    if (!uid) return std::unexpected(uid.error());
    const auto gid = id(u"OverflowGid", standard.gid);
    if (!gid) return std::unexpected(gid.error());
    return HostOwner{.uid = *uid, .gid = *gid};
}

std::expected<Settings, SettingsError> RegistrySettings::all() const {
    Settings settings;
    const auto ids = overflow();
    if (!ids) return std::unexpected(ids.error());
    settings.overflow = *ids;
    std::uint32_t case_insensitive = 0;
    const std::array stored{
        store(u"DebugFlags", number(u"DebugFlags"), as_it_is<std::uint32_t>, settings.debug_flags),
        store(u"CaseInsensitive", number(u"CaseInsensitive"), as_it_is<std::uint32_t>, case_insensitive),
        store(u"DebugLogFile", text(u"DebugLogFile"), as_it_is<std::u16string>, settings.debug_log_file),
        store(u"MountPoint", text(u"MountPoint"), as_it_is<std::u16string>, settings.mount_point),
        store(u"Owner", text(u"Owner"), parse_owner, settings.owner),
        store(u"FileSystemName", text(u"FileSystemName"), parse_file_system_name, settings.file_system_name)};
    for (const auto& done : stored) {
        if (!done) return std::unexpected(done.error());
    }
    if (case_insensitive != 0)
        return std::unexpected(case_insensitive_not_supported("registry value CaseInsensitive"));
    settings.mount_point = parse_mount_point(settings.mount_point);
    return settings;
}

}  // namespace guest::service
