#include "host/id_translation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

namespace host {
namespace {

struct Form {
    std::string_view name;
    std::string_view fields;
    bool for_guest_ids = false;
    bool for_host_ids = false;
};
constexpr std::array kForms{
    Form{"guest", "GUEST:HOST:COUNT", true, false},
    Form{"host", "HOST:GUEST:COUNT", false, true},
    Form{"map", "GUEST:HOST:COUNT", true, true},
    Form{"squash-guest", "GUEST:HOST:COUNT", true, false},
    Form{"squash-host", "HOST:GUEST:COUNT", false, true},
    Form{"forbid-guest", "GUEST:COUNT", true, false},
};

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// "first:...:count" as numbers; the error says which is none.
std::expected<std::vector<std::uint32_t>, std::string> numbers(std::string_view text) {
    std::vector<std::uint32_t> values;
    while (true) {
        const auto field = text.substr(0, text.find(':'));
        const auto value = number(field);
        if (!value) return std::unexpected(fmt::format("\"{}\" is no number from 0 to 4294967295", field));
        values.push_back(*value);
        if (field.size() == text.size()) return values;
        text.remove_prefix(field.size() + 1);
    }
}

// The last id of a range must be one: kNoId is not.
bool is_range_of_ids(std::uint32_t first, std::uint32_t count) {
    return std::uint64_t{first} + count <= IdTranslation::kNoId;
}

}  // namespace

std::expected<void, std::string> IdTranslation::add(std::string_view rule) {
    const auto fail = [rule](std::string_view why) {
        return std::unexpected(fmt::format("id translation \"{}\": {}", rule, why));
    };
    const auto name = rule.substr(0, rule.find(':'));
    const auto* const form = std::ranges::find(kForms, name, &Form::name);
    if (form == kForms.end()) {
        return fail("it begins with none of guest:, host:, map:, squash-guest:, squash-host:, forbid-guest:");
    }
    const bool forbids = name == "forbid-guest";
    const auto fields = numbers(rule.substr(std::min(rule.size(), name.size() + 1)));
    if (!fields || fields->size() != (forbids ? 2 : 3)) {
        return fail(fmt::format("expected {}:{}{}", name, form->fields, fields ? "" : "; " + fields.error()));
    }
    const bool squashes = name.starts_with("squash-");
    const auto kind = forbids ? Range::Kind::kForbid : squashes ? Range::Kind::kSquash : Range::Kind::kShift;
    const std::uint32_t first = fields->front();
    const std::uint32_t count = fields->back();
    const std::uint32_t target = forbids ? 0 : (*fields)[1];
    if (count == 0) return fail("a count of 0 names no id");
    if (!is_range_of_ids(first, count) || !is_range_of_ids(target, kind == Range::Kind::kShift ? count : 1)) {
        return fail("ids end at 4294967294");
    }

    const Range forwards{kind, first, target, count};
    // A range of host ids begins with the host's id, except in map:, which names the guest's first.
    const Range of_host = form->for_guest_ids ? Range{kind, target, first, count} : forwards;
    const auto clash = [&fail](const std::vector<Range>& others, const Range& range,
                               std::string_view whose) -> std::expected<void, std::string> {
        const auto other = std::ranges::find_if(others, [&](const Range& it) { return it.overlaps(range); });
        if (other == others.end()) return {};
        return fail(fmt::format("its {} ids overlap with those of another rule, {} to {}", whose,
                                other->first, other->first + (other->count - 1)));
    };
    if (form->for_guest_ids) {
        if (auto clear = clash(to_host_, forwards, "guest"); !clear) return clear;
    }
    if (form->for_host_ids) {
        if (auto clear = clash(to_guest_, of_host, "host"); !clear) return clear;
    }
    if (form->for_guest_ids) to_host_.push_back(forwards);
    if (form->for_host_ids) to_guest_.push_back(of_host);
    return {};
}

const IdTranslation::Range* IdTranslation::find(const std::vector<Range>& ranges, std::uint32_t id) {
    const auto range = std::ranges::find_if(ranges, [id](const Range& it) { return it.contains(id); });
    return range == ranges.end() ? nullptr : &*range;
}

std::expected<std::uint32_t, fuse::Errno> IdTranslation::to_host(std::uint32_t guest_id) const {
    if (guest_id == kNoId) return std::unexpected(fuse::Errno::kEPERM);
    const Range* const range = find(to_host_, guest_id);
    if (range == nullptr) return guest_id;
    if (range->kind == Range::Kind::kForbid) return std::unexpected(fuse::Errno::kEPERM);
    return range->translate(guest_id);
}

std::uint32_t IdTranslation::to_guest(std::uint32_t host_id) const {
    const Range* const range = find(to_guest_, host_id);
    return range == nullptr ? host_id : range->translate(host_id);
}

}  // namespace host
