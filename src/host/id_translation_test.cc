// Rules of --translate-uid as users write them, and what comes of ids.
#include "host/id_translation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace host {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

IdTranslation of(std::initializer_list<std::string_view> rules) {
    IdTranslation ids;
    for (const auto rule : rules) {
        const auto added = ids.add(rule);
        EXPECT_TRUE(added) << added.error();
    }
    return ids;
}

std::string error_of(std::initializer_list<std::string_view> rules, std::string_view last) {
    auto ids = of(rules);
    const auto added = ids.add(last);
    return added ? "no error" : added.error();
}

TEST(IdTranslation, WithoutRulesEveryIdIsItself) {
    const IdTranslation ids;
    EXPECT_TRUE(ids.is_identity());
    EXPECT_EQ(ids.to_host(0), 0U);
    EXPECT_EQ(ids.to_host(4294967294), 4294967294U);
    EXPECT_EQ(ids.to_guest(1000), 1000U);
}

TEST(IdTranslation, TheIdThatIsNoneIsRefused) {
    EXPECT_EQ(IdTranslation().to_host(IdTranslation::kNoId), std::unexpected(fuse::Errno::kEPERM));
    EXPECT_EQ(of({"squash-guest:0:7:4294967295"}).to_host(IdTranslation::kNoId),
              std::unexpected(fuse::Errno::kEPERM));
}

TEST(IdTranslation, Guest_ShiftsIdsOnTheirWayToTheHostOnly) {
    const auto ids = of({"guest:1000:100000:10"});
    EXPECT_FALSE(ids.is_identity());
    EXPECT_EQ(ids.to_host(999), 999U);
    EXPECT_EQ(ids.to_host(1000), 100000U);
    EXPECT_EQ(ids.to_host(1009), 100009U);
    EXPECT_EQ(ids.to_host(1010), 1010U);
    EXPECT_EQ(ids.to_guest(100000), 100000U);
}

TEST(IdTranslation, Host_ShiftsIdsOnTheirWayToTheGuestOnly) {
    const auto ids = of({"host:100000:1000:10"});
    EXPECT_EQ(ids.to_guest(100009), 1009U);
    EXPECT_EQ(ids.to_guest(100010), 100010U);
    EXPECT_EQ(ids.to_host(1000), 1000U);
}

TEST(IdTranslation, Map_ShiftsBothWays) {
    const auto ids = of({"map:1000:100000:10"});
    EXPECT_EQ(ids.to_host(1009), 100009U);
    EXPECT_EQ(ids.to_guest(100009), 1009U);
}

TEST(IdTranslation, Squash_MakesOneIdOfMany) {
    const auto ids = of({"squash-guest:0:1001:4294967295", "squash-host:5:6:2"});
    EXPECT_EQ(ids.to_host(0), 1001U);
    EXPECT_EQ(ids.to_host(4294967294), 1001U);
    EXPECT_EQ(ids.to_guest(5), 6U);
    EXPECT_EQ(ids.to_guest(6), 6U);
    EXPECT_EQ(ids.to_guest(7), 7U);
}

TEST(IdTranslation, Forbid_RefusesTheGuestsIds) {
    const auto ids = of({"forbid-guest:0:1000"});
    EXPECT_EQ(ids.to_host(0), std::unexpected(fuse::Errno::kEPERM));
    EXPECT_EQ(ids.to_host(999), std::unexpected(fuse::Errno::kEPERM));
    EXPECT_EQ(ids.to_host(1000), 1000U);
    EXPECT_EQ(ids.to_guest(0), 0U);
}

TEST(IdTranslation, AnUnprivilegedDaemonsDocumentedRules) {
    const auto ids = of({"squash-guest:0:1001:4294967295", "host:1001:1000:1"});
    EXPECT_EQ(ids.to_host(1000), 1001U);
    EXPECT_EQ(ids.to_guest(1001), 1000U);
    EXPECT_EQ(ids.to_guest(0), 0U);
}

