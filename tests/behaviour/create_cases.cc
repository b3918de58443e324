// Creating and opening: dispositions, wrong types, missing paths, trailing backslashes, the root, relative
// opens.
#include <array>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;

// Opens `name` with a disposition and write access.
Call with(std::u16string name, Disposition disposition, std::uint32_t options = 0) {
    return {.name = std::move(name),
            .access = access::kGenericRead | access::kGenericWrite,
            .disposition = disposition,
            .options = options};
}

Call directory(std::u16string name, Disposition disposition) {
    return {.name = std::move(name), .disposition = disposition, .options = option::kDirectoryFile};
}

void root_refuses(Context& c, Disposition disposition) {
    c.expect_open({.name = u"\\", .disposition = disposition, .origin = Origin::kVolume},
                  Status::kAccessDenied);
}

constexpr auto kCases = std::to_array<Case>({
    {"Create_OfAMissingFile_CreatesIt",
     [](Context& c) {
         c.expect_open(with(u"f", kCreate), CreateAction::kCreated);
         c.equal(c.status_of(u"f"), Status::kSuccess);
     }},
    {"Create_OfAnExistingFile_Collides",
     [](Context& c) {
         c.make_file(u"f", "kept");
         c.expect_open(with(u"f", kCreate), Status::kObjectNameCollision);
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Create_OfAMissingDirectory_CreatesIt",
     [](Context& c) {
         c.expect_open(directory(u"d", kCreate), CreateAction::kCreated);
         c.equal(c.attributes_of(u"d") & attribute::kDirectory, attribute::kDirectory);
     }},
    {"Create_OfAnExistingDirectory_Collides",
     [](Context& c) {
         c.make_directory(u"d");
         c.expect_open(directory(u"d", kCreate), Status::kObjectNameCollision);
     }},
    {"Create_OfADirectoryWhereAFileIs_Collides",
     [](Context& c) {
         c.make_file(u"f");
         c.expect_open(directory(u"f", kCreate), Status::kObjectNameCollision);
     }},
    {"Create_OfAFileWhereADirectoryIs_IsRefused",
     [](Context& c) {
         c.make_directory(u"d");
         c.one_of(c.open(with(u"d", kCreate, option::kNonDirectoryFile)).status(),
                  {Status::kFileIsADirectory, Status::kObjectNameCollision});
     }},
    {"Create_WithoutATypeOption_MakesAFile",
     [](Context& c) {
         c.expect_open(with(u"f", kCreate), CreateAction::kCreated);
         c.equal(c.attributes_of(u"f") & attribute::kDirectory, 0U);
     }},
    {"Open_OfAnExistingFile_OpensIt",
     [](Context& c) {
         c.make_file(u"f", "kept");
         c.expect_open(with(u"f", kOpen), CreateAction::kOpened);
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Open_OfAMissingName_SaysNameNotFound",
     [](Context& c) {
         c.expect_open(with(u"f", kOpen), Status::kObjectNameNotFound);
         c.expect_open(directory(u"f", kOpen), Status::kObjectNameNotFound);
         c.equal(c.status_of(u"f"), Status::kObjectNameNotFound, "after the failed opens");
     }},
    {"Open_OfAnExistingDirectory_OpensIt",
     [](Context& c) {
         c.make_directory(u"d");
         c.expect_open(directory(u"d", kOpen), CreateAction::kOpened);
     }},
    {"Open_WithoutATypeOption_OpensADirectory",
     [](Context& c) {
         c.make_directory(u"d");
         File file = c.must_open({.name = u"d"});
         c.equal(file.standard().directory, 1);
     }},
    {"OpenIf_OfAMissingFile_CreatesIt",
     [](Context& c) { c.expect_open(with(u"f", kOpenIf), CreateAction::kCreated); }},
    {"OpenIf_OfAnExistingFile_OpensIt",
     [](Context& c) {
         c.make_file(u"f", "kept");
         c.expect_open(with(u"f", kOpenIf), CreateAction::kOpened);
         c.equal(c.contents(u"f"), "kept");
     }},
    {"OpenIf_OfDirectories_CreatesThenOpens",
     [](Context& c) {
         c.expect_open(directory(u"d", kOpenIf), CreateAction::kCreated);
         c.expect_open(directory(u"d", kOpenIf), CreateAction::kOpened);
     }},
    {"Overwrite_OfAMissingFile_SaysNameNotFound",
     [](Context& c) { c.expect_open(with(u"f", kOverwrite), Status::kObjectNameNotFound); }},
    {"Overwrite_OfAnExistingFile_EmptiesIt",
     [](Context& c) {
         c.make_file(u"f", "old contents");
         {
             File file = c.must_open(with(u"f", kOverwrite));
             c.equal(file.action(), CreateAction::kOverwritten);
             c.equal(file.size(), 0U);
         }
         c.equal(c.contents(u"f"), "");
     }},
    {"OverwriteIf_OfAMissingFile_CreatesIt",
     [](Context& c) { c.expect_open(with(u"f", kOverwriteIf), CreateAction::kCreated); }},
    {"OverwriteIf_OfAnExistingFile_EmptiesIt",
     [](Context& c) {
         c.make_file(u"f", "old contents");
         c.expect_open(with(u"f", kOverwriteIf), CreateAction::kOverwritten);
         c.equal(c.contents(u"f"), "");
     }},
    {"Supersede_OfAMissingFile_CreatesIt",
     [](Context& c) { c.expect_open(with(u"f", kSupersede), CreateAction::kCreated); }},
    {"Supersede_OfAnExistingFile_EmptiesIt",
     [](Context& c) {
         c.make_file(u"f", "old contents");
         c.expect_open(with(u"f", kSupersede), CreateAction::kSuperseded);
         c.equal(c.contents(u"f"), "");
     }},
    {"Overwrite_NeedsNoWriteAccessOfTheHandle",
     [](Context& c) {
         c.make_file(u"f", "old contents");
         c.expect_open({.name = u"f", .access = access::kReadAttributes, .disposition = kOverwrite},
                       CreateAction::kOverwritten);
         c.equal(c.contents(u"f"), "");
     }},
    {"Overwrite_OfADirectory_IsRefused",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\child", "kept");
         for (const Disposition disposition : {kOverwrite, kOverwriteIf, kSupersede}) {
             c.one_of(c.open(with(u"d", disposition)).status(),
                      {Status::kFileIsADirectory, Status::kObjectNameCollision, Status::kAccessDenied});
             c.equal(c.open(with(u"d", disposition, option::kNonDirectoryFile)).status(), Status::kFileIsADirectory);
         }
         c.equal(c.contents(u"d\\child"), "kept");
     }},
    {"DirectoryFile_WithAnOverwritingDisposition_IsAnInvalidParameter",
     [](Context& c) {
         c.make_directory(u"d");
         for (const Disposition disposition : {kOverwrite, kOverwriteIf, kSupersede}) {
             c.expect_open(directory(u"d", disposition), Status::kInvalidParameter);
             c.expect_open(directory(u"missing", disposition), Status::kInvalidParameter);
         }
         c.equal(c.status_of(u"missing"), Status::kObjectNameNotFound);
     }},
    {"DirectoryFile_OnAFile_SaysNotADirectory",
     [](Context& c) {
         c.make_file(u"f");
         c.expect_open(directory(u"f", kOpen), Status::kNotADirectory);
         c.expect_open(directory(u"f", kOpenIf), Status::kNotADirectory);
     }},
    {"NonDirectoryFile_OnADirectory_SaysFileIsADirectory",
     [](Context& c) {
         c.make_directory(u"d");
         c.expect_open({.name = u"d", .options = option::kNonDirectoryFile}, Status::kFileIsADirectory);
         c.expect_open(with(u"d", kOpenIf, option::kNonDirectoryFile), Status::kFileIsADirectory);
     }},
    {"BothTypeOptions_AreAnInvalidParameter",
     [](Context& c) {
         c.expect_open(with(u"f", kOpenIf, option::kDirectoryFile | option::kNonDirectoryFile),
                       Status::kInvalidParameter);
         c.equal(c.status_of(u"f"), Status::kObjectNameNotFound);
     }},
    {"Path_ThroughAMissingDirectory_SaysPathNotFound",
     [](Context& c) {
         c.expect_open({.name = u"missing\\f"}, Status::kObjectPathNotFound);
         c.expect_open({.name = u"missing\\deeper\\f"}, Status::kObjectPathNotFound);
         for (const Disposition disposition : {kCreate, kOpenIf, kOverwriteIf, kSupersede}) {
             c.expect_open(with(u"missing\\f", disposition), Status::kObjectPathNotFound);
         }
         c.expect_open(directory(u"missing\\d", kCreate), Status::kObjectPathNotFound);
     }},
    {"Path_ThroughAFile_IsNotFound",
     [](Context& c) {
         c.make_file(u"f", "kept");
         c.expect_open({.name = u"f\\x"}, Status::kObjectPathNotFound);
         c.expect_open({.name = u"f\\x\\y"}, Status::kObjectPathNotFound);
         c.one_of(c.open(with(u"f\\x", kCreate)).status(), {Status::kObjectPathNotFound, Status::kNotADirectory});
         c.equal(c.contents(u"f"), "kept");
     }},
    {"TrailingBackslash_OpensADirectory",
     [](Context& c) {
         c.make_directory(u"d");
         c.expect_open({.name = u"d\\"}, CreateAction::kOpened);
         c.expect_open(directory(u"d\\", kOpen), CreateAction::kOpened);
     }},
    {"TrailingBackslash_CreatesADirectory",
     [](Context& c) {
         c.expect_open(directory(u"d\\", kCreate), CreateAction::kCreated);
         c.equal(c.names(), std::vector<std::u16string>{u"d"});
     }},
    {"TrailingBackslash_OnAFile_IsAnInvalidName",
     [](Context& c) {
         c.make_file(u"f");
         c.expect_open({.name = u"f\\"}, Status::kObjectNameInvalid);
         c.expect_open(with(u"new\\", kCreate), Status::kObjectNameInvalid);
         c.equal(c.status_of(u"new"), Status::kObjectNameNotFound);
     }},
    {"EmptyComponents_AreAnInvalidName",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f");
         c.expect_open({.name = u"d\\\\f"}, Status::kObjectNameInvalid);
         c.expect_open({.name = u"d\\\\"}, Status::kObjectNameInvalid);
     }},
    {"Root_IsADirectory",
     [](Context& c) {
         File root = c.must_open(
             {.name = u"\\", .access = access::kReadAttributes, .origin = Origin::kVolume});
         c.equal(root.action(), CreateAction::kOpened);
         c.equal(root.standard().directory, 1);
         c.equal(root.path(), u"\\");
         c.expect_open({.name = u"\\", .options = option::kNonDirectoryFile, .origin = Origin::kVolume},
                       Status::kFileIsADirectory);
         c.expect_open({.name = u"\\", .disposition = kOpenIf, .origin = Origin::kVolume}, CreateAction::kOpened);
     }},
    {"Root_CannotBeCreatedOrOverwritten",
     [](Context& c) {
         for (const Disposition disposition : {kCreate, kOverwrite, kOverwriteIf, kSupersede}) {
             root_refuses(c, disposition);
         }
     }},
    {"Root_CannotBeDeletedOnClose",
     [](Context& c) {
         c.expect_open({.name = u"\\",
                        .access = access::kDelete,
                        .options = option::kDeleteOnClose,
                        .origin = Origin::kVolume},
                       Status::kCannotDelete);
     }},
    {"Volume_CanBeOpened",
     [](Context& c) {
         c.expect_open({.access = access::kReadAttributes, .origin = Origin::kVolume}, Status::kSuccess);
     }},
    {"RelativeOpen_StartsAtTheDirectoryHandle",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_directory(u"d\\e");
         File related = c.must_open({.name = u"d"});
         c.expect_open({.name = u"f", .access = access::kGenericWrite, .disposition = kCreate, .related = related.handle()},
                       CreateAction::kCreated);
         c.expect_open({.name = u"e\\g",
                        .access = access::kGenericWrite,
                        .disposition = kCreate,
                        .related = related.handle()},
                       CreateAction::kCreated);
         c.equal(c.status_of(u"d\\f"), Status::kSuccess);
         c.equal(c.status_of(u"d\\e\\g"), Status::kSuccess);
         c.expect_open({.name = u"missing", .related = related.handle()}, Status::kObjectNameNotFound);
         c.expect_open({.name = u"missing\\f", .related = related.handle()}, Status::kObjectPathNotFound);
     }},
    {"RelativeOpen_WithAnEmptyName_ReopensTheSame",
     [](Context& c) {
         c.make_directory(u"d");
         File related = c.must_open({.name = u"d"});
         File again = c.must_open({.name = u"", .related = related.handle()});
         c.equal(again.path(), c.path(u"d"));
         c.equal(again.index_number(), related.index_number());
     }},
    {"RelativeOpen_WithAnAbsoluteName_IsRefused",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f");
         File related = c.must_open({.name = u"d"});
         c.one_of(c.open({.name = u"\\f", .related = related.handle()}).status(),
                  {Status::kInvalidParameter, Status::kObjectNameInvalid});
     }},
    {"RelativeOpen_BelowAFileHandle_IsRefused",
     [](Context& c) {
         c.make_file(u"f");
         File related = c.must_open({.name = u"f"});
         c.one_of(c.open({.name = u"x", .related = related.handle()}).status(),
                  {Status::kObjectPathNotFound, Status::kInvalidParameter, Status::kNotADirectory});
     }},
    {"OpenByFileId_IsNotImplemented",
     [](Context& c) {
         File related = c.must_open({.name = u""});
         c.one_of(c.open({.name = u"\u0001\u0002\u0003\u0004",
                          .options = option::kOpenByFileId,
                          .related = related.handle()})
                      .status(),
                  {Status::kNotImplemented, Status::kNotSupported});
     }},
    {"DeleteOnClose_WithoutDeleteAccess_IsAnInvalidParameter",
     [](Context& c) {
         c.make_file(u"f");
         c.expect_open({.name = u"f", .options = option::kDeleteOnClose}, Status::kInvalidParameter);
         c.equal(c.status_of(u"f"), Status::kSuccess);
     }},
    {"TemporaryAttribute_OnANewDirectory_IsAnInvalidParameter",
     [](Context& c) {
         c.expect_open({.name = u"d",
                        .disposition = kCreate,
                        .options = option::kDirectoryFile,
                        .attributes = attribute::kTemporary},
                       Status::kInvalidParameter);
         c.equal(c.status_of(u"d"), Status::kObjectNameNotFound);
     }},
    {"ExtendedAttributes_OnCreate_AreNotSupported",
     [](Context& c) {
         c.expect_open(
             {.name = u"f", .access = access::kGenericWrite, .disposition = kCreate, .with_ea = true},
             Status::kEasNotSupported);
         c.equal(c.status_of(u"f"), Status::kObjectNameNotFound);
     }},
    {"MaximumAllowed_GrantsReadingAndWriting",
     [](Context& c) {
         File file = c.must_open({.name = u"f", .access = access::kMaximumAllowed, .disposition = kCreate});
         file.put("text", 0);
         c.equal(file.read_text(0, 10), "text");
     }},
    {"AFailedCreate_LeavesNothingBehind",
     [](Context& c) {
         c.expect_open(with(u"a\\b", kCreate), Status::kObjectPathNotFound);
         c.expect_open(with(u"a*b", kCreate), Status::kObjectNameInvalid);
         c.expect_open(with(u"a\\", kCreate), Status::kObjectNameInvalid);
         c.check(c.names().empty(), "the directory is still empty");
     }},
});

}  // namespace

std::span<const Case> create_cases() {
    return kCases;
}

}  // namespace behaviour
