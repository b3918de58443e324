#include "lab/fsd/names.h"

#include "lab/fsd/name_expression.h"
#include "lab/fsd/tests/fixture.h"
#include "lab/fsd/upcase.h"

namespace lab::fsd {
namespace {

nt::Result<ParsedName> parse(std::u16string_view name, NameRules rules = {}) {
    return parse_name(std::nullopt, name, rules);
}

Status error_of(std::u16string_view name, NameRules rules = {}) {
    const auto parsed = parse(name, rules);
    return parsed ? Status::kSuccess : parsed.error();
}

TEST(Names, TrailingBackslash_IsDroppedAndRemembered) {
    const auto parsed = parse(u"\\dir\\");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->path, u"\\dir");
    EXPECT_TRUE(parsed->trailing_backslash);
    EXPECT_FALSE(parse(u"\\")->trailing_backslash);
}

TEST(Names, OneOfTwoLeadingBackslashes_IsDropped) {
    EXPECT_EQ(parse(u"\\\\dir")->path, u"\\dir");
    EXPECT_EQ(error_of(u"\\\\\\dir"), Status::kObjectNameInvalid);
}

TEST(Names, EmptyComponents_AreInvalid) {
    EXPECT_EQ(error_of(u"\\a\\\\b"), Status::kObjectNameInvalid);
    EXPECT_EQ(error_of(u"\\a\\\\"), Status::kObjectNameInvalid);
    EXPECT_EQ(error_of(u""), Status::kObjectNameInvalid);
}

TEST(Names, IllegalUnits_AreInvalidAnywhere) {
    for (const char16_t unit : std::u16string(u"\"*/:<>?|\x01\x1f")) {
        EXPECT_EQ(error_of(u"\\a" + std::u16string(1, unit)), Status::kObjectNameInvalid) << int{unit};
        EXPECT_EQ(error_of(u"\\" + std::u16string(1, unit) + u"\\b"), Status::kObjectNameInvalid)
            << int{unit};
    }
    EXPECT_EQ(error_of(std::u16string(u"\\a\0b", 4)), Status::kObjectNameInvalid);
    EXPECT_EQ(error_of(u"\\a b.c;d=e,f+g[h]'~\x7f\x80\xf03a"), Status::kSuccess);
}

TEST(Names, ComponentLength_IsCountedInUnits) {
    const std::u16string hiragana(255, u'\x3042');
    EXPECT_EQ(error_of(u"\\" + hiragana + u"\\" + hiragana), Status::kSuccess);
    EXPECT_EQ(error_of(u"\\" + hiragana + u"\x3042\\a"), Status::kObjectNameInvalid);
    EXPECT_EQ(error_of(u"\\a\\" + hiragana + u"x"), Status::kObjectNameInvalid);
}

TEST(Names, LongerThanAnyUnicodeString_AreInvalid) {
    std::u16string name;
    while (name.size() <= 32767)
        name += u"\\a";
    EXPECT_EQ(error_of(name), Status::kObjectNameInvalid);
}

TEST(Names, StreamSyntax_IsForVolumesWithStreams) {
    EXPECT_EQ(error_of(u"\\a:s"), Status::kObjectNameInvalid);
    const NameRules rules{.named_streams = true};
    EXPECT_EQ(parse(u"\\d\\a:s", rules)->stream, u"s");
    EXPECT_EQ(parse(u"\\d\\a:s:$data", rules)->path, u"\\d\\a");
    EXPECT_EQ(parse(u"\\a::$DATA", rules)->stream, u"");
    EXPECT_TRUE(parse(u"\\a::$DATA", rules)->stream_syntax);
    EXPECT_EQ(parse(u"\\:s", rules)->path, u"\\");
    for (const auto* name : {u"\\a:", u"\\a:s:$EA", u"\\a:s:t:u", u"\\a:s\\b", u"\\a:s\\"}) {
        EXPECT_EQ(error_of(name, rules), Status::kObjectNameInvalid) << testing::PrintToString(name);
    }
}

TEST(Names, Relative_JoinsTheRelatedPath) {
    EXPECT_EQ(parse_name(u"\\d", u"a\\b", {})->path, u"\\d\\a\\b");
    EXPECT_EQ(parse_name(u"\\", u"a", {})->path, u"\\a");
    EXPECT_EQ(parse_name(u"\\d", u"", {})->path, u"\\d");
    EXPECT_EQ(parse_name(u"\\", u"", {})->path, u"\\");
    EXPECT_EQ(parse_name(u"\\d", u"\\a", {}).error(), Status::kInvalidParameter);
    EXPECT_EQ(parse_name(u"\\d", u":s", {.named_streams = true})->stream, u"s");
}

TEST(Names, ParentAndLastComponent_TakeAPathApart) {
    EXPECT_EQ(parent_of(u"\\a\\b"), u"\\a");
    EXPECT_EQ(parent_of(u"\\a"), u"\\");
    EXPECT_EQ(last_component(u"\\a\\b"), u"b");
    EXPECT_EQ(join(u"\\", u"b"), u"\\b");
}

TEST(Upcase, MapsLettersOfOneUnit) {
    EXPECT_EQ(upcase(u"aZ\xe9\xf7\xff\x101\x13a\x17e\x3b1\x3c2\x3ac\x431\x451\x1ea1\xff41"),
              u"AZ\xc9\xf7\x178\x100\x139\x17d\x391\x3c2\x386\x411\x401\x1ea0\xff21");
    EXPECT_TRUE(equal_ignoring_case(u"\xc4pfel", u"\xe4PFEL"));
    EXPECT_FALSE(equal_ignoring_case(u"a", u"ab"));
}

struct PatternCase {
    std::u16string_view pattern;
    std::u16string_view name;
    bool matches;
};

TEST(Pattern, MatchesAsDocumented) {
    const PatternCase cases[] = {
        {u"*", u"anything.at.all", true},
        {u"*", u"", true},
        {u"", u"", true},
        {u"", u"a", false},
        {u"a?c", u"abc", true},
        {u"a?c", u"ac", false},
        {u"a*c", u"ac", true},
        {u"a*c", u"abcbc", true},
        {u"a*c", u"abcb", false},
        {u"*.txt", u"a.b.txt", true},
        {u"*.txt", u"a.txt.b", false},
        {u"?", u"", false},
        {u"*.*", u"nodot", false},
        {u"abc", u"abcd", false},
        // < : anything, but not over the last dot.
        {u"<", u"abc", true},
        {u"<.txt", u"a.b.txt", true},
        {u"<", u"a.b", false},
        {u"<.b", u"a.b", true},
        {u"<\"*", u"nodot", true},
        {u"<\"*", u"a.b.c", true},
        // > : one unit that is no dot, or nothing before a dot and at the end.
        {u">>>.t", u"a.t", true},
        {u">>>.t", u"abcd.t", false},
        {u">>>", u"ab", true},
        {u">", u".", false},
        {u"a>", u"a", true},
        // " : a dot, or nothing at the end.
        {u"a\"", u"a", true},
        {u"a\"", u"a.", true},
        {u"a\"b", u"a.b", true},
        {u"a\"b", u"ab", false},
    };
    for (const PatternCase& entry : cases) {
        EXPECT_EQ(is_name_in_expression(entry.pattern, entry.name), entry.matches)
            << testing::PrintToString(entry.pattern) << " on " << testing::PrintToString(entry.name);
    }
}

TEST(Pattern, OfManyStars_IsNotSlow) {
    std::u16string pattern;
    for (int i = 0; i < 120; ++i)
        pattern += u"*a";
    EXPECT_FALSE(is_name_in_expression(pattern + u"b", std::u16string(255, u'a')));
}

}  // namespace
}  // namespace lab::fsd
