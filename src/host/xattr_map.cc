#include "host/xattr_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace host {
namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";

// Takes "FIELD<separator>" off the text; nullopt when there is no separator.
std::optional<std::string_view> take_field(std::string_view& text, char separator) {
    const auto end = text.find(separator);
    if (end == std::string_view::npos) return std::nullopt;
    const auto field = text.substr(0, end);
    text.remove_prefix(end + 1);
    return field;
}

void skip_space(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
}

}  // namespace

std::expected<XattrMap, std::string> XattrMap::parse(std::string_view text) {
    using Kind = Rule::Kind;
    static constexpr std::array<std::pair<std::string_view, Kind>, 4> kKinds{
        {{"prefix", Kind::kPrefix},
         {"ok", Kind::kOk},
         {"bad", Kind::kBad},
         {"unsupported", Kind::kUnsupported}}};

    XattrMap map;
    bool ended = false;  // by a map rule
    std::size_t count = 0;
    for (skip_space(text); !text.empty(); skip_space(text)) {
        ++count;
        const auto fail = [count](std::string_view why) {
            return std::unexpected(fmt::format("xattr map, rule {}: {}", count, why));
        };
        if (ended) return fail("nothing may follow a map rule");
        const char separator = text.front();
        text.remove_prefix(1);
        const auto unfinished = [&] {
            return fail(fmt::format(
                "expected {0}TYPE{0}SCOPE{0}KEY{0}PREPEND{0} or {0}map{0}KEY{0}PREPEND{0}", separator));
        };

        const auto type = take_field(text, separator);
        if (!type) return unfinished();
        if (*type == "map") {
            const auto key = take_field(text, separator);
            const auto prepend = key ? take_field(text, separator) : std::nullopt;
            if (!prepend) return unfinished();
            map.rules_.push_back({Kind::kPrefix, true, true, std::string(*key), std::string(*prepend)});
            if (key->empty()) {
                map.rules_.push_back({Kind::kBad, true, true, {}, {}});
            } else {
                // The host's own names of this kind stay hidden, and the prefixed ones out of the guest's
                // reach.
                map.rules_.push_back({Kind::kBad, false, true, {}, std::string(*key)});
                map.rules_.push_back({Kind::kBad, true, false, std::string(*prepend), {}});
                map.rules_.push_back({Kind::kOk, true, true, {}, {}});
            }
            ended = true;
            continue;
        }
        const auto* const kind = std::ranges::find(kKinds, *type, &std::pair<std::string_view, Kind>::first);
        if (kind == kKinds.end()) {
            return fail(fmt::format("\"{}\" is none of the types prefix, ok, bad, unsupported, map", *type));
        }
        const auto scope = take_field(text, separator);
        if (!scope) return unfinished();
        if (*scope != "client" && *scope != "server" && *scope != "all") {
            return fail(fmt::format("\"{}\" is none of the scopes client, server, all", *scope));
        }
        const auto key = take_field(text, separator);
        const auto prepend = key ? take_field(text, separator) : std::nullopt;
        if (!prepend) return unfinished();
        map.rules_.push_back(
            {kind->second, *scope != "server", *scope != "client", std::string(*key), std::string(*prepend)});
    }
    if (map.rules_.empty()) return std::unexpected("the xattr map has no rule");
    return map;
}

std::expected<std::string, fuse::Errno> XattrMap::to_host(std::string_view guest_name) const {
    if (rules_.empty()) return std::string(guest_name);
    for (const Rule& rule : rules_) {
        if (!rule.for_guest_names || !guest_name.starts_with(rule.key)) continue;
        switch (rule.kind) {
            case Rule::Kind::kPrefix:
                return rule.prepend + std::string(guest_name);
            case Rule::Kind::kOk:
                return std::string(guest_name);
            case Rule::Kind::kBad:
                return std::unexpected(fuse::Errno::kEPERM);
            case Rule::Kind::kUnsupported:
                return std::unexpected(fuse::Errno::kENOTSUP);
        }
    }
    return std::unexpected(fuse::Errno::kEPERM);
}

std::optional<std::string> XattrMap::to_guest(std::string_view host_name) const {
    if (rules_.empty()) return std::string(host_name);
    for (const Rule& rule : rules_) {
        if (!rule.for_host_names || !host_name.starts_with(rule.prepend)) continue;
        switch (rule.kind) {
            case Rule::Kind::kPrefix:
                host_name.remove_prefix(rule.prepend.size());
                // Nothing is left of a name that is the prefix alone.
                if (host_name.empty()) return std::nullopt;
                return std::string(host_name);
            case Rule::Kind::kOk:
                return std::string(host_name);
            case Rule::Kind::kBad:
            case Rule::Kind::kUnsupported:
                return std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace host
