// Names: Unicode, case, characters and lengths that are allowed or not, streams.
#include <algorithm>
#include <array>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;
using Names = std::vector<std::u16string>;

Status create_status(Context& c, std::u16string name, std::uint32_t options = 0) {
    return c
        .open({.name = std::move(name),
               .access = access::kGenericWrite,
               .disposition = kCreate,
               .options = options})
        .status();
}

// Makes a file and a directory of that name in turn and sees them opened, listed and deleted.
void expect_usable(Context& c, const std::u16string& name, Where where = Where::current()) {
    c.make_file(name, "text", 0, where);
    c.equal(c.contents(name, where), "text", describe(name), where);
    c.equal(c.names(), Names{name}, "listing", where);
    c.equal(c.names(u"", {.pattern = name}), Names{name}, "listing by name", where);
    c.equal(c.must_open({.name = name}).path(), c.path(name), "the handle's name", where);
    c.equal(c.remove(name), Status::kSuccess, "removing", where);
    c.make_directory(name, where);
    c.make_file(name + u"\\child", "below", 0, where);
    c.equal(c.contents(name + u"\\child", where), "below", {}, where);
    c.equal(c.remove(name + u"\\child"), Status::kSuccess, "removing the child", where);
    c.equal(c.remove(name), Status::kSuccess, "removing the directory", where);
}

