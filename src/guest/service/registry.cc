#include "guest/service/registry.h"

namespace guest::service {
namespace {

SettingsError wrong_value(std::string_view name, const std::string& why) {
    return {.problem = Problem::kUsage,
            .message = "registry value " + std::string(name) +
                       " of HKLM\\Software\\virtiofs or HKLM\\Software\\VirtIO-FS: " + why};
}

}  // namespace

RegistrySettings::RegistrySettings(const RegistryKey& documented, const RegistryKey& released)
    : documented_(documented), released_(released) {}

std::optional<std::uint32_t> RegistrySettings::number(std::u16string_view name) const {
    const auto value = documented_.number(name);
    return value ? value : released_.number(name);
}

std::optional<std::u16string> RegistrySettings::text(std::u16string_view name) const {
    for (const RegistryKey* key : {&documented_, &released_}) {
        if (auto value = key->text(name); value && !value->empty()) return value;
    }
    return std::nullopt;
}

HostOwner RegistrySettings::overflow() const {
    const HostOwner standard = Settings{}.overflow;
    return {.uid = number(u"OverflowUid").value_or(standard.uid),
            .gid = number(u"OverflowGid").value_or(standard.gid)};
}

std::expected<Settings, SettingsError> RegistrySettings::all() const {
    Settings settings;
    settings.debug_flags = number(u"DebugFlags").value_or(0);
    settings.debug_log_file = text(u"DebugLogFile").value_or(u"");
    settings.mount_point = parse_mount_point(text(u"MountPoint").value_or(u""));
    settings.overflow = overflow();
    if (number(u"CaseInsensitive").value_or(0) != 0) {
        return std::unexpected(case_insensitive_not_supported("registry value CaseInsensitive"));
    }
    if (const auto value = text(u"Owner")) {
        const auto owner = parse_owner(*value);
        if (!owner) return std::unexpected(wrong_value("Owner", owner.error()));
        settings.owner = *owner;
    }
    if (const auto value = text(u"FileSystemName")) {
        auto name = parse_file_system_name(*value);
        if (!name) return std::unexpected(wrong_value("FileSystemName", name.error()));
        settings.file_system_name = *std::move(name);
    }
    return settings;
}

}  // namespace guest::service
