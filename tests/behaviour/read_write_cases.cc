// Reading, writing, flushing: positions, ends of files, appending, large transfers, handles side by side.
#include <array>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;

constexpr std::uint32_t kReadWrite = access::kGenericRead | access::kGenericWrite;

Call for_io(std::uint32_t options = 0) {
    return {.name = u"f", .access = kReadWrite, .disposition = kOpenIf, .options = options};
}

// Bytes that repeat at no power of two.
std::string pattern(std::size_t bytes, unsigned seed = 0) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i)
        text[i] = static_cast<char>((i * 131 + i / 251 + seed) & 0xFF);
    return text;
}

Io read_some(File& file, std::size_t bytes, std::optional<std::uint64_t> offset) {
    std::vector<std::byte> buffer(bytes);
    return file.read(buffer, offset);
}

constexpr auto kCases = std::to_array<Case>({
    {"Write_ThenRead_GivesTheSameBytes",
     [](Context& c) {
         const std::string data = pattern(1000);
         File file = c.must_open(for_io());
         file.put(data, 0);
         c.equal(file.read_text(0, 1000), data);
         c.equal(file.read_text(500, 100), data.substr(500, 100));
         file.close();
         c.equal(c.contents(u"f"), data, "after closing");
     }},
    {"Write_OverOldBytes_ChangesOnlyThose",
     [](Context& c) {
         c.make_file(u"f", "0123456789");
         File file = c.must_open(for_io());
         file.put("abc", 3);
         c.equal(file.read_text(0, 20), "012abc6789");
         c.equal(file.size(), 10U);
     }},
    {"Read_AtOrBeyondTheEnd_SaysEndOfFile",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open(for_io());
         c.equal(read_some(file, 10, 4).status, Status::kEndOfFile);
         c.equal(read_some(file, 10, 5).status, Status::kEndOfFile);
         c.equal(read_some(file, 10, std::uint64_t{1} << 40).status, Status::kEndOfFile);
     }},
    {"Read_OfAnEmptyFile_SaysEndOfFile",
     [](Context& c) {
         File file = c.must_open(for_io());
         c.equal(read_some(file, 10, 0).status, Status::kEndOfFile);
     }},
    {"Read_AcrossTheEnd_GivesWhatThereIs",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open(for_io());
         const Io io = read_some(file, 100, 1);
         c.equal(io.status, Status::kSuccess);
         c.equal(io.information, 3U);
     }},
    {"ZeroLength_ReadsAndWritesSucceedAndDoNothing",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open(for_io());
         for (const std::uint64_t offset : {0, 4, 100}) {
             const Io read = read_some(file, 0, offset);
             c.equal(read.status, Status::kSuccess);
             c.equal(read.information, 0U);
             const Io write = file.write("", offset);
             c.equal(write.status, Status::kSuccess);
             c.equal(write.information, 0U);
         }
         c.equal(file.size(), 4U);
     }},
    {"Read_WithoutTheRight_IsDenied",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open({.name = u"f", .access = access::kWriteData | access::kReadAttributes});
         c.equal(read_some(file, 10, 0).status, Status::kAccessDenied);
     }},
    {"Write_WithoutTheRight_IsDenied",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open({.name = u"f"});
         c.equal(file.write("x", 0).status, Status::kAccessDenied);
         c.equal(c.contents(u"f"), "text");
     }},
    {"Io_OnADirectory_IsRefused",
     [](Context& c) {
         c.make_directory(u"d");
         File directory = c.must_open({.name = u"d", .access = kReadWrite});
         c.one_of(read_some(directory, 10, 0).status,
                  {Status::kInvalidParameter, Status::kInvalidDeviceRequest});
         c.one_of(directory.write("x", 0).status, {Status::kInvalidParameter, Status::kInvalidDeviceRequest});
     }},
    {"Position_AdvancesWithEveryReadAndWrite",
     [](Context& c) {
         File file = c.must_open(for_io());
         c.equal(file.position(), 0U);
         file.put("0123456789");
         c.equal(file.position(), 10U, "after a write");
         c.equal(file.set_position(2), Status::kSuccess);
         c.equal(read_some(file, 3, {}).information, 3U);
         c.equal(file.position(), 5U, "after a read");
         file.put("ab");
         c.equal(file.position(), 7U, "after another write");
         c.equal(file.read_text(0, 20), "01234ab789");
     }},
    {"Position_FollowsExplicitOffsets",
     [](Context& c) {
         c.make_file(u"f", "0123456789");
         File file = c.must_open(for_io());
         c.equal(read_some(file, 2, 6).information, 2U);
         c.equal(file.position(), 8U);
         file.put("x", 1);
         c.equal(file.position(), 2U);
     }},
    {"Position_IsPerHandle",
     [](Context& c) {
         c.make_file(u"f", "0123456789");
         File first = c.must_open(for_io());
         File second = c.must_open(for_io());
         c.equal(read_some(first, 4, {}).information, 4U);
         c.equal(second.position(), 0U);
     }},
    {"Position_StaysWhenAReadMeetsTheEnd",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open(for_io());
         c.equal(read_some(file, 100, {}).information, 4U);
         c.equal(file.position(), 4U);
         c.equal(read_some(file, 100, {}).status, Status::kEndOfFile);
         c.equal(file.position(), 4U);
     }},
    {"Position_CannotBeNegative",
     [](Context& c) {
         File file = c.must_open(for_io());
         c.equal(file.set_position(std::uint64_t{1} << 63), Status::kInvalidParameter);
         c.equal(file.position(), 0U);
     }},
    {"AnAsynchronousHandle_NeedsOffsets",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file =
             c.must_open({.name = u"f", .access = kReadWrite | access::kSynchronize, .asynchronous = true});
         c.equal(read_some(file, 10, {}).status, Status::kInvalidParameter);
         c.equal(file.write("x").status, Status::kInvalidParameter);
         c.equal(file.read_text(1, 10), "ext");
         file.put("T", 0);
         c.equal(file.read_text(0, 10), "Text");
     }},
    {"Read_AtANegativeOffset_IsAnInvalidParameter",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open(for_io());
         c.equal(read_some(file, 10, std::uint64_t{1} << 63).status, Status::kInvalidParameter);
         c.equal(file.write("x", std::uint64_t{1} << 63).status, Status::kInvalidParameter);
         c.equal(file.size(), 4U);
     }},
    {"Write_ToTheEndOfFileOffset_Appends",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open(for_io());
         file.put(" and", kEndOfFileOffset);
         file.put(" more", kEndOfFileOffset);
         c.equal(file.read_text(0, 20), "text and more");
     }},
    {"AnAppendOnlyHandle_AppendsWhateverTheOffset",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open({.name = u"f", .access = access::kAppendData});
         file.put(" a", 0);
         file.put(" b", 1);
         file.put(" c", 1000);
         c.equal(c.contents(u"f"), "text a b c");
     }},
    {"AppendOnlyHandles_TakeTurns",
     [](Context& c) {
         File first = c.must_open({.name = u"f", .access = access::kAppendData, .disposition = kCreate});
         File second = c.must_open({.name = u"f", .access = access::kAppendData});
         std::string expected;
         for (int round = 0; round < 10; ++round) {
             first.put("1", 0);
             second.put("22", 0);
             expected += "122";
         }
         c.equal(c.contents(u"f"), expected);
     }},
    {"Write_OfFiveMegabytes_ComesBackWhole",
     [](Context& c) {
         const std::string data = pattern(5 * 1024 * 1024 + 3);
         File file = c.must_open(for_io());
         file.put(data, 0);
         c.equal(file.size(), data.size());
         c.check(file.read_text(0, data.size() + 1) == data, "the bytes read are those written");
     }},
    {"Write_OfFiveMegabytesAtAnOddOffset_ComesBackWhole",
     [](Context& c) {
         const std::string data = pattern(5 * 1024 * 1024 + 1, 7);
         File file = c.must_open(for_io());
         file.put("head", 0);
         file.put(data, 4099);
         c.equal(file.size(), 4099 + data.size());
         c.check(file.read_text(4099, data.size() + 1) == data, "the bytes read are those written");
         c.equal(file.read_text(0, 4099), "head" + std::string(4095, '\0'));
         c.check(file.read_text(1'000'003, 777'777) == data.substr(1'000'003 - 4099, 777'777),
                 "a piece of it");
     }},
    {"Write_InManySmallPieces_ComesBackWhole",
     [](Context& c) {
         const std::string data = pattern(20'000);
         File file = c.must_open(for_io());
         for (std::size_t at = 0; at < data.size(); at += 37)
             file.put(std::string_view(data).substr(at, 37));
         c.check(file.read_text(0, data.size() + 1) == data, "the bytes read are those written");
     }},
    {"Write_FromTheEndToTheBeginning_ComesBackWhole",
     [](Context& c) {
         const std::string data = pattern(10'000);
         File file = c.must_open(for_io());
         for (std::size_t at = data.size(); at > 0; at -= 500) {
             file.put(std::string_view(data).substr(at - 500, 500), at - 500);
         }
         c.check(file.read_text(0, data.size() + 1) == data, "the bytes read are those written");
     }},
    {"Write_IsSeenThroughOtherHandlesAtOnce",
     [](Context& c) {
         File writer = c.must_open(for_io());
         File reader = c.must_open({.name = u"f"});
         for (std::uint64_t round = 0; round < 20; ++round) {
             writer.put("abc", round * 3);
             c.equal(reader.size(), round * 3 + 3);
             c.equal(reader.read_text(round * 3, 10), "abc");
         }
     }},
    {"Write_ThroughAWriteThroughHandle_Works",
     [](Context& c) {
         File file = c.must_open(for_io(option::kWriteThrough));
         file.put("text", 0);
         c.equal(c.contents(u"f"), "text");
     }},
    {"Io_WithoutIntermediateBuffering_MatchesBufferedIo",
     [](Context& c) {
         const std::string data = pattern(3 * 4096);
         File plain = c.must_open(for_io());
         File direct = c.must_open(for_io(option::kNoIntermediateBuffering));
         direct.put(data, 0);
         c.check(plain.read_text(0, data.size() + 1) == data, "written direct, read buffered");
         plain.put("changed", 4096);
         c.equal(direct.read_text(4096, 4096).substr(0, 7), "changed");
     }},
    {"Write_OfEveryByteValue_ComesBackUnchanged",
     [](Context& c) {
         std::string data;
         for (int value = 0; value < 256; ++value)
             data += static_cast<char>(value);
         c.make_file(u"f", data + "\r\n\n\r" + data);
         c.equal(c.contents(u"f"), data + "\r\n\n\r" + data);
     }},
    {"Flush_OfAFile_Succeeds",
     [](Context& c) {
         File file = c.must_open(for_io());
         file.put("text", 0);
         c.equal(file.flush(), Status::kSuccess);
         c.equal(file.read_text(0, 10), "text");
     }},
    {"Flush_OfADirectory_Succeeds",
     [](Context& c) {
         c.make_directory(u"d");
         File directory = c.must_open({.name = u"d", .access = kReadWrite});
         c.equal(directory.flush(), Status::kSuccess);
     }},
    {"Flush_WithoutARightToWrite_IsDenied",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open({.name = u"f"});
         c.equal(file.flush(), Status::kAccessDenied);
     }},
    {"Flush_OfTheRoot_FlushesTheVolume",
     [](Context& c) {
         File file = c.must_open(for_io());
         file.put("text", 0);
         File root = c.must_open({.name = u"\\", .access = kReadWrite, .origin = Origin::kVolume});
         c.equal(root.flush(), Status::kSuccess);
     }},
});

}  // namespace

std::span<const Case> read_write_cases() {
    return kCases;
}

}  // namespace behaviour
