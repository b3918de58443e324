// The documented rules of --xattrmap and their examples.
#include "host/xattr_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace host {
namespace {

using ::testing::HasSubstr;

constexpr auto kDenied = std::unexpected(fuse::Errno::kEPERM);
constexpr auto kUnsupported = std::unexpected(fuse::Errno::kENOTSUP);

XattrMap of(std::string_view text) {
    auto map = XattrMap::parse(text);
    EXPECT_TRUE(map) << map.error();
    return map.value_or(XattrMap());
}

std::string error_of(std::string_view text) {
    const auto map = XattrMap::parse(text);
    return map ? "no error" : map.error();
}

TEST(XattrMap, WithoutRulesEveryNameIsItself) {
    const XattrMap map;
    EXPECT_TRUE(map.is_identity());
    EXPECT_EQ(map.to_host("user.x"), "user.x");
    EXPECT_EQ(map.to_guest("trusted.x"), "trusted.x");
}

TEST(XattrMap, PrefixForTheClient_PrependsToTheWholeName) {
    const auto map = of(":prefix:client:trusted.:user.virtiofs.:");
    EXPECT_FALSE(map.is_identity());
    EXPECT_EQ(map.to_host("trusted.x"), "user.virtiofs.trusted.x");
    EXPECT_EQ(map.to_guest("user.virtiofs.trusted.x"), std::nullopt);
}

TEST(XattrMap, PrefixForTheServer_StripsThePrefix) {
    const auto map = of(":prefix:server::user.virtiofs.:");
    EXPECT_EQ(map.to_guest("user.virtiofs.trusted.x"), "trusted.x");
    EXPECT_EQ(map.to_guest("user.virtiofs."), std::nullopt);
    EXPECT_EQ(map.to_host("trusted.x"), kDenied);
}

TEST(XattrMap, PrefixForAll_IsBoth) {
    const auto map = of(":prefix:all:trusted.:user.virtiofs.:");
    EXPECT_EQ(map.to_host("trusted.x"), "user.virtiofs.trusted.x");
    EXPECT_EQ(map.to_guest("user.virtiofs.trusted.x"), "trusted.x");
}

TEST(XattrMap, Ok_LetsNamesOfItsScopeThrough) {
    EXPECT_EQ(of(":ok:client:user.::").to_host("user.x"), "user.x");
    EXPECT_EQ(of(":ok:client:user.::").to_guest("user.x"), std::nullopt);
    EXPECT_EQ(of(":ok:server::security.:").to_guest("security.x"), "security.x");
    EXPECT_EQ(of(":ok:server::security.:").to_host("security.x"), kDenied);
    EXPECT_EQ(of(":ok:all:::").to_host("security.x"), "security.x");
    EXPECT_EQ(of(":ok:all:::").to_guest("security.x"), "security.x");
}

TEST(XattrMap, Bad_DeniesAndHides) {
    const auto map = of(":bad:all:security.:security.::ok:all:::");
    EXPECT_EQ(map.to_host("security.x"), kDenied);
    EXPECT_EQ(map.to_guest("security.x"), std::nullopt);
    EXPECT_EQ(map.to_host("user.x"), "user.x");
}

TEST(XattrMap, Unsupported_AnswersSoAndHides) {
    const auto map = of("/unsupported/all/security.selinux/security.selinux//ok/all///");
    EXPECT_EQ(map.to_host("security.selinux"), kUnsupported);
    EXPECT_EQ(map.to_guest("security.selinux"), std::nullopt);
    EXPECT_EQ(map.to_host("security.capability"), "security.capability");
}

TEST(XattrMap, ANameThatNoRuleMatchesIsDeniedAndHidden) {
    const auto map = of(":ok:all:user.:user.:");
    EXPECT_EQ(map.to_host("trusted.x"), kDenied);
    EXPECT_EQ(map.to_guest("trusted.x"), std::nullopt);
}

TEST(XattrMap, TheFirstRuleThatMatchesDecides) {
    const auto map = of(":ok:all:user.a:user.a::bad:all:user.:user.::ok:all:::");
    EXPECT_EQ(map.to_host("user.a"), "user.a");
    EXPECT_EQ(map.to_host("user.b"), kDenied);
    EXPECT_EQ(map.to_host("trusted.b"), "trusted.b");
}

TEST(XattrMap, Example1_EverythingPrefixed) {
    for (const auto* const text : {":prefix:all::user.virtiofs.::bad:all:::", ":map::user.virtiofs.:"}) {
        const auto map = of(text);
        EXPECT_EQ(map.to_host("security.x"), "user.virtiofs.security.x") << text;
        EXPECT_EQ(map.to_host("user.virtiofs.x"), "user.virtiofs.user.virtiofs.x") << text;
        EXPECT_EQ(map.to_guest("user.virtiofs.security.x"), "security.x") << text;
        EXPECT_EQ(map.to_guest("security.x"), std::nullopt) << text;
    }
}

TEST(XattrMap, Example2_TrustedNamesPrefixed) {
    for (const auto* const text : {"/prefix/all/trusted./user.virtiofs./\n /bad/server//trusted./\n"
                                   " /bad/client/user.virtiofs.//\n /ok/all///",
                                   "/map/trusted./user.virtiofs./"}) {
        const auto map = of(text);
        EXPECT_EQ(map.to_host("trusted.x"), "user.virtiofs.trusted.x") << text;
        EXPECT_EQ(map.to_guest("user.virtiofs.trusted.x"), "trusted.x") << text;
        EXPECT_EQ(map.to_guest("trusted.x"), std::nullopt) << text;
        EXPECT_EQ(map.to_host("user.virtiofs.trusted.x"), kDenied) << text;
        EXPECT_EQ(map.to_host("user.x"), "user.x") << text;
        EXPECT_EQ(map.to_guest("user.x"), "user.x") << text;
    }
}

TEST(XattrMap, Example3_SecurityNamesHidden) {
    const auto map = of("/bad/all/security./security./\n /ok/all///");
    EXPECT_EQ(map.to_host("security.selinux"), kDenied);
    EXPECT_EQ(map.to_guest("security.selinux"), std::nullopt);
    EXPECT_EQ(map.to_guest("user.x"), "user.x");
}

TEST(XattrMap, ExampleSelinux_TheGuestsLabelIsTheGuestsOwn) {
    const auto map = of(":map:security.selinux:trusted.virtiofs.:");
    EXPECT_EQ(map.to_host("security.selinux"), "trusted.virtiofs.security.selinux");
    EXPECT_EQ(map.to_guest("trusted.virtiofs.security.selinux"), "security.selinux");
    EXPECT_EQ(map.to_guest("security.selinux"), std::nullopt);
    EXPECT_EQ(map.to_host("security.capability"), "security.capability");
}

TEST(XattrMap, RulesMayHaveDifferentSeparatorsAndSpaceAround) {
    const auto map = of(" \t:bad:all:user.a:user.a:\n\n |ok|all||| \n");
    EXPECT_EQ(map.to_host("user.a"), kDenied);
    EXPECT_EQ(map.to_host("user:b"), "user:b");
}

TEST(XattrMap, WhatIsNoRuleIsAnErrorThatNumbersIt) {
    EXPECT_EQ(error_of(""), "the xattr map has no rule");
    EXPECT_EQ(error_of(" \n"), "the xattr map has no rule");
    EXPECT_EQ(error_of(":ok:all:::/"),
              "xattr map, rule 2: expected /TYPE/SCOPE/KEY/PREPEND/ or /map/KEY/PREPEND/");
    EXPECT_THAT(error_of(":ok:all::"), HasSubstr("rule 1: expected :TYPE:SCOPE:KEY:PREPEND:"));
    EXPECT_THAT(error_of(":ok:all"), HasSubstr("rule 1: expected"));
    EXPECT_THAT(error_of(":map:a:b"), HasSubstr("rule 1: expected"));
    EXPECT_THAT(error_of(":map:a"), HasSubstr("rule 1: expected"));
    EXPECT_THAT(error_of(":good:all:::"), HasSubstr("\"good\" is none of the types"));
    EXPECT_THAT(error_of(":ok:both:::"), HasSubstr("\"both\" is none of the scopes"));
    EXPECT_THAT(error_of(":map::p.::ok:all:::"), HasSubstr("rule 2: nothing may follow a map rule"));
    EXPECT_THAT(error_of(":map::p.::map::q.:"), HasSubstr("nothing may follow a map rule"));
}

}  // namespace
}  // namespace host