TEST(IdTranslation, OnlyTwoUsersAllowed) {
    const auto ids = of({"forbid-guest:0:1000", "map:1000:1000:1", "forbid-guest:1001:999", "map:2000:2000:1",
                         "forbid-guest:2001:4294965294"});
    EXPECT_EQ(ids.to_host(1000), 1000U);
    EXPECT_EQ(ids.to_host(2000), 2000U);
    EXPECT_FALSE(ids.to_host(0));
    EXPECT_FALSE(ids.to_host(1999));
    EXPECT_FALSE(ids.to_host(4294967294));
}

TEST(IdTranslation, OverlappingRangesAreAnErrorAndChangeNothing) {
    EXPECT_THAT(error_of({"guest:1000:5:1000"}, "forbid-guest:1999:1"),
                HasSubstr("its guest ids overlap with those of another rule, 1000 to 1999"));
    EXPECT_THAT(error_of({"forbid-guest:10:1"}, "map:0:0:100"), HasSubstr("its guest ids overlap"));
    EXPECT_THAT(error_of({"map:0:500:10"}, "squash-host:400:0:101"), HasSubstr("its host ids overlap"));
    EXPECT_THAT(error_of({"host:500:1:1"}, "map:0:500:1"), HasSubstr("its host ids overlap"));
    EXPECT_EQ(error_of({"guest:0:500:10"}, "host:0:500:10"), "no error");

    auto ids = of({"host:500:1:1"});
    EXPECT_FALSE(ids.add("map:0:500:1"));
    EXPECT_EQ(ids.to_host(0), 0U);
}

TEST(IdTranslation, WhatIsNotARuleIsAnErrorThatNamesIt) {
    EXPECT_THAT(error_of({}, "squash:0:1:2"),
                StartsWith("id translation \"squash:0:1:2\": it begins with none of"));
    EXPECT_THAT(error_of({}, ""), HasSubstr("it begins with none of"));
    EXPECT_THAT(error_of({}, "map"), HasSubstr("expected map:GUEST:HOST:COUNT"));
    EXPECT_THAT(error_of({}, "map:1:2"), HasSubstr("expected map:GUEST:HOST:COUNT"));
    EXPECT_THAT(error_of({}, "map:1:2:3:4"), HasSubstr("expected map:GUEST:HOST:COUNT"));
    EXPECT_THAT(error_of({}, "map:1:2:3:"), HasSubstr("expected map:GUEST:HOST:COUNT"));
    EXPECT_THAT(error_of({}, "map:1:x:3"), HasSubstr("\"x\" is no number"));
    EXPECT_THAT(error_of({}, "map:1:-1:3"), HasSubstr("\"-1\" is no number"));
    EXPECT_THAT(error_of({}, "map:1:4294967296:3"), HasSubstr("\"4294967296\" is no number"));
    EXPECT_THAT(error_of({}, "forbid-guest:1:2:3"), HasSubstr("expected forbid-guest:GUEST:COUNT"));
    EXPECT_THAT(error_of({}, "map:1:2:0"), HasSubstr("a count of 0"));
}

TEST(IdTranslation, RangesEndBeforeTheIdThatIsNone) {
    EXPECT_EQ(error_of({}, "map:0:0:4294967295"), "no error");
    EXPECT_THAT(error_of({}, "map:1:0:4294967295"), HasSubstr("ids end at 4294967294"));
    EXPECT_THAT(error_of({}, "map:0:1:4294967295"), HasSubstr("ids end at 4294967294"));
    EXPECT_THAT(error_of({}, "squash-guest:0:4294967295:1"), HasSubstr("ids end at 4294967294"));
    EXPECT_THAT(error_of({}, "forbid-guest:4294967295:1"), HasSubstr("ids end at 4294967294"));
}

}  // namespace
}  // namespace host
