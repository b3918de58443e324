// Listing directories: patterns, classes, buffers, restarts, changes while listing.
#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

using enum Disposition;
using Names = std::vector<std::u16string>;

void make_files(Context& c, const Names& names) {
    for (const std::u16string& name : names)
        c.make_file(name);
}

Names numbered(std::size_t count) {
    Names names;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string digits = std::to_string(10'000 + i);
        names.push_back(u"entry" + std::u16string(digits.begin(), digits.end()));
    }
    return names;
}

Names sorted(Names names) {
    std::ranges::sort(names);
    return names;
}

Names matching(Context& c, std::u16string pattern) {
    return sorted(c.names(u"", {.pattern = std::move(pattern)}));
}

File open_directory(Context& c, std::u16string_view name = {}) {
    return c.must_open({.name = std::u16string(name), .options = option::kDirectoryFile});
}

// The names one query gives; empty for a status other than success, which must then be `end`.
Names next_names(Context& c, File& directory, std::size_t buffer_bytes, Where where = Where::current()) {
    std::vector<std::byte> buffer(buffer_bytes);
    const Io io = directory.query_directory({.information_class = file_class::kNames}, buffer);
    Names names;
    if (io.status != Status::kSuccess) {
        c.equal(io.status, Status::kNoMoreFiles, "the end of the listing", where);
        return names;
    }
    const auto entries = parse_entries(
        std::span(buffer).first(std::min(buffer.size(), std::size_t{io.information})), file_class::kNames);
    c.check(entries.has_value(), "well-formed entries", where);
    if (!entries) throw Stop{};
    for (const DirectoryEntry& entry : *entries) {
        if (entry.name != u"." && entry.name != u"..") names.push_back(entry.name);
    }
    if (names.empty()) return next_names(c, directory, buffer_bytes, where);
    return names;
}

