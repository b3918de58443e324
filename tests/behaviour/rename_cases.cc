// Renaming: targets that exist or not, other directories, open handles, directories, names as they come.
#include <array>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;
using Names = std::vector<std::u16string>;

File to_rename(Context& c, std::u16string_view name) {
    return c.must_open({.name = std::u16string(name), .access = access::kDelete | access::kReadAttributes});
}

// Opens, renames to an absolute path in the case's directory, closes.
Status rename(Context& c, std::u16string_view from, std::u16string_view to, bool replace = false) {
    return to_rename(c, from).rename({.target = c.path(to), .replace = replace});
}

constexpr auto kCases = std::to_array<Case>({
    {"Rename_ToABareName_StaysInTheDirectory",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f", "text");
         c.equal(to_rename(c, u"d\\f").rename({.target = u"g"}), Status::kSuccess);
         c.equal(c.names(u"d"), Names{u"g"});
         c.equal(c.contents(u"d\\g"), "text");
     }},
    {"Rename_ToAnAbsolutePath_MovesTheFile",
     [](Context& c) {
         c.make_file(u"f", "text");
         c.equal(rename(c, u"f", u"g"), Status::kSuccess);
         c.equal(c.names(), Names{u"g"});
         c.equal(c.contents(u"g"), "text");
         c.equal(c.status_of(u"f"), Status::kObjectNameNotFound);
     }},
    {"Rename_RelativeToADirectoryHandle_MovesThere",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"f", "text");
         File root = c.must_open({.name = u"d", .access = access::kWriteData | access::kReadAttributes});
         c.equal(to_rename(c, u"f").rename({.target = u"g", .root = root.handle()}), Status::kSuccess);
         c.equal(c.names(), Names{u"d"});
         c.equal(c.contents(u"d\\g"), "text");
     }},
    {"Rename_ToAnotherDirectory_KeepsTheFile",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_directory(u"b");
         c.make_file(u"a\\f", "text");
         const std::uint64_t index = c.must_open({.name = u"a\\f"}).index_number();
         c.equal(rename(c, u"a\\f", u"b\\g"), Status::kSuccess);
         c.check(c.names(u"a").empty(), "the old directory is empty");
         c.equal(c.contents(u"b\\g"), "text");
         c.equal(c.must_open({.name = u"b\\g"}).index_number(), index, "the file's index number");
     }},
    {"Rename_OntoAnExistingFile_CollidesWithoutReplace",
     [](Context& c) {
         c.make_file(u"f", "new");
         c.make_file(u"g", "old");
         c.equal(rename(c, u"f", u"g"), Status::kObjectNameCollision);
         c.equal(c.contents(u"f"), "new");
         c.equal(c.contents(u"g"), "old");
     }},
    {"Rename_OntoAnExistingFile_ReplacesIt",
     [](Context& c) {
         c.make_file(u"f", "new");
         c.make_file(u"g", "old and longer");
         c.equal(rename(c, u"f", u"g", true), Status::kSuccess);
         c.equal(c.names(), Names{u"g"});
         c.equal(c.contents(u"g"), "new");
     }},
    {"Rename_WithReplace_NeedsNoTarget",
     [](Context& c) {
         c.make_file(u"f", "text");
         c.equal(rename(c, u"f", u"g", true), Status::kSuccess);
         c.equal(c.contents(u"g"), "text");
     }},
    {"Rename_OntoADirectory_IsRefused",
     [](Context& c) {
         c.make_file(u"f", "text");
         c.make_directory(u"d");
         c.equal(rename(c, u"f", u"d"), Status::kObjectNameCollision);
         c.equal(rename(c, u"f", u"d", true), Status::kAccessDenied);
         c.equal(c.contents(u"f"), "text");
         c.equal(c.attributes_of(u"d") & attribute::kDirectory, attribute::kDirectory);
     }},
    {"Rename_OfADirectoryOntoADirectory_IsRefused",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_directory(u"b");
         c.equal(rename(c, u"a", u"b"), Status::kObjectNameCollision);
         c.equal(rename(c, u"a", u"b", true), Status::kAccessDenied);
         c.equal(c.names(), Names{u"a", u"b"});
     }},
    {"Rename_OfADirectoryOntoAFile_CollidesWithoutReplace",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"f", "kept");
         c.equal(rename(c, u"d", u"f"), Status::kObjectNameCollision);
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Rename_IntoAMissingDirectory_SaysPathNotFound",
     [](Context& c) {
         c.make_file(u"f", "kept");
         c.equal(rename(c, u"f", u"missing\\g"), Status::kObjectPathNotFound);
         c.equal(rename(c, u"f", u"missing\\g", true), Status::kObjectPathNotFound);
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Rename_BelowAFile_IsRefused",
     [](Context& c) {
         c.make_file(u"f", "kept");
         c.make_file(u"g");
         c.one_of(rename(c, u"f", u"g\\x"), {Status::kObjectPathNotFound, Status::kNotADirectory});
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Rename_OfADirectory_MovesItsTree",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_directory(u"a\\sub");
         c.make_file(u"a\\sub\\f", "text");
         c.equal(rename(c, u"a", u"b"), Status::kSuccess);
         c.equal(c.contents(u"b\\sub\\f"), "text");
         c.expect_open({.name = u"a\\sub\\f"}, Status::kObjectPathNotFound);
         c.equal(c.names(), Names{u"b"});
     }},
    {"Rename_OfADirectoryIntoAnother_MovesItsTree",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_file(u"a\\f", "text");
         c.make_directory(u"b");
         c.equal(rename(c, u"a", u"b\\c"), Status::kSuccess);
         c.equal(c.contents(u"b\\c\\f"), "text");
         c.equal(c.names(), Names{u"b"});
     }},
    {"Rename_OfADirectoryBelowItself_IsRefused",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_directory(u"a\\sub");
         c.one_of(rename(c, u"a", u"a\\sub\\b"),
                  {Status::kAccessDenied, Status::kInvalidParameter, Status::kSharingViolation});
         c.equal(c.names(u"a"), Names{u"sub"});
     }},
    {"Rename_OfADirectoryWithAnOpenChild_IsDenied",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_file(u"a\\f");
         File child = c.must_open({.name = u"a\\f"});
         c.equal(rename(c, u"a", u"b"), Status::kAccessDenied);
         child.close();
         c.equal(rename(c, u"a", u"b"), Status::kSuccess, "once the child is closed");
     }},
    {"Rename_OfADirectoryWithAnOpenGrandchild_IsDenied",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_directory(u"a\\sub");
         c.make_file(u"a\\sub\\f");
         File child = c.must_open({.name = u"a\\sub\\f", .access = access::kReadAttributes});
         c.equal(rename(c, u"a", u"b"), Status::kAccessDenied);
         child.close();
         c.equal(rename(c, u"a", u"b"), Status::kSuccess, "once the grandchild is closed");
     }},
    {"Rename_OfADirectory_IsNotHeldUpByItsNeighbours",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_directory(u"ab");
         c.make_file(u"ab\\f");
         File neighbour = c.must_open({.name = u"ab\\f"});
         c.equal(rename(c, u"a", u"b"), Status::kSuccess);
     }},
    {"Rename_OfAnOpenFile_IsAllowedIfItsHandlesShareDelete",
     [](Context& c) {
         c.make_file(u"f", "text");
         File reader = c.must_open({.name = u"f"});
         c.equal(rename(c, u"f", u"g"), Status::kSuccess);
         c.equal(reader.path(), c.path(u"g"), "the other handle's name");
         c.equal(reader.read_text(0, 10), "text");
         c.expect_open({.name = u"f"}, Status::kObjectNameNotFound);
     }},
    {"Rename_OfAFileInUse_ChangesNothingForReadersAndWriters",
     [](Context& c) {
         c.make_file(u"f", "first");
         File user = c.must_open({.name = u"f", .access = access::kGenericRead | access::kGenericWrite});
         c.equal(rename(c, u"f", u"g"), Status::kSuccess);
         user.put(" second", 5);
         c.equal(user.read_text(0, 20), "first second");
         c.equal(rename(c, u"g", u"h"), Status::kSuccess);
         user.put(" third", 12);
         user.close();
         c.equal(c.contents(u"h"), "first second third");
     }},
    {"Rename_OntoAnOpenFile_IsRefused",
     [](Context& c) {
         c.make_file(u"f", "new");
         c.make_file(u"g", "old");
         File held = c.must_open({.name = u"g"});
         c.equal(rename(c, u"f", u"g", true), Status::kAccessDenied);
         c.one_of(rename(c, u"f", u"g"), {Status::kAccessDenied, Status::kObjectNameCollision});
         held.close();
         c.equal(c.contents(u"g"), "old");
         c.equal(rename(c, u"f", u"g", true), Status::kSuccess, "once it is closed");
         c.equal(c.contents(u"g"), "new");
     }},
    {"Rename_OntoAReadOnlyFile_IsRefused",
     [](Context& c) {
         c.make_file(u"f", "new");
         c.make_file(u"g", "old", attribute::kReadOnly);
         c.one_of(rename(c, u"f", u"g", true), {Status::kCannotDelete, Status::kAccessDenied});
         c.equal(c.contents(u"g"), "old");
     }},
    {"Rename_OfAReadOnlyFile_IsAllowed",
     [](Context& c) {
         c.make_file(u"f", "text", attribute::kReadOnly);
         c.equal(rename(c, u"f", u"g"), Status::kSuccess);
         c.equal(c.attributes_of(u"g") & attribute::kReadOnly, attribute::kReadOnly);
     }},
    {"Rename_WithoutDeleteAccess_IsDenied",
     [](Context& c) {
         c.make_file(u"f");
         File file = c.must_open({.name = u"f", .access = access::kGenericRead | access::kGenericWrite});
         c.equal(file.rename({.target = u"g"}), Status::kAccessDenied);
         c.equal(c.names(), Names{u"f"});
     }},
    {"Rename_OfTheRoot_IsRefused",
     [](Context& c) {
         File root = c.must_open({.name = u"\\", .access = access::kDelete, .origin = Origin::kVolume});
         c.one_of(root.rename({.target = u"renamed root"}),
                  {Status::kInvalidParameter, Status::kAccessDenied});
     }},
    {"Rename_ToTheSameName_Succeeds",
     [](Context& c) {
         c.make_file(u"f", "text");
         c.equal(rename(c, u"f", u"f"), Status::kSuccess);
         c.equal(rename(c, u"f", u"f", true), Status::kSuccess, "with replace");
         c.equal(c.contents(u"f"), "text");
     }},
    {"Rename_ThatChangesOnlyTheCase_Changes",
     [](Context& c) {
         c.make_file(u"name", "text");
         c.equal(rename(c, u"name", u"NAME"), Status::kSuccess);
         c.equal(c.names(), Names{u"NAME"});
         c.make_directory(u"dir");
         c.equal(rename(c, u"dir", u"Dir"), Status::kSuccess);
         c.equal(c.names(), Names{u"Dir", u"NAME"});
     }},
    {"Rename_ToANameWithATrailingBackslash_DropsIt",
     [](Context& c) {
         c.make_file(u"f", "text");
         c.make_directory(u"d");
         c.equal(rename(c, u"f", u"g\\"), Status::kSuccess);
         c.equal(rename(c, u"d", u"e\\"), Status::kSuccess);
         c.equal(c.names(), Names{u"e", u"g"});
     }},
    {"Rename_ToAnInvalidName_IsRefused",
     [](Context& c) {
         c.make_file(u"f");
         for (const char16_t* name : {u"a*b", u"a?b", u"a<b", u"a|b", u"a\"b"}) {
             c.equal(rename(c, u"f", name), Status::kObjectNameInvalid, describe(std::u16string_view(name)));
         }
         c.equal(c.names(), Names{u"f"});
     }},
    {"Rename_ToAnEmptyName_IsAnInvalidParameter",
     [](Context& c) {
         c.make_file(u"f");
         c.equal(to_rename(c, u"f").rename({.target = u""}), Status::kInvalidParameter);
         c.equal(c.names(), Names{u"f"});
     }},
    {"Rename_LeavesTheOldNameFree",
     [](Context& c) {
         c.make_file(u"f", "first");
         File first = to_rename(c, u"f");
         c.equal(first.rename({.target = u"g"}), Status::kSuccess);
         c.make_file(u"f", "second");
         first.close();
         c.equal(c.contents(u"g"), "first");
         c.equal(c.contents(u"f"), "second");
     }},
    {"Rename_SwapsTwoFilesThroughAThirdName",
     [](Context& c) {
         c.make_file(u"a", "A");
         c.make_file(u"b", "B");
         c.equal(rename(c, u"a", u"t"), Status::kSuccess);
         c.equal(rename(c, u"b", u"a"), Status::kSuccess);
         c.equal(rename(c, u"t", u"b"), Status::kSuccess);
         c.equal(c.contents(u"a"), "B");
         c.equal(c.contents(u"b"), "A");
     }},
    {"Rename_OfADirectoryBackAndForth_KeepsItsFilesReachable",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_file(u"a\\f", "0");
         for (int round = 1; round <= 4; ++round) {
             const std::u16string from = round % 2 == 1 ? u"a" : u"b";
             const std::u16string to = round % 2 == 1 ? u"b" : u"a";
             c.equal(rename(c, from, to), Status::kSuccess);
             File file = c.must_open({.name = to + u"\\f", .access = access::kGenericWrite});
             file.put(std::to_string(round), 0);
             file.close();
             c.equal(c.contents(to + u"\\f"), std::to_string(round));
         }
     }},
    {"Rename_OfADirectoryHandle_MovesWhatIsRelativeToIt",
     [](Context& c) {
         c.make_directory(u"a");
         File directory = c.must_open({.name = u"a", .access = access::kDelete | access::kGenericRead});
         c.equal(directory.rename({.target = u"b"}), Status::kSuccess);
         c.expect_open({.name = u"f",
                        .access = access::kGenericWrite,
                        .disposition = kCreate,
                        .related = directory.handle()},
                       CreateAction::kCreated);
         c.equal(c.names(u"b"), Names{u"f"});
     }},
    {"Rename_OfADeleteOnCloseFile_DeletesItUnderItsNewName",
     [](Context& c) {
         c.make_file(u"f");
         File file =
             c.must_open({.name = u"f", .access = access::kDelete, .options = option::kDeleteOnClose});
         c.equal(file.rename({.target = u"g"}), Status::kSuccess);
         c.make_file(u"f", "another");
         file.close();
         c.equal(c.names(), Names{u"f"});
     }},
    {"Rename_KeepsTimesAndAttributes",
     [](Context& c) {
         c.make_file(u"f", "text", attribute::kReadOnly);
         File file = to_rename(c, u"f");
         const BasicInformation before = file.basic();
         c.equal(file.rename({.target = u"g"}), Status::kSuccess);
         file.close();
         const BasicInformation after = to_rename(c, u"g").basic();
         c.equal(after.last_write_time, before.last_write_time, "last write time");
         c.equal(after.creation_time, before.creation_time, "creation time");
         c.equal(after.attributes, before.attributes, "attributes");
     }},
    {"Rename_ManyTimesThroughOneHandle_FollowsTheName",
     [](Context& c) {
         c.make_file(u"n0", "text");
         File file = to_rename(c, u"n0");
         for (char16_t digit = u'1'; digit <= u'9'; ++digit) {
             const std::u16string name{u'n', digit};
             c.equal(file.rename({.target = name}), Status::kSuccess);
             c.equal(file.path(), c.path(name));
         }
         file.close();
         c.equal(c.names(), Names{u"n9"});
     }},
});

}  // namespace

std::span<const Case> rename_cases() {
    return kCases;
}

}  // namespace behaviour
