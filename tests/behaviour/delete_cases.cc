// Deleting: delete-on-close, the disposition, pending deletes, directories, read-only files, several handles.
#include <algorithm>
#include <array>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;

constexpr std::uint32_t kPosixUnlinkRename = 0x400;  // FILE_SUPPORTS_POSIX_UNLINK_RENAME

// Whether the volume claims POSIX deletes and renames.
bool has_posix_semantics(Context& c) {
    File root = c.must_open({.name = u"", .access = access::kReadAttributes});
    std::array<std::uint32_t, 64> buffer{};
    const Io io = root.query_volume(volume_class::kAttribute, std::as_writable_bytes(std::span(buffer)));
    c.require(io.status, "query of the volume's attributes");
    return (buffer[0] & kPosixUnlinkRename) != 0;
}

Call for_delete(std::u16string name, std::uint32_t options = 0) {
    return {.name = std::move(name), .access = access::kDelete | access::kGenericRead, .options = options};
}

void expect_gone(Context& c, std::u16string_view name, Where where = Where::current()) {
    c.equal(c.status_of(name), Status::kObjectNameNotFound, describe(name) + " is gone", where);
    const auto left = c.names();
    c.equal(std::ranges::find(left, std::u16string(name)) == left.end(), true, "it is not listed", where);
}

