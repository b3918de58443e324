// What the host sees of the guest's work, and the guest of the host's: bytes, names, modes, links, changes.
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "tests/behaviour/case.h"

namespace behaviour {
namespace {

namespace fs = std::filesystem;
using enum Disposition;
using Names = std::vector<std::u16string>;

void write_host(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string read_host(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

bool writable_by_anyone(const fs::path& path) {
    constexpr fs::perms kWrite = fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
    return (fs::status(path).permissions() & kWrite) != fs::perms::none;
}

// Sees a host name as `shown` in a listing and reads the file through that name.
void expect_shown(Context& c, const std::string& host_name, const std::u16string& shown,
                  Where where = Where::current()) {
    write_host(c.host() / host_name, "host");
    c.equal(c.names(), Names{shown}, "listing", where);
    c.equal(c.contents(shown, where), "host", {}, where);
    c.equal(c.remove(shown), Status::kSuccess, "removing", where);
    c.equal(fs::is_empty(c.host()), true, "the host's file is gone", where);
}

// Makes a file through the guest and sees its name on the host.
void expect_host_name(Context& c, const std::u16string& name, const std::string& host_name,
                      Where where = Where::current()) {
    c.make_file(name, "guest", 0, where);
    c.equal(read_host(c.host() / host_name), "guest", describe(name), where);
    c.equal(c.remove(name), Status::kSuccess, "removing", where);
}

constexpr auto kCases = std::to_array<Case>({
    {"Host_SeesTheBytesThatWereWritten",
     [](Context& c) {
         File file = c.must_open({.name = u"f", .access = access::kGenericWrite, .disposition = kCreate});
         file.put("first", 0);
         c.equal(read_host(c.host() / "f"), "first", "while the file is open");
         file.put(" second", 5);
         c.equal(read_host(c.host() / "f"), "first second");
         c.equal(file.set_size(3), Status::kSuccess);
         c.equal(read_host(c.host() / "f"), "fir");
     },
     Offers::kHost},
    {"Host_SeesAnEmptyFileAtOnce",
     [](Context& c) {
         File file = c.must_open({.name = u"f", .access = access::kGenericWrite, .disposition = kCreate});
         c.check(fs::is_regular_file(c.host() / "f"), "a regular file");
         c.equal(fs::file_size(c.host() / "f"), 0U);
     },
     Offers::kHost},
    {"Host_SeesDirectoriesAndTheirFiles",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f", "text");
         c.check(fs::is_directory(c.host() / "d"), "a directory");
         c.equal(read_host(c.host() / "d" / "f"), "text");
     },
     Offers::kHost},
    {"Host_SeesRenamesAndDeletes",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open({.name = u"f", .access = access::kDelete});
         c.equal(file.rename({.target = u"g"}), Status::kSuccess);
         c.check(!fs::exists(c.host() / "f") && fs::exists(c.host() / "g"), "renamed while open");
         c.equal(file.dispose(), Status::kSuccess);
         c.check(fs::exists(c.host() / "g"), "still there while open");
         file.close();
         c.check(!fs::exists(c.host() / "g"), "gone after closing");
     },
     Offers::kHost},
    {"Host_KeepsAReplacedFileUntilTheRename",
     [](Context& c) {
         c.make_file(u"f", "new");
         c.make_file(u"g", "old");
         File file = c.must_open({.name = u"f", .access = access::kDelete});
         c.equal(file.rename({.target = c.path(u"g"), .replace = true}), Status::kSuccess);
         c.equal(read_host(c.host() / "g"), "new");
         c.check(!fs::exists(c.host() / "f"), "the old name is gone");
     },
     Offers::kHost},
    {"Host_SeesAGapAsAHole",
     [](Context& c) {
         File file = c.must_open({.name = u"f", .access = access::kGenericWrite, .disposition = kCreate});
         file.put("x", 100'000);
         const std::string bytes = read_host(c.host() / "f");
         c.equal(bytes.size(), 100'001U);
         c.check(bytes == std::string(100'000, '\0') + "x", "zeros, then what was written");
     },
     Offers::kHost},
    {"Host_SeesNoWriteBitsOnAReadOnlyFile",
     [](Context& c) {
         c.make_file(u"f");
         c.check(writable_by_anyone(c.host() / "f"), "writable at first");
         c.set_attributes(u"f", attribute::kReadOnly);
         c.check(!writable_by_anyone(c.host() / "f"), "no write bit when READONLY");
         c.set_attributes(u"f", attribute::kNormal);
         c.check(writable_by_anyone(c.host() / "f"), "writable again");
     },
     Offers::kHost},
    {"Host_SeesTheLastWriteTimeThatWasSet",
     [](Context& c) {
         c.make_file(u"f");
         const nt::FileTime time = 132'250'825'220'000'000;  // 2020-02-02 02:02:02 UTC
         File file = c.must_open({.name = u"f", .access = access::kWriteAttributes});
         c.equal(file.set_basic({.last_write_time = time}), Status::kSuccess);
         const auto host_time = std::chrono::file_clock::to_sys(fs::last_write_time(c.host() / "f"));
         c.equal(std::chrono::duration_cast<std::chrono::seconds>(host_time.time_since_epoch()).count(),
                 std::int64_t{1'580'608'922});
     },
     Offers::kHost},
    {"LastWriteTime_ToldThroughTheWritingHandle_IsTheHostsAfterwards",
     [](Context& c) {
         File file = c.must_open({.name = u"f",
                                  .access = access::kGenericWrite | access::kReadAttributes,
                                  .disposition = kCreate});
         file.put("text", 0);
         const nt::FileTime told = file.basic().last_write_time;
         file.close();
         struct stat status {};
         c.equal(stat((c.host() / "f").c_str(), &status), 0, "stat");
         constexpr std::uint64_t kTicksFrom1601To1970 = 116'444'736'000'000'000;
         const std::uint64_t on_host = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 10'000'000 +
                                       static_cast<std::uint64_t>(status.st_mtim.tv_nsec) / 100 +
                                       kTicksFrom1601To1970;
         c.equal(told, on_host);
     },
     Offers::kHost},
    {"Guest_SeesFilesTheHostMade",
     [](Context& c) {
         write_host(c.host() / "f", "from the host");
         fs::create_directory(c.host() / "d");
         write_host(c.host() / "d" / "g", "below");
         c.equal(c.contents(u"f"), "from the host");
         c.equal(c.contents(u"d\\g"), "below");
         c.equal(c.names(), Names{u"d", u"f"});
     },
     Offers::kHost},
    {"Guest_SeesAReadOnlyModeAsReadOnly",
     [](Context& c) {
         write_host(c.host() / "f", "text");
         fs::permissions(c.host() / "f", fs::perms::owner_read);
         c.equal(c.attributes_of(u"f"), attribute::kReadOnly | attribute::kArchive);
         c.expect_open({.name = u"f", .access = access::kGenericWrite}, Status::kAccessDenied);
     },
     Offers::kHost},
    {"Guest_SeesChangesOfTheHostOnceTheLifetimeIsOver",
     [](Context& c) {
         c.make_file(u"f", "short");
         c.equal(c.must_open({.name = u"f"}).size(), 5U);
         write_host(c.host() / "f", "much longer now");
         c.eventually([&] { return c.must_open({.name = u"f"}).size() == 15; }, "the new size is seen");
         c.equal(c.contents(u"f"), "much longer now");
     },
     Offers::kHost},
    {"Guest_SeesDeletesOfTheHostOnceTheLifetimeIsOver",
     [](Context& c) {
         c.make_file(u"f");
         c.equal(c.status_of(u"f"), Status::kSuccess);
         fs::remove(c.host() / "f");
         c.eventually([&] { return c.status_of(u"f") == Status::kObjectNameNotFound; }, "the delete is seen");
         c.make_file(u"f", "again");
         c.equal(read_host(c.host() / "f"), "again");
     },
     Offers::kHost},
    {"Guest_SeesNewFilesOfTheHostInADirectoryItKnows",
     [](Context& c) {
         c.equal(c.status_of(u"f"), Status::kObjectNameNotFound);
         c.check(c.names().empty(), "empty at first");
         write_host(c.host() / "f", "new");
         c.eventually([&] { return c.names() == Names{u"f"}; }, "the new file is listed");
         c.eventually([&] { return c.status_of(u"f") == Status::kSuccess; }, "the new file can be opened");
     },
     Offers::kHost},
    {"Guest_KeepsReadingAFileTheHostDeleted",
     [](Context& c) {
         c.make_file(u"f", "text");
         File file = c.must_open({.name = u"f"});
         c.equal(file.read_text(0, 10), "text");
         fs::remove(c.host() / "f");
         c.equal(file.read_text(0, 10), "text");
     },
     Offers::kHost},
    {"HostName_WithForbiddenCharacters_IsShownMapped",
     [](Context& c) {
         expect_shown(c, "a:b", u"a\uF03Ab");
         expect_shown(c, "a*b?c", u"a\uF02Ab\uF03Fc");
         expect_shown(c, "a\\b", u"a\uF05Cb");
         expect_shown(c, "a\"<>|", u"a\uF022\uF03C\uF03E\uF07C");
         expect_shown(c,
                      "a\x01"
                      "b\x1F",
                      u"a\uF001b\uF01F");
     },
     Offers::kHost},
    {"HostName_EndingInADotOrSpace_IsShownMapped",
     [](Context& c) {
         expect_shown(c, "a.", u"a\uF02E");
         expect_shown(c, "a ", u"a\uF020");
         expect_shown(c, "...", u"..\uF02E");
     },
     Offers::kHost},
    {"HostName_OfInvalidUtf8_IsShownAndOpenable",
     [](Context& c) {
         expect_shown(c,
                      "a\xFF"
                      "b",
                      u"a\uF1FFb");
         expect_shown(c, "\x80", u"\uF180");
         expect_shown(c, "cut \xE3\x81", u"cut \uF1E3\uF181");
     },
     Offers::kHost},
    {"HostName_OfMultibyteCharacters_IsShownDecoded",
     [](Context& c) {
         expect_shown(c,
                      "gr\xC3\xBC\xC3\x9F"
                      "e",
                      u"gr\u00FC\u00DFe");
         expect_shown(c, "\xF0\x9F\x98\x80", u"\U0001F600");
     },
     Offers::kHost},
    {"GuestName_IsTheHostNameInUtf8",
     [](Context& c) {
         expect_host_name(c, u"gr\u00FC\u00DFe",
                          "gr\xC3\xBC\xC3\x9F"
                          "e");
         expect_host_name(c, u"\U0001F600", "\xF0\x9F\x98\x80");
         expect_host_name(c, u"a\uF03Ab", "a:b");
         expect_host_name(c, u"a\uF02E", "a.");
     },
     Offers::kHost},
    {"HostNames_ThatDifferOnlyInCase_AreBothThere",
     [](Context& c) {
         write_host(c.host() / "name", "lower");
         write_host(c.host() / "NAME", "upper");
         c.equal(c.names(), Names{u"NAME", u"name"});
         c.equal(c.contents(u"name"), "lower");
         c.equal(c.contents(u"NAME"), "upper");
     },
     Offers::kHost},
    {"SpecialFile_CannotBeOpenedAndDoesNotHang",
     [](Context& c) {
         c.equal(mkfifo((c.host() / "fifo").c_str(), 0600), 0, "mkfifo");
         c.equal(c.names(), Names{u"fifo"});
         for (const std::uint32_t right : {access::kGenericRead, access::kGenericWrite}) {
             c.check(c.open({.name = u"fifo", .access = right}).status() != Status::kSuccess,
                     "opening for data");
         }
         c.check(fs::is_fifo(c.host() / "fifo"), "it is still there");
     },
     Offers::kHost},
    {"Volume_SizesAreTheHosts",
     [](Context& c) {
         File file = c.must_open({.name = u""});
         const auto sizes = file.query_volume_as<SizeInformation>(volume_class::kSize);
         const std::uint64_t unit = std::uint64_t{sizes.sectors_per_unit} * sizes.bytes_per_sector;
         const fs::space_info host = fs::space(c.host());
         c.equal(sizes.total_units, host.capacity / unit);
         constexpr std::uint64_t kSlack = std::uint64_t{1} << 30;  // others use the disk meanwhile
         const std::uint64_t available = sizes.available_units * unit;
         c.check(available <= host.available + kSlack && available + kSlack >= host.available, "free space");
     },
     Offers::kHost},
    {"IndexNumber_IsTheHosts",
     [](Context& c) {
         c.make_file(u"f");
         struct stat status {};
         c.equal(stat((c.host() / "f").c_str(), &status), 0, "stat");
         c.equal(c.must_open({.name = u"f"}).index_number(), std::uint64_t{status.st_ino});
     },
     Offers::kHost},
    {"HardLinks_OfTheHost_ShareTheirIndexNumber",
     [](Context& c) {
         write_host(c.host() / "a", "text");
         fs::create_hard_link(c.host() / "a", c.host() / "b");
         c.equal(c.must_open({.name = u"a"}).index_number(), c.must_open({.name = u"b"}).index_number());
         c.equal(c.contents(u"b"), "text");
     },
     Offers::kHost},
    {"DeletingADirectory_TheHostFilledMeanwhile_LeavesIt",
     [](Context& c) {
         c.make_directory(u"d");
         File directory = c.must_open({.name = u"d", .access = access::kDelete});
         c.equal(directory.dispose(), Status::kSuccess);
         write_host(c.host() / "d" / "f", "kept");
         directory.close();
         c.equal(read_host(c.host() / "d" / "f"), "kept");
         c.equal(c.contents(u"d\\f"), "kept");
     },
     Offers::kHost},
    {"ALargeHostDirectory_IsListedCompletely",
     [](Context& c) {
         Names expected;
         for (int i = 0; i < 2000; ++i) {
             const std::string name = "host file number " + std::to_string(10'000 + i);
             write_host(c.host() / name, {});
             expected.emplace_back(name.begin(), name.end());
         }
         c.check(c.names() == expected, "every name once, in order");
     },
     Offers::kHost},
});

}  // namespace

std::span<const Case> host_cases() {
    return kCases;
}

}  // namespace behaviour
