// Sizes: end of file, allocation, gaps, large files.
#include <array>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;

File open_for_size(Context& c, std::string_view contents = {}) {
    c.make_file(u"f", contents);
    return c.must_open({.name = u"f", .access = access::kGenericRead | access::kGenericWrite});
}

std::uint64_t unit_bytes(File& file) {
    const auto sizes = file.query_volume_as<SizeInformation>(volume_class::kSize);
    return std::uint64_t{sizes.sectors_per_unit} * sizes.bytes_per_sector;
}

constexpr auto kCases = std::to_array<Case>({
    {"ANewFile_IsEmptyAndTakesNoSpace",
     [](Context& c) {
         File file = open_for_size(c);
         const StandardInformation standard = file.standard();
         c.equal(standard.end_of_file, 0U);
         c.equal(standard.allocation_size, 0U);
         c.equal(standard.directory, 0);
         c.equal(standard.delete_pending, 0);
         c.equal(standard.links, 1U);
     }},
    {"EndOfFile_Grown_ReadsAsZeros",
     [](Context& c) {
         File file = open_for_size(c, "text");
         c.equal(file.set_size(10), Status::kSuccess);
         c.equal(file.size(), 10U);
         c.equal(file.read_text(0, 20), std::string("text\0\0\0\0\0\0", 10));
     }},
    {"EndOfFile_Shrunk_CutsTheFile",
     [](Context& c) {
         File file = open_for_size(c, "0123456789");
         c.equal(file.set_size(4), Status::kSuccess);
         c.equal(file.size(), 4U);
         c.equal(file.read_text(0, 20), "0123");
         file.close();
         c.equal(c.contents(u"f"), "0123");
     }},
    {"EndOfFile_ShrunkAndGrown_DoesNotBringOldBytesBack",
     [](Context& c) {
         File file = open_for_size(c, "secret");
         c.equal(file.set_size(2), Status::kSuccess);
         c.equal(file.set_size(6), Status::kSuccess);
         c.equal(file.read_text(0, 10), std::string("se\0\0\0\0", 6));
     }},
    {"EndOfFile_SetToZero_EmptiesTheFile",
     [](Context& c) {
         File file = open_for_size(c, "text");
         c.equal(file.set_size(0), Status::kSuccess);
         c.equal(file.size(), 0U);
         file.put("new", 0);
         c.equal(file.read_text(0, 10), "new");
     }},
    {"EndOfFile_IsSeenThroughOtherHandlesAtOnce",
     [](Context& c) {
         File file = open_for_size(c, "0123456789");
         File other = c.must_open({.name = u"f"});
         c.equal(file.set_size(3), Status::kSuccess);
         c.equal(other.size(), 3U);
         c.equal(other.read_text(0, 20), "012");
         c.equal(file.set_size(5), Status::kSuccess);
         c.equal(other.size(), 5U);
     }},
    {"EndOfFile_WithoutTheRightToWrite_IsDenied",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open({.name = u"f"});
         c.equal(file.set_size(1), Status::kAccessDenied);
         c.equal(file.set_allocation(0), Status::kAccessDenied);
         c.equal(file.size(), 4U);
     }},
    {"EndOfFile_CannotBeNegative",
     [](Context& c) {
         File file = open_for_size(c, "text");
         c.equal(file.set_size(std::uint64_t{1} << 63), Status::kInvalidParameter);
         c.equal(file.set_allocation(std::uint64_t{1} << 63), Status::kInvalidParameter);
         c.equal(file.size(), 4U);
     }},
    {"EndOfFile_OfADirectory_IsRefused",
     [](Context& c) {
         c.make_directory(u"d");
         File directory = c.must_open({.name = u"d", .access = access::kGenericRead | access::kGenericWrite});
         c.one_of(directory.set_size(10), {Status::kInvalidParameter, Status::kInvalidDeviceRequest,
                                           Status::kFileIsADirectory, Status::kAccessDenied});
     }},
    {"EndOfFile_LeavesThePositionAlone",
     [](Context& c) {
         File file = open_for_size(c, "0123456789");
         c.equal(file.set_position(8), Status::kSuccess);
         c.equal(file.set_size(4), Status::kSuccess);
         c.equal(file.position(), 8U);
         file.put("x");
         c.equal(file.read_text(0, 20), std::string("0123\0\0\0\0x", 9));
     }},
    {"Write_BeyondTheEnd_LeavesAGapOfZeros",
     [](Context& c) {
         File file = open_for_size(c, "ab");
         file.put("cd", 10'000);
         c.equal(file.size(), 10'002U);
         c.equal(file.read_text(0, 20'000), "ab" + std::string(9'998, '\0') + "cd");
     }},
    {"Write_AtTheEnd_ExtendsTheFile",
     [](Context& c) {
         File file = open_for_size(c, "ab");
         file.put("cd", 2);
         c.equal(file.size(), 4U);
         c.equal(file.read_text(0, 10), "abcd");
     }},
    {"Write_BeyondFourGigabytes_Works",
     [](Context& c) {
         constexpr std::uint64_t kOffset = (std::uint64_t{5} << 30) + 12'345;
         File file = open_for_size(c, "start");
         file.put("far away", kOffset);
         c.equal(file.size(), kOffset + 8);
         c.equal(file.read_text(kOffset, 100), "far away");
         c.equal(file.read_text(kOffset - 3, 5), std::string("\0\0\0fa", 5));
         c.equal(file.read_text(0, 5), "start");
     },
     Offers::kLargeFiles},
    {"EndOfFile_BeyondFourGigabytes_Works",
     [](Context& c) {
         constexpr std::uint64_t kSize = (std::uint64_t{1} << 33) + 1;
         File file = open_for_size(c, "start");
         c.equal(file.set_size(kSize), Status::kSuccess);
         c.equal(file.size(), kSize);
         c.equal(file.read_text(kSize - 2, 10), std::string(2, '\0'));
         c.equal(file.set_size(5), Status::kSuccess);
         c.equal(c.contents(u"f"), "start");
     },
     Offers::kLargeFiles},
    {"Allocation_IsAWholeNumberOfUnitsAndCoversTheFile",
     [](Context& c) {
         File file = open_for_size(c, std::string(10'000, 'x'));
         const StandardInformation standard = file.standard();
         c.equal(standard.allocation_size % unit_bytes(file), 0U);
         c.check(standard.allocation_size >= standard.end_of_file, "the allocation covers the file");
     }},
    {"Allocation_SetBelowTheSize_CutsTheFile",
     [](Context& c) {
         File file = open_for_size(c, std::string(20'000, 'x'));
         c.equal(file.set_allocation(8'192), Status::kSuccess);
         c.equal(file.size(), 8'192U);
         c.equal(file.set_allocation(0), Status::kSuccess);
         c.equal(file.size(), 0U);
     }},
    {"Allocation_SetAboveTheSize_LeavesTheSize",
     [](Context& c) {
         File file = open_for_size(c, "text");
         c.equal(file.set_allocation(100'000), Status::kSuccess);
         c.equal(file.size(), 4U);
         c.equal(file.read_text(0, 10), "text");
         file.close();
         c.equal(c.contents(u"f"), "text");
     }},
    {"Allocation_GivenToCreate_IsReportedWhileOpenAndDroppedAfterwards",
     [](Context& c) {
         File file = c.must_open({.name = u"f",
                                  .access = access::kGenericRead | access::kGenericWrite,
                                  .disposition = kCreate,
                                  .allocation_size = 65'536});
         c.equal(file.standard().allocation_size, 65'536U);
         c.equal(file.size(), 0U);
         file.close();
         c.equal(c.must_open({.name = u"f"}).standard().allocation_size, 0U, "after closing");
     }},
    {"ValidDataLength_CannotBeSet",
     [](Context& c) {
         File file = open_for_size(c, "text");
         c.one_of(file.set(file_class::kValidDataLength, std::uint64_t{2}),
                  {Status::kInvalidParameter, Status::kNotSupported, Status::kInvalidInfoClass,
                   Status::kInvalidDeviceRequest});
         c.equal(file.read_text(0, 10), "text");
     }},
    {"Overwrite_GivesTheSpaceBack",
     [](Context& c) {
         c.make_file(u"f", std::string(100'000, 'x'));
         File file = c.must_open({.name = u"f", .access = access::kGenericWrite, .disposition = kOverwrite});
         c.equal(file.standard().allocation_size, 0U);
     }},
    {"Truncate_ThenAppend_ContinuesAtTheNewEnd",
     [](Context& c) {
         File file = open_for_size(c, "0123456789");
         File appender = c.must_open({.name = u"f", .access = access::kAppendData});
         c.equal(file.set_size(3), Status::kSuccess);
         appender.put("x", 0);
         c.equal(file.read_text(0, 20), "012x");
     }},
});

}  // namespace

std::span<const Case> size_cases() {
    return kCases;
}

}  // namespace behaviour
