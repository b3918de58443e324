#include "guest/volume/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace guest {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Names, OrdinaryNames_AreTheSameOnBothSides) {
    for (const auto& [host, guest] : {std::pair<std::string, std::u16string>{"readme.txt", u"readme.txt"},
                                      {"a b", u"a b"},
                                      {".hidden", u".hidden"},
                                      {"\xC3\xA9t\xC3\xA9", u"\u00E9t\u00E9"},
                                      {"\xE3\x81\x82", u"\u3042"},
                                      {"\xF0\x9F\x98\x80", u"\U0001F600"}}) {
        EXPECT_EQ(guest_name_of(host), guest);
        EXPECT_EQ(host_name_of(guest), host);
    }
}

TEST(Names, CharactersThatWindowsForbids_AreShownInThePrivateUseArea) {
    EXPECT_EQ(guest_name_of("a:b"), u"a\uF03Ab");
    EXPECT_EQ(guest_name_of("\x01\"*<>?|\\"), u"\uF001\uF022\uF02A\uF03C\uF03E\uF03F\uF07C\uF05C");
    EXPECT_EQ(host_name_of(u"a\uF03Ab"), "a:b");
}

TEST(Names, TrailingDotsAndSpaces_AreShownInThePrivateUseArea) {
    EXPECT_EQ(guest_name_of("a."), u"a\uF02E");
    EXPECT_EQ(guest_name_of("a "), u"a\uF020");
    EXPECT_EQ(guest_name_of("..."), u"..\uF02E");
    EXPECT_EQ(guest_name_of("a.b"), u"a.b");
    EXPECT_EQ(host_name_of(u"a\uF02E"), "a.");
    EXPECT_EQ(host_name_of(u"a."), nt::fail(nt::Status::kObjectNameInvalid));
}

TEST(Names, TwoHostNames_NeverLookAlike) {
    EXPECT_NE(guest_name_of("a:"), guest_name_of("a\xEF\x80\xBA"));  // "a" and U+F03A itself
    EXPECT_EQ(host_name_of(*guest_name_of("a\xEF\x80\xBA")), "a\xEF\x80\xBA");
}

TEST(Names, BytesThatAreNotUtf8_AreShownOneByOne) {
    EXPECT_EQ(guest_name_of("caf\xE9"), u"caf\uF1E9");
    EXPECT_EQ(host_name_of(u"caf\uF1E9"), "caf\xE9");
    EXPECT_EQ(guest_name_of("\xC0\x80"), u"\uF1C0\uF180");
    EXPECT_EQ(guest_name_of("\xED\xA0\x80"), u"\uF1ED\uF1A0\uF180");
}

TEST(Names, AGuestNameThatNothingIsShownAs_IsRefused) {
    EXPECT_EQ(host_name_of(u"\uF1C3\uF1A9"), nt::fail(nt::Status::kObjectNameInvalid));  // would be "é"
}

TEST(Names, AnyHostName_SurvivesTheWayThereAndBack) {
    std::minstd_rand random(1);
    for (int round = 0; round < 20000; ++round) {
        std::string host;
        for (std::size_t length = random() % 12 + 1; host.size() < length;) {
            const auto c =
                static_cast<char>(random() % 3 == 0 ? 0x80 + random() % 0x80 : 1 + random() % 0x7F);
            if (c != '/') host.push_back(c);
            if (random() % 8 == 0) host += "\xEF\x80\xBA";
            if (random() % 8 == 0) host += "\xEF\x87\xA9";
        }
        if (host == "." || host == "..") continue;
        const auto guest = guest_name_of(host);
        ASSERT_TRUE(guest);
        ASSERT_EQ(host_name_of(*guest), host);
    }
}

TEST(Names, UnpairedSurrogatesAndForbiddenCharacters_AreInvalid) {
    const char16_t high = 0xD800, low = 0xDC00;
    for (const std::u16string& name :
         {std::u16string{high}, std::u16string{low}, std::u16string{low, high},
          std::u16string{u'a', high, u'b'}, std::u16string(u"a:b"), std::u16string(u"a/b"),
          std::u16string(u"a\0b", 3), std::u16string(), std::u16string(u"."), std::u16string(u".."),
          std::u16string(u"\uF02E"), std::u16string(u".\uF02E")}) {
        EXPECT_EQ(host_name_of(name), nt::fail(nt::Status::kObjectNameInvalid));
    }
}

TEST(Names, LongerThanTheHostCanHave_IsInvalid) {
    EXPECT_TRUE(host_name_of(std::u16string(255, u'a')));
    EXPECT_FALSE(host_name_of(std::u16string(256, u'a')));
    EXPECT_TRUE(host_name_of(std::u16string(85, u'\u3042')));
    EXPECT_FALSE(host_name_of(std::u16string(86, u'\u3042')));
}

TEST(Names, Paths_AreSplitAtBackslashes) {
    EXPECT_THAT(host_path_of(u"\\").value(), IsEmpty());
    EXPECT_THAT(host_path_of(u"\\a\\b c\\d").value(), ElementsAre("a", "b c", "d"));
    for (const std::u16string_view path : {u"", u"a", u"\\a\\", u"\\\\a", u"\\a\\\\b", u"\\a\\..\\b"}) {
        EXPECT_EQ(host_path_of(path), nt::fail(nt::Status::kObjectNameInvalid));
    }
}

}  // namespace
}  // namespace guest
