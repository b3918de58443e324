// Share modes: which opens of one file exclude each other.
#include <array>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;

constexpr std::array kRights{access::kReadData, access::kWriteData, access::kDelete};

// The share bit that must be granted for an access right.
constexpr std::uint32_t share_for(std::uint32_t right) {
    return right == access::kReadData    ? share::kRead
           : right == access::kWriteData ? share::kWrite
                                         : share::kDelete;
}

Status second_open(Context& c, const Call& first, const Call& second) {
    File held = c.must_open(first);
    return c.open(second).status();
}

// Holds the file open with `first` access and `first_share`, then opens it for `right`, sharing all.
void expect_conflict(Context& c, Call first, Call second, bool conflict, Where where = Where::current()) {
    first.name = second.name = u"f";
    c.equal(second_open(c, first, second), conflict ? Status::kSharingViolation : Status::kSuccess, {},
            where);
}

constexpr auto kCases = std::to_array<Case>({
    {"Sharing_FollowsTheMatrixOfAccessAndShareBits",
     [](Context& c) {
         c.make_file(u"f", "text");
         for (const std::uint32_t first : kRights) {
             for (std::uint32_t first_share = 0; first_share <= share::kAll; ++first_share) {
                 File held = c.must_open({.name = u"f", .access = first, .share = first_share});
                 for (const std::uint32_t second : kRights) {
                     for (std::uint32_t second_share = 0; second_share <= share::kAll; ++second_share) {
                         const bool conflict = (share_for(second) & ~first_share) != 0 ||
                                               (share_for(first) & ~second_share) != 0;
                         const Status status =
                             c.open({.name = u"f", .access = second, .share = second_share}).status();
                         c.equal(status, conflict ? Status::kSharingViolation : Status::kSuccess,
                                 "held " + describe(first) + " sharing " + describe(first_share) +
                                     ", opened " + describe(second) + " sharing " + describe(second_share));
                     }
                 }
             }
         }
     }},
    {"Sharing_AttributeOnlyOpensNeverConflict",
     [](Context& c) {
         c.make_file(u"f");
         constexpr std::uint32_t kQuiet =
             access::kReadAttributes | access::kWriteAttributes | access::kReadControl;
         expect_conflict(c, {.access = access::kFileAllAccess, .share = 0}, {.access = kQuiet, .share = 0},
                         false);
         expect_conflict(c, {.access = kQuiet, .share = 0}, {.access = access::kFileAllAccess, .share = 0},
                         false);
         expect_conflict(c, {.access = kQuiet, .share = 0}, {.access = kQuiet, .share = 0}, false);
     }},
    {"Sharing_ExecuteCountsAsRead",
     [](Context& c) {
         c.make_file(u"f");
         expect_conflict(c, {.share = share::kWrite | share::kDelete}, {.access = access::kExecute}, true);
         expect_conflict(c, {.access = access::kExecute}, {.share = share::kWrite | share::kDelete}, true);
         expect_conflict(c, {.share = share::kRead}, {.access = access::kExecute}, false);
     }},
    {"Sharing_AppendCountsAsWrite",
     [](Context& c) {
         c.make_file(u"f");
         expect_conflict(c, {.share = share::kRead | share::kDelete}, {.access = access::kAppendData}, true);
         expect_conflict(c, {.access = access::kAppendData}, {.share = share::kRead | share::kDelete}, true);
         expect_conflict(c, {.share = share::kWrite}, {.access = access::kAppendData, .share = share::kRead},
                         false);
     }},
    {"Sharing_OverwriteCountsAsWrite",
     [](Context& c) {
         c.make_file(u"f", "kept");
         for (const Disposition disposition : {kOverwrite, kOverwriteIf}) {
             expect_conflict(c, {.share = share::kRead | share::kDelete},
                             {.access = access::kReadAttributes, .disposition = disposition}, true);
         }
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Sharing_SupersedeCountsAsDelete",
     [](Context& c) {
         c.make_file(u"f", "kept");
         expect_conflict(c, {.share = share::kRead | share::kWrite},
                         {.access = access::kReadAttributes, .disposition = kSupersede}, true);
         c.equal(c.contents(u"f"), "kept");
         expect_conflict(c, {}, {.access = access::kReadAttributes, .disposition = kSupersede}, false);
     }},
    {"Sharing_ARefusedOverwriteLeavesTheFileAsItWas",
     [](Context& c) {
         c.make_file(u"f", "kept");
         {
             File held = c.must_open({.name = u"f", .share = share::kRead});
             for (const Disposition disposition : {kOverwrite, kOverwriteIf, kSupersede}) {
                 c.expect_open({.name = u"f", .access = access::kGenericWrite, .disposition = disposition},
                               Status::kSharingViolation);
             }
             c.equal(held.read_text(0, 10), "kept");
         }
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Sharing_ARefusedDeleteOnCloseDeletesNothing",
     [](Context& c) {
         c.make_file(u"f", "kept");
         expect_conflict(c, {.share = share::kRead | share::kWrite},
                         {.access = access::kDelete, .options = option::kDeleteOnClose}, true);
         c.equal(c.contents(u"f"), "kept");
     }},
    {"Sharing_EndsWithTheHandle",
     [](Context& c) {
         c.make_file(u"f");
         File held = c.must_open({.name = u"f", .access = access::kGenericWrite, .share = 0});
         c.expect_open({.name = u"f"}, Status::kSharingViolation);
         held.close();
         c.expect_open({.name = u"f", .access = access::kFileAllAccess, .share = 0}, CreateAction::kOpened);
     }},
    {"Sharing_EveryOpenHandleMustAgree",
     [](Context& c) {
         c.make_file(u"f");
         File generous = c.must_open({.name = u"f", .share = share::kAll});
         File strict = c.must_open({.name = u"f", .share = share::kRead});
         c.expect_open({.name = u"f", .access = access::kWriteData}, Status::kSharingViolation);
         strict.close();
         c.expect_open({.name = u"f", .access = access::kWriteData}, CreateAction::kOpened);
     }},
    {"Sharing_TheCreatorOfAFileTakesPart",
     [](Context& c) {
         File creator =
             c.must_open({.name = u"f", .access = access::kGenericWrite, .disposition = kCreate, .share = 0});
         c.expect_open({.name = u"f"}, Status::kSharingViolation);
         c.expect_open({.name = u"f", .access = access::kReadAttributes}, CreateAction::kOpened);
     }},
    {"Sharing_HoldsForDirectories",
     [](Context& c) {
         c.make_directory(u"f");
         expect_conflict(c, {.access = access::kReadData, .share = 0}, {.access = access::kReadData}, true);
         expect_conflict(c, {.access = access::kReadData, .share = share::kRead}, {.access = access::kDelete},
                         true);
         expect_conflict(c, {.access = access::kReadData, .share = share::kRead},
                         {.access = access::kReadData}, false);
     }},
    {"Sharing_OfADirectoryDoesNotReachItsChildren",
     [](Context& c) {
         c.make_directory(u"d");
         File held = c.must_open({.name = u"d", .share = 0});
         c.make_file(u"d\\f", "text");
         c.equal(c.contents(u"d\\f"), "text");
         c.equal(c.remove(u"d\\f"), Status::kSuccess);
     }},
    {"Sharing_FilesOfDifferentNamesAreIndependent",
     [](Context& c) {
         c.make_file(u"f");
         c.make_file(u"g");
         File held = c.must_open({.name = u"f", .access = access::kFileAllAccess, .share = 0});
         c.expect_open({.name = u"g", .access = access::kFileAllAccess, .share = 0}, CreateAction::kOpened);
     }},
    {"Sharing_FollowsARenamedFile",
     [](Context& c) {
         c.make_file(u"f");
         File held = c.must_open(
             {.name = u"f", .access = access::kDelete | access::kGenericRead, .share = share::kRead});
         c.equal(held.rename({.target = u"g"}), Status::kSuccess);
         c.expect_open({.name = u"g", .access = access::kWriteData}, Status::kSharingViolation);
         c.make_file(u"f");
         c.expect_open({.name = u"f", .access = access::kFileAllAccess, .share = 0}, CreateAction::kOpened);
     }},
});

}  // namespace

std::span<const Case> share_cases() {
    return kCases;
}

}  // namespace behaviour