constexpr auto kCases = std::to_array<Case>({
    {"Name_OfPlainLettersDotsAndSpaces_IsUsable",
     [](Context& c) {
         for (const char16_t* name : {u"a", u"file.txt", u".hidden", u"two words", u"a.b.c.d", u"...a",
                                      u" leading", u"x~1", u"a;b=c,d+e[f]", u"!#$%&'()-@^_`{}"}) {
             expect_usable(c, name);
         }
     }},
    {"Name_InAnyScript_IsUsable",
     [](Context& c) {
         for (const char16_t* name : {u"gr\u00FC\u00DFe", u"\u0416\u0443\u043A", u"\u65E5\u672C\u8A9E",
                                      u"\u0627\u0644\u0639", u"\uFF21\uFF22", u"e\u0301"}) {
             expect_usable(c, name);
         }
     }},
    {"Name_WithSurrogatePairs_IsUsable",
     [](Context& c) {
         expect_usable(c, u"\U0001F600");
         expect_usable(c, u"a\U00010000b\U0010FFFDc");
     }},
    {"Name_WithAnUnpairedSurrogate_IsInvalid",
     [](Context& c) {
         for (const std::u16string& name :
              {std::u16string{u'a', char16_t{0xD800}}, std::u16string{char16_t{0xDC00}, u'a'},
               std::u16string{char16_t{0xDC00}, char16_t{0xD800}}}) {
             c.equal(create_status(c, name), Status::kObjectNameInvalid, describe(name));
         }
         c.equal(c.names(), Names{});
     },
     Offers::kHostNames},
    {"Name_IsNotNormalised",
     [](Context& c) {
         c.make_file(u"\u00E9", "composed");
         c.make_file(u"e\u0301", "decomposed");
         c.equal(c.contents(u"\u00E9"), "composed");
         c.equal(c.contents(u"e\u0301"), "decomposed");
     }},
    {"Name_KeepsItsCase",
     [](Context& c) {
         c.make_file(u"MixedCase.Txt");
         c.equal(c.names(), Names{u"MixedCase.Txt"});
         c.equal(c.must_open({.name = u"MixedCase.Txt"}).path(), c.path(u"MixedCase.Txt"));
     }},
    {"Name_InAnotherCase_IsAnotherFile",
     [](Context& c) {
         c.make_file(u"name", "lower");
         c.equal(c.status_of(u"NAME"), Status::kObjectNameNotFound);
         c.make_file(u"NAME", "upper");
         c.equal(c.contents(u"name"), "lower");
         c.equal(c.contents(u"NAME"), "upper");
         c.equal(c.remove(u"NAME"), Status::kSuccess);
         c.equal(c.names(), Names{u"name"});
     }},
    {"Name_WithAForbiddenCharacter_IsInvalid",
     [](Context& c) {
         for (const char16_t forbidden : std::u16string(u"*?<>|\"/\u0001\u001F")) {
             const std::u16string name{u'a', forbidden, u'b'};
             c.equal(create_status(c, name), Status::kObjectNameInvalid, describe(name));
             c.equal(c.status_of(name), Status::kObjectNameInvalid, "opening " + describe(name));
         }
         c.equal(c.names(), Names{});
     }},
    {"Name_WithAForbiddenCharacterInADirectory_IsInvalid",
     [](Context& c) {
         c.equal(c.status_of(u"a*b\\f"), Status::kObjectNameInvalid);
         c.equal(c.status_of(u"a?b\\f"), Status::kObjectNameInvalid);
     }},
    {"Name_OfAStream_IsInvalidWithoutStreams",
     [](Context& c) {
         c.make_file(u"f", "kept");
         for (const char16_t* name :
              {u"f:stream", u"f:stream:$DATA", u"f::$DATA", u"new:stream", u":stream"}) {
             c.equal(create_status(c, name), Status::kObjectNameInvalid, describe(std::u16string_view(name)));
             c.equal(c.status_of(name), Status::kObjectNameInvalid,
                     "opening " + describe(std::u16string_view(name)));
         }
         c.equal(c.contents(u"f"), "kept");
         c.equal(c.names(), Names{u"f"});
     }},
    {"Name_OfMappedCharacters_IsUsable",
     [](Context& c) {
         // What the host would call a:b, a*b and so on.
         for (const char16_t* name :
              {u"a\uF03Ab", u"a\uF02Ab", u"a\uF03Fb", u"a\uF05Cb", u"\uF001", u"a\uF02E", u"a\uF020"}) {
             expect_usable(c, name);
         }
     }},
    {"Name_OfTheLongestAllowed_IsUsable",
     [](Context& c) {
         expect_usable(c, std::u16string(254, u'n'));
         expect_usable(c, std::u16string(255, u'n'));
     }},
    {"Name_OfOneUnitTooMany_IsInvalid",
     [](Context& c) {
         const std::u16string name(256, u'n');
         c.equal(create_status(c, name), Status::kObjectNameInvalid);
         c.equal(create_status(c, name, option::kDirectoryFile), Status::kObjectNameInvalid);
         c.equal(c.status_of(name), Status::kObjectNameInvalid);
         c.equal(c.status_of(name + u"\\f"), Status::kObjectNameInvalid);
     }},
    {"Name_OfEightyFiveHiragana_IsUsable",
     [](Context& c) { expect_usable(c, std::u16string(85, u'\u3042')); }},
    {"Name_TooLongForTheHost_IsInvalid",
     [](Context& c) {
         // 258 bytes of UTF-8, although only 86 units.
         const std::u16string name(86, u'\u3042');
         c.equal(create_status(c, name), Status::kObjectNameInvalid);
         c.one_of(c.status_of(name), {Status::kObjectNameInvalid, Status::kObjectNameNotFound});
         c.equal(c.names(), Names{});
     },
     Offers::kHostNames},
    {"Name_OfADot_IsNotACreatableFile",
     [](Context& c) {
         for (const char16_t* name : {u".", u".."}) {
             c.check(create_status(c, name) != Status::kSuccess, describe(std::u16string_view(name)));
         }
         c.equal(c.names(), Names{});
     },
     Offers::kHostNames},
    {"Path_ThroughDots_DoesNotLeaveTheDirectory",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"f");
         c.check(c.status_of(u"d\\..\\f") != Status::kSuccess, "two dots are not a way up");
         c.check(c.status_of(u"..\\..\\..\\etc") != Status::kSuccess, "nor out of the volume");
         c.check(c.status_of(u"d\\.\\..") != Status::kSuccess, "nor mixed");
     },
     Offers::kHostNames},
    {"Path_OfManyDirectories_IsUsable",
     [](Context& c) {
         std::u16string path;
         for (int depth = 0; depth < 30; ++depth) {
             path += (depth == 0 ? u"" : u"\\") + std::u16string(20, u'd');
             c.make_directory(path);
         }
         c.make_file(path + u"\\f", "deep");
         c.equal(c.contents(path + u"\\f"), "deep");
         c.equal(c.names(path), Names{u"f"});
     }},
    {"Names_ThatDifferInOneUnit_AreDifferentFiles",
     [](Context& c) {
         const Names names{u"a", u"a ", u"a.", u"aa", u"b"};
         const Names usable{u"a", u"aa", u"b"};
         for (const std::u16string& name : usable)
             c.make_file(name, "x");
         c.equal(c.names(), usable);
         for (const std::u16string& name : names) {
             const bool made = std::ranges::find(usable, name) != usable.end();
             c.equal(c.status_of(name) == Status::kSuccess, made, describe(name));
         }
     },
     Offers::kHostNames},
});

}  // namespace

std::span<const Case> name_cases() {
    return kCases;
}

}  // namespace behaviour