constexpr auto kCases = std::to_array<Case>({
    {"Listing_OfAnEmptyDirectory_GivesTheTwoDots",
     [](Context& c) {
         File directory = open_directory(c);
         const auto entries = c.entries(directory);
         c.equal(entries.size(), 2U, "entries");
         if (entries.size() != 2) return;
         c.equal(entries[0].name, u".");
         c.equal(entries[1].name, u"..");
         for (const DirectoryEntry& entry : entries) {
             c.equal(entry.info.attributes & attribute::kDirectory, attribute::kDirectory);
         }
     }},
    {"Listing_OfTheRoot_HasNoDots",
     [](Context& c) {
         File root = c.must_open({.name = u"\\", .origin = Origin::kVolume});
         bool listed = false;
         for (const DirectoryEntry& entry : c.entries(root)) {
             c.check(entry.name != u"." && entry.name != u"..", "the root lists no dots");
             listed = true;
         }
         c.check(listed, "the root lists something");
     }},
    {"Listing_GivesEveryEntryOnceInAStableOrder",
     [](Context& c) {
         const Names expected = numbered(50);
         make_files(c, expected);
         const Names first = c.names();
         c.equal(sorted(first), expected);
         c.equal(c.names(), first, "a second listing");
         File directory = open_directory(c);
         const auto entries = c.entries(directory);
         c.check(entries.size() >= 2 && entries[0].name == u"." && entries[1].name == u"..",
                 "the dots come first");
     }},
    {"Listing_HasTheSameNamesInEveryClass",
     [](Context& c) {
         const Names expected{u"a", u"bb", u"ccc", u"longer name.text"};
         make_files(c, expected);
         for (const DirectoryLayout& layout : directory_layouts()) {
             c.equal(sorted(c.names(u"", {.information_class = layout.information_class})), expected,
                     "class " + std::to_string(layout.information_class));
         }
     }},
    {"Listing_TellsWhatAnOpenWouldTell",
     [](Context& c) {
         c.make_file(u"f", "twelve bytes");
         c.make_directory(u"d");
         c.make_file(u"r", "x", attribute::kReadOnly);
         for (const DirectoryLayout& layout : directory_layouts()) {
             if (layout.information_class == file_class::kNames) continue;
             File directory = open_directory(c);
             for (const DirectoryEntry& entry :
                  c.entries(directory, {.information_class = layout.information_class})) {
                 if (entry.name == u"." || entry.name == u"..") continue;
                 File file = c.must_open({.name = entry.name, .access = access::kReadAttributes});
                 const auto info = file.query_as<NetworkOpenInformation>(file_class::kNetworkOpen);
                 const std::string of =
                     " of " + describe(entry.name) + " in class " + std::to_string(layout.information_class);
                 c.equal(entry.info.attributes, info.attributes, "attributes" + of);
                 c.equal(entry.info.file_size, info.end_of_file, "size" + of);
                 c.equal(entry.info.allocation_size, info.allocation_size, "allocation" + of);
                 c.equal(entry.info.creation_time, info.creation_time, "creation time" + of);
                 c.equal(entry.info.last_write_time, info.last_write_time, "last write time" + of);
                 c.equal(entry.info.change_time, info.change_time, "change time" + of);
             }
         }
     }},
    {"Listing_WithIds_GivesTheIndexNumbers",
     [](Context& c) {
         make_files(c, {u"a", u"b", u"c"});
         for (const std::uint32_t information_class :
              {file_class::kIdBothDirectory, file_class::kIdFullDirectory}) {
             File directory = open_directory(c);
             std::set<std::uint64_t> seen;
             for (const DirectoryEntry& entry :
                  c.entries(directory, {.information_class = information_class})) {
                 if (entry.name == u"." || entry.name == u"..") continue;
                 File file = c.must_open({.name = entry.name, .access = access::kReadAttributes});
                 c.equal(entry.info.index_number, file.index_number(), describe(entry.name));
                 seen.insert(entry.info.index_number);
             }
             c.equal(seen.size(), 3U, "distinct index numbers");
         }
     }},
    {"Listing_HasNoShortNames",
     [](Context& c) {
         c.make_file(u"a long name without a short one.text");
         File directory = open_directory(c);
         for (const DirectoryEntry& entry : c.entries(directory)) {
             c.equal(entry.short_name_bytes, 0U, describe(entry.name));
         }
     }},
    {"Listing_OfAThousandEntriesThroughSmallBuffers_IsComplete",
     [](Context& c) {
         const Names expected = numbered(1000);
         make_files(c, expected);
         const Names small = c.names(u"", {.information_class = file_class::kNames, .buffer_bytes = 128});
         c.equal(small.size(), 1000U, "names");
         c.check(sorted(small) == expected, "every name once");
         const Names middle =
             c.names(u"", {.information_class = file_class::kIdBothDirectory, .buffer_bytes = 4096});
         c.check(middle == small, "the same order with a larger buffer");
         c.check(c.names() == small, "the same order with a large buffer");
     }},
    {"Listing_OneEntryAtATime_IsComplete",
     [](Context& c) {
         const Names expected = numbered(20);
         make_files(c, expected);
         c.equal(sorted(c.names(u"", {.single_entry = true})), expected);
     }},
    {"Listing_AtItsEnd_SaysNoMoreFiles",
     [](Context& c) {
         File directory = open_directory(c);
         c.equal(c.entries(directory).size(), 2U);
         std::array<std::byte, 1024> buffer{};
         for (int again = 0; again < 2; ++again) {
             const Io io =
                 directory.query_directory({.information_class = file_class::kBothDirectory}, buffer);
             c.equal(io.status, Status::kNoMoreFiles);
         }
     }},
    {"Listing_Restarted_StartsOverWithWhatIsThereNow",
     [](Context& c) {
         c.make_file(u"a");
         File directory = open_directory(c);
         c.equal(c.entries(directory).size(), 3U);
         c.make_file(u"b");
         c.equal(c.remove(u"a"), Status::kSuccess);
         const auto entries = c.entries(directory);
         c.equal(entries.size(), 3U);
         c.equal(entries.empty() ? u"" : entries.back().name, std::u16string(u"b"));
     }},
    {"Listing_ThroughTwoHandles_IsIndependent",
     [](Context& c) {
         const Names expected = numbered(10);
         make_files(c, expected);
         File first = open_directory(c);
         File second = open_directory(c);
         Names from_first;
         Names from_second;
         while (true) {
             const Names a = next_names(c, first, 96);
             const Names b = next_names(c, second, 160);
             from_first.insert(from_first.end(), a.begin(), a.end());
             from_second.insert(from_second.end(), b.begin(), b.end());
             if (a.empty() && b.empty()) break;
         }
         c.equal(sorted(from_first), expected);
         c.equal(sorted(from_second), expected);
     }},
    {"Listing_WhileEntriesAreRemoved_GivesTheOthersOnce",
     [](Context& c) {
         const Names all = numbered(60);
         make_files(c, all);
         File directory = open_directory(c);
         Names seen = next_names(c, directory, 256);
         const Names first = seen;
         // Those already seen, the marker among them, and some of those to come.
         for (const std::u16string& name : first)
             c.equal(c.remove(name), Status::kSuccess);
         std::set<std::u16string> removed(first.begin(), first.end());
         for (std::size_t i = 0; i < all.size(); i += 7) {
             if (removed.insert(all[i]).second) c.equal(c.remove(all[i]), Status::kSuccess);
         }
         while (true) {
             const Names more = next_names(c, directory, 256);
             if (more.empty()) break;
             seen.insert(seen.end(), more.begin(), more.end());
         }
         const std::set<std::u16string> unique(seen.begin(), seen.end());
         c.equal(unique.size(), seen.size(), "names given once");
         for (const std::u16string& name : all) {
             if (!removed.contains(name)) c.check(unique.contains(name), describe(name) + " is given");
         }
     }},
    {"Listing_WhileEntriesAreAdded_GivesTheOldOnesOnce",
     [](Context& c) {
         const Names all = numbered(40);
         make_files(c, all);
         File directory = open_directory(c);
         Names seen = next_names(c, directory, 256);
         make_files(c, {u"aaa", u"entry10001x", u"entry10030x", u"zzz"});
         while (true) {
             const Names more = next_names(c, directory, 256);
             if (more.empty()) break;
             seen.insert(seen.end(), more.begin(), more.end());
         }
         const std::set<std::u16string> unique(seen.begin(), seen.end());
         c.equal(unique.size(), seen.size(), "names given once");
         for (const std::u16string& name : all)
             c.check(unique.contains(name), describe(name) + " is given");
     }},
    {"Pattern_Star_MatchesEverything",
     [](Context& c) {
         const Names expected{u"a", u"a.b", u"noext", u"x.y.z"};
         make_files(c, expected);
         c.equal(matching(c, u"*"), expected);
     }},
    {"Pattern_StarAndText_MatchesBySuffixAndPrefix",
     [](Context& c) {
         make_files(c, {u"one.txt", u"two.txt", u"two.doc", u"txt"});
         c.equal(matching(c, u"*.txt"), Names{u"one.txt", u"two.txt"});
         c.equal(matching(c, u"two*"), Names{u"two.doc", u"two.txt"});
         c.equal(matching(c, u"*o*"), Names{u"one.txt", u"two.doc", u"two.txt"});
     }},
    {"Pattern_QuestionMark_MatchesExactlyOneUnit",
     [](Context& c) {
         make_files(c, {u"a", u"ab", u"abc", u"a.c"});
         c.equal(matching(c, u"a?c"), Names{u"a.c", u"abc"});
         c.equal(matching(c, u"??"), Names{u"ab"});
     }},
    {"Pattern_DosWildcards_MatchAsTheyDid",
     [](Context& c) {
         make_files(c, {u"a", u"ab", u"ab.txt", u"abc.txt.bak"});
         c.equal(matching(c, u"<.txt"), Names{u"ab.txt"}, "DOS_STAR");
         c.equal(matching(c, u">>>>"), Names{u"a", u"ab"}, "DOS_QM");
         c.equal(matching(c, u"a\""), Names{u"a"}, "DOS_DOT at the end of a name");
         c.equal(matching(c, u"ab\">>>"), Names{u"ab", u"ab.txt"}, "DOS_DOT for a period or the end");
     }},
    {"Pattern_DistinguishesCaseAsTheVolumeDoes",
     [](Context& c) {
         make_files(c, {u"lower", u"UPPER"});
         c.equal(matching(c, u"l*"), Names{u"lower"});
         c.equal(matching(c, u"L*"), Names{});
         c.equal(matching(c, u"UPPER"), Names{u"UPPER"});
         c.equal(matching(c, u"upper"), Names{});
     }},
    {"Pattern_Literal_FindsOneEntryAndEnds",
     [](Context& c) {
         make_files(c, {u"a", u"ab", u"abc"});
         File directory = open_directory(c);
         std::array<std::byte, 1024> buffer{};
         const DirectoryCall call{.information_class = file_class::kBothDirectory, .pattern = u"ab"};
         const Io io = directory.query_directory(call, buffer);
         c.require(io.status, "first query");
         const auto entries =
             parse_entries(std::span(buffer).first(io.information), file_class::kBothDirectory);
         c.check(entries && entries->size() == 1 && entries->front().name == u"ab", "the one entry");
         c.equal(directory.query_directory(call, buffer).status, Status::kNoMoreFiles);
     }},
    {"Pattern_ThatMatchesNothing_SaysNoSuchFile",
     [](Context& c) {
         make_files(c, {u"a"});
         std::array<std::byte, 1024> buffer{};
         for (const char16_t* pattern : {u"missing", u"*.none", u"?????"}) {
             File directory = open_directory(c);
             const DirectoryCall call{.information_class = file_class::kBothDirectory, .pattern = pattern};
             c.equal(directory.query_directory(call, buffer).status, Status::kNoSuchFile,
                     describe(std::u16string_view(pattern)));
         }
     }},
    {"Pattern_OfTheFirstQuery_StaysWithTheHandle",
     [](Context& c) {
         make_files(c, {u"a1", u"a2", u"b1"});
         File directory = open_directory(c);
         std::array<std::byte, 1024> buffer{};
         DirectoryCall call{.information_class = file_class::kNames, .pattern = u"a*", .single_entry = true};
         c.equal(directory.query_directory(call, buffer).status, Status::kSuccess);
         call.pattern = u"b*";
         const Io io = directory.query_directory(call, buffer);
         c.require(io.status, "second query");
         const auto entries = parse_entries(std::span(buffer).first(io.information), file_class::kNames);
         c.check(entries && entries->front().name == u"a2", "the second entry of the first pattern");
         c.equal(directory.query_directory(call, buffer).status, Status::kNoMoreFiles);
     }},
    {"Pattern_GivenWithARestart_ReplacesTheOld",
     [](Context& c) {
         make_files(c, {u"a1", u"b1"});
         File directory = open_directory(c);
         c.equal(c.entries(directory, {.pattern = u"a*"}).size(), 1U);
         const auto entries = c.entries(directory, {.pattern = u"b*"});
         c.equal(entries.empty() ? u"" : entries.front().name, std::u16string(u"b1"));
     }},
    {"Listing_IntoABufferSmallerThanAnEntry_IsALengthMismatch",
     [](Context& c) {
         for (const DirectoryLayout& layout : directory_layouts()) {
             File directory = open_directory(c);
             std::vector<std::byte> buffer(layout.fixed_bytes - 8);
             const DirectoryCall call{.information_class = layout.information_class};
             c.equal(directory.query_directory(call, buffer).status, Status::kInfoLengthMismatch,
                     "class " + std::to_string(layout.information_class));
         }
     }},
    {"Listing_OfANameThatDoesNotFit_OverflowsWithItsBeginning",
     [](Context& c) {
         const std::u16string name(100, u'n');
         c.make_file(name);
         for (const DirectoryLayout& layout : directory_layouts()) {
             const std::string of = "class " + std::to_string(layout.information_class);
             File directory = open_directory(c);
             std::vector<std::byte> buffer(layout.name_offset + 40);
             const DirectoryCall call{.information_class = layout.information_class, .pattern = name};
             const Io io = directory.query_directory(call, buffer);
             c.equal(io.status, Status::kBufferOverflow, of);
             c.equal(io.information, buffer.size(), of);
             std::uint32_t name_bytes = 0;
             std::memcpy(&name_bytes, buffer.data() + layout.name_length_offset, sizeof name_bytes);
             c.equal(name_bytes, 200U, "the full length in " + of);
             std::u16string beginning(20, u'\0');
             std::memcpy(beginning.data(), buffer.data() + layout.name_offset, 40);
             c.equal(beginning, name.substr(0, 20), "the name's beginning in " + of);
         }
     }},
    {"Listing_OfAFile_IsAnInvalidParameter",
     [](Context& c) {
         c.make_file(u"f");
         File file = c.must_open({.name = u"f"});
         std::array<std::byte, 1024> buffer{};
         c.equal(file.query_directory({.information_class = file_class::kBothDirectory}, buffer).status,
                 Status::kInvalidParameter);
     }},
    {"Listing_WithAClassThatListsNothing_IsAnInvalidClass",
     [](Context& c) {
         File directory = open_directory(c);
         std::array<std::byte, 1024> buffer{};
         c.equal(directory.query_directory({.information_class = file_class::kBasic}, buffer).status,
                 Status::kInvalidInfoClass);
     }},
    {"Listing_WithoutTheRightToList_IsDenied",
     [](Context& c) {
         File directory = c.must_open({.name = u"", .access = access::kReadAttributes});
         std::array<std::byte, 1024> buffer{};
         c.equal(directory.query_directory({.information_class = file_class::kBothDirectory}, buffer).status,
                 Status::kAccessDenied);
     }},
    {"Listing_ShowsACreatedFileAtOnceAndADeletedOneNoMore",
     [](Context& c) {
         for (int round = 0; round < 3; ++round) {
             c.make_file(u"f");
             c.equal(c.names(), Names{u"f"});
             c.equal(c.remove(u"f"), Status::kSuccess);
             c.equal(c.names(), Names{});
         }
     }},
    {"Listing_ShowsTheSizeThatWasWritten",
     [](Context& c) {
         c.make_file(u"f", "12345");
         File writer = c.must_open({.name = u"f", .access = access::kGenericWrite});
         writer.put("678", 5);
         File directory = open_directory(c);
         const auto entries = c.entries(directory, {.pattern = u"f"});
         c.equal(entries.empty() ? 0 : entries.front().info.file_size, 8U, "while it is open");
     }},
});

}  // namespace

std::span<const Case> directory_cases() {
    return kCases;
}

}  // namespace behaviour