constexpr auto kCases = std::to_array<Case>({
    {"DeleteOnClose_RemovesAFile",
     [](Context& c) {
         c.make_file(u"f");
         File file = c.must_open(for_delete(u"f", option::kDeleteOnClose));
         file.close();
         expect_gone(c, u"f");
     }},
    {"DeleteOnClose_RemovesAFileItCreates",
     [](Context& c) {
         File file = c.must_open({.name = u"f",
                                  .access = access::kDelete | access::kGenericWrite,
                                  .disposition = kCreate,
                                  .options = option::kDeleteOnClose});
         file.put("temporary");
         file.close();
         expect_gone(c, u"f");
     }},
    {"DeleteOnClose_RemovesAnEmptyDirectory",
     [](Context& c) {
         c.make_directory(u"d");
         File file = c.must_open(for_delete(u"d", option::kDeleteOnClose | option::kDirectoryFile));
         file.close();
         expect_gone(c, u"d");
     }},
    {"DeleteOnClose_LeavesADirectoryThatIsNotEmpty",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f", "kept");
         File file = c.open(for_delete(u"d", option::kDeleteOnClose | option::kDirectoryFile));
         file.close();
         c.equal(c.contents(u"d\\f"), "kept");
     }},
    {"DeleteOnClose_TakesEffectWhenTheLastHandleCloses",
     [](Context& c) {
         c.make_file(u"f", "text");
         File deleting = c.must_open(for_delete(u"f", option::kDeleteOnClose));
         File other = c.must_open({.name = u"f"});
         deleting.close();
         c.equal(c.status_of(u"f"), Status::kDeletePending);
         c.equal(other.read_text(0, 10), "text");
         other.close();
         expect_gone(c, u"f");
     }},
    {"DeleteOnClose_IsNotPendingBeforeItsHandleCloses",
     [](Context& c) {
         c.make_file(u"f");
         File deleting = c.must_open(for_delete(u"f", option::kDeleteOnClose));
         c.expect_open({.name = u"f"}, CreateAction::kOpened);
     }},
    {"Disposition_RemovesAFileOnClose",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open(for_delete(u"f"));
         c.equal(file.dispose(), Status::kSuccess);
         c.equal(file.read_text(0, 10), "text", "still readable through the handle");
         file.close();
         expect_gone(c, u"f");
     }},
    {"Disposition_RemovesADirectoryOnClose",
     [](Context& c) {
         c.make_directory(u"d");
         c.equal(c.remove(u"d"), Status::kSuccess);
         expect_gone(c, u"d");
     }},
    {"Disposition_CanBeTakenBack",
     [](Context& c) {
         c.make_file(u"f", "kept");
         File file = c.must_open(for_delete(u"f"));
         c.equal(file.dispose(), Status::kSuccess);
         c.equal(file.standard().delete_pending, 1);
         c.equal(file.dispose(false), Status::kSuccess);
         c.equal(file.standard().delete_pending, 0);
         c.expect_open({.name = u"f"}, CreateAction::kOpened);
         file.close();
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Disposition_CanBeTakenBackThroughAnotherHandle",
     [](Context& c) {
         c.make_file(u"f", "kept");
         File first = c.must_open(for_delete(u"f"));
         File second = c.must_open(for_delete(u"f"));
         c.equal(first.dispose(), Status::kSuccess);
         c.equal(second.dispose(false), Status::kSuccess);
         first.close();
         second.close();
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Disposition_WithoutDeleteAccess_IsDenied",
     [](Context& c) {
         c.make_file(u"f");
         File file = c.must_open({.name = u"f", .access = access::kGenericRead | access::kGenericWrite});
         c.equal(file.dispose(), Status::kAccessDenied);
         file.close();
         c.equal(c.status_of(u"f"), Status::kSuccess);
     }},
    {"Disposition_OfADirectoryThatIsNotEmpty_IsRefused",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f");
         File directory = c.must_open(for_delete(u"d"));
         c.equal(directory.dispose(), Status::kDirectoryNotEmpty);
         c.equal(directory.standard().delete_pending, 0);
         c.equal(c.remove(u"d\\f"), Status::kSuccess);
         c.equal(directory.dispose(), Status::kSuccess, "once it is empty");
         directory.close();
         expect_gone(c, u"d");
     }},
    {"Disposition_OfTheRoot_IsRefused",
     [](Context& c) {
         File root = c.must_open({.name = u"\\", .access = access::kDelete, .origin = Origin::kVolume});
         c.equal(root.dispose(), Status::kCannotDelete);
     }},
    {"Disposition_OfAReadOnlyFile_IsRefused",
     [](Context& c) {
         c.make_file(u"f", "kept", attribute::kReadOnly);
         File file = c.must_open(for_delete(u"f"));
         c.equal(file.dispose(), Status::kCannotDelete);
         file.close();
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Disposition_OfAFileThatIsNoLongerReadOnly_Works",
     [](Context& c) {
         c.make_file(u"f", "", attribute::kReadOnly);
         c.set_attributes(u"f", attribute::kNormal);
         c.equal(c.remove(u"f"), Status::kSuccess);
         expect_gone(c, u"f");
     }},
    {"Disposition_OfAReadOnlyDirectory_IsRefused",
     [](Context& c) {
         c.make_directory(u"d");
         c.set_attributes(u"d", attribute::kReadOnly);
         c.equal(c.remove(u"d"), Status::kCannotDelete);
         c.equal(c.status_of(u"d"), Status::kSuccess);
     }},
    {"DeleteOnClose_OfAReadOnlyFile_IsRefused",
     [](Context& c) {
         c.make_file(u"f", "kept", attribute::kReadOnly);
         c.expect_open(for_delete(u"f", option::kDeleteOnClose), Status::kCannotDelete);
         c.equal(c.contents(u"f"), "kept");
     }},
    {"DeleteOnClose_CreatingAReadOnlyFile_IsRefused",
     [](Context& c) {
         c.expect_open({.name = u"f",
                        .access = access::kDelete | access::kGenericWrite,
                        .disposition = kCreate,
                        .options = option::kDeleteOnClose,
                        .attributes = attribute::kReadOnly},
                       Status::kCannotDelete);
         c.equal(c.status_of(u"f"), Status::kObjectNameNotFound);
     }},
    {"PendingDelete_RefusesEveryOpen",
     [](Context& c) {
         c.make_file(u"f");
         File file = c.must_open(for_delete(u"f"));
         c.equal(file.dispose(), Status::kSuccess);
         c.equal(c.status_of(u"f"), Status::kDeletePending, "for attributes");
         for (const Disposition disposition : {kOpen, kOpenIf, kOverwrite, kOverwriteIf, kSupersede}) {
             c.expect_open({.name = u"f", .access = access::kGenericWrite, .disposition = disposition},
                           Status::kDeletePending);
         }
         c.one_of(c.open({.name = u"f", .access = access::kGenericWrite, .disposition = kCreate}).status(),
                  {Status::kDeletePending, Status::kObjectNameCollision});
     }},
    {"PendingDelete_LastsUntilTheLastHandleCloses",
     [](Context& c) {
         c.make_file(u"f", "text");
         File first = c.must_open(for_delete(u"f"));
         File second = c.must_open({.name = u"f", .access = access::kGenericRead | access::kGenericWrite});
         c.equal(first.dispose(), Status::kSuccess);
         first.close();
         c.equal(c.status_of(u"f"), Status::kDeletePending);
         c.equal(second.standard().delete_pending, 1);
         second.put("more", 4);
         c.equal(second.read_text(0, 20), "textmore");
         second.close();
         expect_gone(c, u"f");
     }},
    {"PendingDelete_StillListsTheName",
     [](Context& c) {
         c.make_file(u"f");
         File file = c.must_open(for_delete(u"f"));
         c.equal(file.dispose(), Status::kSuccess);
         c.equal(c.names(), std::vector<std::u16string>{u"f"});
     }},
    {"PendingDelete_OfADirectoryRefusesOpens",
     [](Context& c) {
         c.make_directory(u"d");
         File directory = c.must_open(for_delete(u"d"));
         c.equal(directory.dispose(), Status::kSuccess);
         c.expect_open({.name = u"d"}, Status::kDeletePending);
         directory.close();
         expect_gone(c, u"d");
     }},
    {"Deleted_NameCanBeUsedAgain",
     [](Context& c) {
         for (int round = 0; round < 3; ++round) {
             c.make_file(u"n", "file");
             c.equal(c.remove(u"n"), Status::kSuccess);
             c.make_directory(u"n");
             c.equal(c.remove(u"n"), Status::kSuccess);
         }
         c.make_file(u"n", "last");
         c.equal(c.contents(u"n"), "last");
     }},
    {"Deleted_TreeIsGoneFromTheBottomUp",
     [](Context& c) {
         c.make_directory(u"a");
         c.make_directory(u"a\\b");
         c.make_file(u"a\\b\\f");
         c.equal(c.remove(u"a\\b"), Status::kDirectoryNotEmpty);
         c.equal(c.remove(u"a\\b\\f"), Status::kSuccess);
         c.equal(c.remove(u"a\\b"), Status::kSuccess);
         c.equal(c.remove(u"a"), Status::kSuccess);
         c.check(c.names().empty(), "nothing is left");
         c.expect_open({.name = u"a\\b\\f"}, Status::kObjectPathNotFound);
     }},
    {"Deleted_ByTheFirstOfManyHandles",
     [](Context& c) {
         c.make_file(u"f");
         std::vector<File> handles;
         for (int i = 0; i < 5; ++i)
             handles.push_back(c.must_open(for_delete(u"f")));
         c.equal(handles.front().dispose(), Status::kSuccess);
         while (handles.size() > 1) {
             handles.erase(handles.begin());
             c.equal(c.status_of(u"f"), Status::kDeletePending);
         }
         handles.clear();
         expect_gone(c, u"f");
     }},
    {"DispositionEx_IsRefusedUnlessTheVolumeHasPosixSemantics",
     [](Context& c) {
         constexpr std::uint32_t kDeleteAndPosix = 3;
         c.make_file(u"f");
         File file = c.must_open(for_delete(u"f"));
         File other = c.must_open({.name = u"f"});
         const Status status = file.set(file_class::kDispositionEx, kDeleteAndPosix);
         file.close();
         if (has_posix_semantics(c)) {
             c.equal(status, Status::kSuccess);
             expect_gone(c, u"f");
         } else {
             c.equal(status, Status::kInvalidParameter);
             c.equal(c.status_of(u"f"), Status::kSuccess);
         }
     }},
});

}  // namespace

std::span<const Case> delete_cases() {
    return kCases;
}

}  // namespace behaviour
