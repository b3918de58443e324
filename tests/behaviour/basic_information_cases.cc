// Times and attributes.
#include <array>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;

constexpr nt::FileTime kLeave = 0xFFFF'FFFF'FFFF'FFFF;  // -1
constexpr nt::FileTime kSecond = 10'000'000;
// 2020-02-02 02:02:02.1234567 UTC and 2100-01-01 00:00:00.0000001 UTC.
constexpr nt::FileTime kPast = 132'250'825'221'234'567;
constexpr nt::FileTime kFuture = 157'469'184'000'000'001;

File open_file(Context& c, std::string_view contents = {}) {
    c.make_file(u"f", contents);
    return c.must_open(
        {.name = u"f", .access = access::kGenericRead | access::kGenericWrite | access::kWriteAttributes});
}

constexpr auto kCases = std::to_array<Case>({
    {"Times_OfANewFile_AreNow",
     [](Context& c) {
         const nt::FileTime before = c.now();
         File file = open_file(c);
         const BasicInformation basic = file.basic();
         for (const nt::FileTime time :
              {basic.creation_time, basic.last_access_time, basic.last_write_time, basic.change_time}) {
             c.check(time >= before, "not before the create");
             c.check(time <= before + 10 * kSecond, "not long after the create");
         }
     },
     Offers::kClock},
    {"Times_OfANewDirectory_AreNow",
     [](Context& c) {
         const nt::FileTime before = c.now();
         c.make_directory(u"d");
         const BasicInformation basic = c.must_open({.name = u"d"}).basic();
         c.check(basic.creation_time >= before && basic.creation_time <= before + 10 * kSecond, "creation");
         c.check(basic.last_write_time >= before && basic.last_write_time <= before + 10 * kSecond,
                 "last write");
     },
     Offers::kClock},
    {"LastWriteTime_SetAndReadBack_IsExact",
     [](Context& c) {
         File file = open_file(c, "text");
         for (const nt::FileTime time : {kPast, kFuture, kPast + 1}) {
             c.equal(file.set_basic({.last_write_time = time}), Status::kSuccess);
             c.equal(file.basic().last_write_time, time);
         }
         file.close();
         c.equal(c.must_open({.name = u"f"}).basic().last_write_time, kPast + 1, "after closing");
     }},
    {"LastAccessTime_SetAndReadBack_IsExact",
     [](Context& c) {
         File file = open_file(c, "text");
         for (const nt::FileTime time : {kPast, kFuture, kPast + 1}) {
             c.equal(file.set_basic({.last_access_time = time}), Status::kSuccess);
             c.equal(file.basic().last_access_time, time);
         }
     }},
    {"CreationTime_SetAndReadBack_IsExact",
     [](Context& c) {
         File file = open_file(c, "text");
         for (const nt::FileTime time : {kPast, kPast + 1}) {
             c.equal(file.set_basic({.creation_time = time}), Status::kSuccess);
             c.equal(file.basic().creation_time, time);
         }
         file.close();
         c.equal(c.must_open({.name = u"f"}).basic().creation_time, kPast + 1, "after closing");
     },
     Offers::kMetadata},
    {"Times_OfADirectory_CanBeSet",
     [](Context& c) {
         c.make_directory(u"d");
         File directory =
             c.must_open({.name = u"d", .access = access::kReadAttributes | access::kWriteAttributes});
         c.equal(directory.set_basic({.last_access_time = kPast, .last_write_time = kPast + 7}),
                 Status::kSuccess);
         const BasicInformation basic = directory.basic();
         c.equal(basic.last_access_time, kPast);
         c.equal(basic.last_write_time, kPast + 7);
     }},
    {"Times_OfZeroAndMinusOne_LeaveWhatIsThere",
     [](Context& c) {
         File file = open_file(c, "text");
         c.equal(file.set_basic({.last_access_time = kPast, .last_write_time = kPast + 1}), Status::kSuccess);
         const BasicInformation before = file.basic();
         for (const nt::FileTime leave : {nt::FileTime{0}, kLeave}) {
             c.equal(file.set_basic({leave, leave, leave, leave}), Status::kSuccess);
             const BasicInformation after = file.basic();
             c.equal(after.creation_time, before.creation_time, "creation time");
             c.equal(after.last_access_time, before.last_access_time, "last access time");
             c.equal(after.last_write_time, before.last_write_time, "last write time");
             c.equal(after.attributes, before.attributes, "attributes");
         }
     }},
    {"LastWriteTime_SetAlone_LeavesTheOthers",
     [](Context& c) {
         File file = open_file(c);
         c.equal(file.set_basic({.last_access_time = kFuture}), Status::kSuccess);
         c.equal(file.set_basic({.last_write_time = kPast}), Status::kSuccess);
         c.equal(file.basic().last_access_time, kFuture);
         c.equal(file.set_basic({.last_access_time = kPast + 2}), Status::kSuccess);
         c.equal(file.basic().last_write_time, kPast);
     }},
    {"LastWriteTime_AdvancesWithAWrite",
     [](Context& c) {
         File file = open_file(c, "text");
         c.equal(file.set_basic({.last_write_time = kPast}), Status::kSuccess);
         file.close();
         const nt::FileTime before = c.now();
         File writer = c.must_open({.name = u"f", .access = access::kGenericWrite});
         writer.put("more", 0);
         writer.close();
         const nt::FileTime after = c.must_open({.name = u"f"}).basic().last_write_time;
         c.check(after >= before, "not before the write");
         c.check(after <= before + 10 * kSecond, "not long after the write");
     },
     Offers::kClock},
    {"LastWriteTime_SetAfterWriting_OutlivesTheHandle",
     [](Context& c) {
         File file = c.must_open({.name = u"f",
                                  .access = access::kGenericWrite | access::kWriteAttributes,
                                  .disposition = kCreate});
         file.put("copied", 0);
         c.equal(file.set_basic({.last_access_time = kPast + 5, .last_write_time = kPast}), Status::kSuccess);
         file.close();
         const BasicInformation basic =
             c.must_open({.name = u"f", .access = access::kReadAttributes}).basic();
         c.equal(basic.last_write_time, kPast);
     }},
    {"LastWriteTime_IsLeftAloneByReadingAndOpening",
     [](Context& c) {
         File file = open_file(c, "text");
         c.equal(file.set_basic({.last_write_time = kPast}), Status::kSuccess);
         file.close();
         c.equal(c.contents(u"f"), "text");
         c.expect_open({.name = u"f", .access = access::kGenericWrite}, CreateAction::kOpened);
         c.equal(c.must_open({.name = u"f"}).basic().last_write_time, kPast);
     }},
    {"LastWriteTime_OfADirectoryAdvancesWithANewEntry",
     [](Context& c) {
         c.make_directory(u"d");
         c.must_open({.name = u"d", .access = access::kWriteAttributes})
             .set_basic({.last_write_time = kPast});
         c.make_file(u"d\\f");
         const nt::FileTime after = c.must_open({.name = u"d"}).basic().last_write_time;
         c.check(after > kPast, "the time advanced");
     },
     Offers::kClock},
    {"ChangeTime_AdvancesWhenAttributesChange",
     [](Context& c) {
         File file = open_file(c, "text");
         const nt::FileTime before = file.basic().change_time;
         c.equal(file.set_basic({.last_write_time = kPast}), Status::kSuccess);
         c.check(file.basic().change_time >= before, "it does not go back");
         c.check(file.basic().change_time != kPast, "it is not the last write time");
     }},
    {"Attributes_OfANewFile_AreArchive",
     [](Context& c) {
         c.make_file(u"f");
         c.equal(c.attributes_of(u"f"), attribute::kArchive);
         c.make_file(u"g", "", attribute::kNormal);
         c.equal(c.attributes_of(u"g"), attribute::kArchive);
     }},
    {"Attributes_OfADirectory_AreDirectory",
     [](Context& c) {
         c.make_directory(u"d");
         c.equal(c.attributes_of(u"d"), attribute::kDirectory);
     }},
    {"ReadOnly_GivenToCreate_IsKept",
     [](Context& c) {
         c.make_file(u"f", "text", attribute::kReadOnly);
         c.equal(c.attributes_of(u"f"), attribute::kReadOnly | attribute::kArchive);
         c.equal(c.contents(u"f"), "text", "written through the creating handle");
     }},
    {"ReadOnly_SetAndCleared_IsReported",
     [](Context& c) {
         File file = open_file(c);
         c.equal(file.set_attributes(attribute::kReadOnly | attribute::kArchive), Status::kSuccess);
         c.equal(file.attributes() & attribute::kReadOnly, attribute::kReadOnly);
         c.equal(c.attributes_of(u"f") & attribute::kReadOnly, attribute::kReadOnly,
                 "through another handle");
         c.equal(file.set_attributes(attribute::kArchive), Status::kSuccess);
         c.equal(file.attributes(), attribute::kArchive);
     }},
    {"ReadOnly_BlocksOpensForWriting",
     [](Context& c) {
         c.make_file(u"f", "kept", attribute::kReadOnly);
         for (const std::uint32_t right : {access::kWriteData, access::kAppendData, access::kGenericWrite}) {
             c.expect_open({.name = u"f", .access = right}, Status::kAccessDenied);
         }
         c.expect_open({.name = u"f", .access = access::kGenericWrite, .disposition = kOverwrite},
                       Status::kAccessDenied);
         c.expect_open({.name = u"f", .access = access::kGenericWrite, .disposition = kSupersede},
                       Status::kAccessDenied);
         c.expect_open(
             {.name = u"f", .access = access::kGenericRead | access::kWriteAttributes | access::kDelete},
             CreateAction::kOpened);
         c.equal(c.contents(u"f"), "kept");
     }},
    {"ReadOnly_Cleared_LetsWritingOpensIn",
     [](Context& c) {
         c.make_file(u"f", "text", attribute::kReadOnly);
         c.set_attributes(u"f", attribute::kNormal);
         File file = c.must_open({.name = u"f", .access = access::kGenericWrite});
         file.put("TEXT", 0);
         file.close();
         c.equal(c.contents(u"f"), "TEXT");
     }},
    {"ReadOnly_SetWhileOpen_LeavesTheHandleWriting",
     [](Context& c) {
         File file = open_file(c, "text");
         c.equal(file.set_attributes(attribute::kReadOnly), Status::kSuccess);
         file.put("TEXT", 0);
         c.equal(file.read_text(0, 10), "TEXT");
         c.equal(file.set_size(2), Status::kSuccess);
         c.expect_open({.name = u"f", .access = access::kWriteData}, Status::kAccessDenied);
     }},
    {"ReadOnly_DirectoryStillTakesNewFiles",
     [](Context& c) {
         c.make_directory(u"d");
         c.set_attributes(u"d", attribute::kReadOnly);
         c.equal(c.attributes_of(u"d"), attribute::kReadOnly | attribute::kDirectory);
         c.make_file(u"d\\f", "text");
         c.equal(c.contents(u"d\\f"), "text");
     }},
    {"Overwrite_AddsTheAttributesItIsGiven",
     [](Context& c) {
         c.make_file(u"f", "old");
         File file = c.must_open({.name = u"f",
                                  .access = access::kGenericRead | access::kGenericWrite,
                                  .disposition = kOverwrite,
                                  .attributes = attribute::kReadOnly});
         c.equal(file.attributes(), attribute::kReadOnly | attribute::kArchive);
         file.put("new", 0);
         c.equal(file.read_text(0, 10), "new", "written through the overwriting handle");
     }},
    {"Supersede_TakesTheAttributesItIsGiven",
     [](Context& c) {
         c.make_file(u"f", "old");
         c.expect_open({.name = u"f",
                        .access = access::kGenericWrite,
                        .disposition = kSupersede,
                        .attributes = attribute::kReadOnly},
                       CreateAction::kSuperseded);
         c.equal(c.attributes_of(u"f"), attribute::kReadOnly | attribute::kArchive);
         c.equal(c.contents(u"f"), "");
     }},
    {"Attributes_OfZero_LeaveWhatIsThere",
     [](Context& c) {
         c.make_file(u"f", "", attribute::kReadOnly);
         c.set_attributes(u"f", 0);
         c.equal(c.attributes_of(u"f") & attribute::kReadOnly, attribute::kReadOnly);
     }},
    {"DirectoryAttribute_DoesNotMakeAFileADirectory",
     [](Context& c) {
         File file = open_file(c);
         c.one_of(file.set_attributes(attribute::kDirectory), {Status::kSuccess, Status::kInvalidParameter});
         c.equal(file.attributes() & attribute::kDirectory, 0U);
         c.equal(file.standard().directory, 0);
     }},
    {"TemporaryAttribute_OnADirectory_IsAnInvalidParameter",
     [](Context& c) {
         c.make_directory(u"d");
         File directory = c.must_open({.name = u"d", .access = access::kWriteAttributes});
         c.equal(directory.set_attributes(attribute::kTemporary), Status::kInvalidParameter);
     }},
    {"HiddenAndSystem_CanBeSetAndAreReported",
     [](Context& c) {
         constexpr std::uint32_t kBits = attribute::kHidden | attribute::kSystem;
         File file = open_file(c, "text");
         c.equal(file.set_attributes(kBits | attribute::kArchive), Status::kSuccess);
         c.equal(file.attributes(), kBits | attribute::kArchive);
     },
     Offers::kMetadata},
    {"HiddenAttribute_IsKeptOrRefusedClearly",
     [](Context& c) {
         constexpr std::uint32_t kWanted = attribute::kHidden | attribute::kReadOnly | attribute::kArchive;
         File file = open_file(c, "text");
         const Status status = file.set_attributes(kWanted);
         c.one_of(status, {Status::kSuccess, Status::kNotSupported});
         c.equal(file.attributes(), status == Status::kSuccess ? kWanted : attribute::kArchive);
         c.equal(c.contents(u"f"), "text");
     }},
    {"ArchiveAttribute_CanBeCleared",
     [](Context& c) {
         c.make_file(u"f");
         c.set_attributes(u"f", attribute::kNormal);
         c.equal(c.attributes_of(u"f"), attribute::kNormal);
     },
     Offers::kMetadata},
});

}  // namespace

std::span<const Case> basic_information_cases() {
    return kCases;
}

}  // namespace behaviour
