// Symbolic links that programs make: what opens through them find, and what happens to the links themselves.
#include <array>

#include "nt/bytes.h"
#include "tests/behaviour/case.h"
#include "tests/behaviour/symlinks.h"

namespace behaviour {
namespace {

using enum Disposition;
using Names = std::vector<std::u16string>;

constexpr std::uint32_t kItself = option::kOpenReparsePoint;

// "\??\C:\x" and the like: nothing that lies in the share.
constexpr std::u16string_view kAbsolute = u"\\??\\C:\\windows";

constexpr auto kCases = std::to_array<Case>({
    {"SymbolicLink_ToAFile_OpensTheTarget",
     [](Context& c) {
         c.make_file(u"f", "text");
         make_link(c, u"link", u"f");
         c.equal(c.contents(u"link"), "text");
         c.equal(c.attributes_of(u"link") & attribute::kReparsePoint, 0U, "attributes of the target");
         File file = c.must_open({.name = u"link", .access = access::kGenericWrite});
         file.put("more", 0);
         file.close();
         c.equal(c.contents(u"f"), "more");
     }},
    {"SymbolicLink_ToADirectory_LeadsIntoIt",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f", "text");
         make_link(c, u"link", u"d", LinkKind::kDirectory);
         c.equal(c.contents(u"link\\f"), "text");
         c.equal(c.names(u"link"), Names{u"f"});
         c.expect_open({.name = u"link", .options = option::kDirectoryFile}, CreateAction::kOpened);
         c.expect_open({.name = u"link\\missing"}, Status::kObjectNameNotFound);
         // WinFsp says of a missing directory behind a link what NT says of a missing file.
         c.one_of(c.status_of(u"link\\missing\\f"),
                  {Status::kObjectPathNotFound, Status::kObjectNameNotFound});
     }},
    {"SymbolicLink_WithARootedTarget_StartsAtTheVolumesRoot",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_directory(u"d\\e");
         c.make_file(u"f", "text");
         make_link(c, u"d\\e\\link", c.path(u"f"));
         make_link(c, u"d\\dir", c.path(u"d\\e"), LinkKind::kDirectory);
         c.equal(c.contents(u"d\\e\\link"), "text");
         c.equal(c.contents(u"d\\dir\\link"), "text");
         c.equal(target_of(c, u"d\\e\\link"), c.path(u"f"));
     }},
    {"SymbolicLink_WithDotsInTheTarget_IsTakenFromItsDirectory",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_directory(u"e");
         c.make_file(u"e\\f", "text");
         make_link(c, u"d\\link", u"..\\e\\.\\f");
         make_link(c, u"d\\dir", u"..\\d\\..\\e", LinkKind::kDirectory);
         c.equal(c.contents(u"d\\link"), "text");
         c.equal(c.contents(u"d\\dir\\f"), "text");
         c.equal(target_of(c, u"d\\link"), u"..\\e\\.\\f");
     }},
    {"SymbolicLink_ToALink_IsFollowedOn",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f", "text");
         make_link(c, u"a", u"d", LinkKind::kDirectory);
         make_link(c, u"b", u"a", LinkKind::kDirectory);
         make_link(c, u"c", u"b\\f");
         make_link(c, u"d\\up", u"..\\c");
         c.equal(c.contents(u"b\\f"), "text");
         c.equal(c.contents(u"c"), "text");
         c.equal(c.contents(u"b\\up"), "text");
     }},
    {"SymbolicLinks_OfThirtyOneHops_AreFollowedAndNoMore",
     [](Context& c) {
         c.make_file(u"0", "text");
         std::u16string before = u"0";
         for (int i = 1; i <= 32; ++i) {
             const std::string digits = std::to_string(i);
             const std::u16string name(digits.begin(), digits.end());
             make_link(c, name, before);
             before = name;
         }
         c.equal(c.contents(u"31"), "text");
         c.expect_open({.name = u"32"}, Status::kReparsePointNotResolved);
     }},
    {"SymbolicLink_ToItself_IsNotResolved",
     [](Context& c) {
         make_link(c, u"self", u"self");
         make_link(c, u"ping", u"pong");
         make_link(c, u"pong", u".\\ping");
         for (const char16_t* name : {u"self", u"ping", u"pong", u"self\\x"}) {
             c.expect_open({.name = name}, Status::kReparsePointNotResolved);
             c.expect_open({.name = name, .access = access::kGenericWrite, .disposition = kOpenIf},
                           Status::kReparsePointNotResolved);
         }
         c.equal(c.names(), Names{u"ping", u"pong", u"self"});
     }},
    {"DanglingLink_IsNotFound",
     [](Context& c) {
         make_link(c, u"link", u"missing");
         make_link(c, u"deep", u"missing\\f");
         c.expect_open({.name = u"link"}, Status::kObjectNameNotFound);
         c.one_of(c.status_of(u"deep"), {Status::kObjectNameNotFound, Status::kObjectPathNotFound});
         c.one_of(c.status_of(u"link\\f"), {Status::kObjectNameNotFound, Status::kObjectPathNotFound});
         c.equal(link_attributes(c, u"link"), kFileLink);
         c.make_file(u"missing", "there");
         c.equal(c.contents(u"link"), "there", "once the target is there");
     }},
    {"Create_ThroughADanglingLink_MakesTheTarget",
     [](Context& c) {
         c.make_directory(u"d");
         make_link(c, u"one", u"d\\first");
         make_link(c, u"two", u"d\\second");
         c.expect_open({.name = u"one", .access = access::kGenericWrite, .disposition = kOpenIf},
                       CreateAction::kCreated);
         c.expect_open({.name = u"two", .access = access::kGenericWrite, .disposition = kCreate},
                       CreateAction::kCreated);
         c.equal(c.names(u"d"), Names{u"first", u"second"});
         c.equal(link_attributes(c, u"one"), kFileLink, "the link stays");
     }},
    {"Create_ThroughALinkToAFile_MeetsIt",
     [](Context& c) {
         c.make_file(u"f", "text");
         make_link(c, u"link", u"f");
         c.expect_open({.name = u"link", .access = access::kGenericWrite, .disposition = kCreate},
                       Status::kObjectNameCollision);
         c.expect_open(
             {.name = u"link", .access = access::kGenericWrite, .disposition = kCreate, .options = kItself},
             Status::kObjectNameCollision);
         c.expect_open({.name = u"link", .access = access::kGenericWrite, .disposition = kOverwriteIf},
                       CreateAction::kOverwritten);
         c.equal(c.contents(u"f"), "");
         c.equal(target_of(c, u"link"), u"f");
     }},
    {"Create_InADirectoryLink_MakesItInTheTarget",
     [](Context& c) {
         c.make_directory(u"d");
         make_link(c, u"link", u"d", LinkKind::kDirectory);
         c.make_file(u"link\\f", "text");
         c.make_directory(u"link\\e");
         make_link(c, u"link\\l", u"f");
         c.equal(c.names(u"d"), Names{u"e", u"f", u"l"});
         c.equal(c.contents(u"d\\l"), "text");
     }},
    {"SymbolicLink_OpenedItself_TellsWhatItIs",
     [](Context& c) {
         c.make_file(u"f", "text");
         c.make_directory(u"d");
         make_link(c, u"file", u"f");
         make_link(c, u"dir", u"d", LinkKind::kDirectory);
         c.equal(link_attributes(c, u"file"), kFileLink);
         c.equal(link_attributes(c, u"dir"), kDirectoryLink);
         for (const char16_t* name : {u"file", u"dir"}) {
             File link = open_link(c, name);
             const auto tag = link.query_as<AttributeTagInformation>(file_class::kAttributeTag);
             c.equal(tag.attributes, link.attributes());
             c.equal(tag.reparse_tag, nt::kReparseTagSymlink);
             c.equal(link.query_as<NetworkOpenInformation>(file_class::kNetworkOpen).attributes,
                     link.attributes());
             c.equal(link.size(), 0U);
             c.equal(link.path(), c.path(name));
         }
     }},
    {"SymbolicLink_OpenedAsTheOtherKind_IsRefused",
     [](Context& c) {
         c.make_file(u"f");
         c.make_directory(u"d");
         make_link(c, u"file", u"f");
         make_link(c, u"dir", u"d", LinkKind::kDirectory);
         for (const std::uint32_t itself : {0U, kItself}) {
             c.expect_open({.name = u"file", .options = option::kDirectoryFile | itself},
                           Status::kNotADirectory);
             c.expect_open({.name = u"dir", .options = option::kNonDirectoryFile | itself},
                           Status::kFileIsADirectory);
             c.expect_open({.name = u"file", .options = option::kNonDirectoryFile | itself},
                           CreateAction::kOpened);
             c.expect_open({.name = u"dir", .options = option::kDirectoryFile | itself},
                           CreateAction::kOpened);
         }
     }},
    {"SymbolicLink_WithATrailingBackslash_MustLeadToADirectory",
     [](Context& c) {
         c.make_file(u"f");
         c.make_directory(u"d");
         make_link(c, u"file", u"f");
         make_link(c, u"dir", u"d", LinkKind::kDirectory);
         c.expect_open({.name = u"dir\\"}, CreateAction::kOpened);
         c.expect_open({.name = u"file\\"}, Status::kObjectNameInvalid);
     }},
    {"FileLink_AsADirectoryOnTheWay_IsNotFound",
     [](Context& c) {
         c.make_file(u"f");
         make_link(c, u"link", u"f");
         c.one_of(c.status_of(u"link\\x"), {Status::kObjectPathNotFound, Status::kObjectNameNotFound});
         c.one_of(
             c.open({.name = u"link\\x", .access = access::kGenericWrite, .disposition = kCreate}).status(),
             {Status::kObjectPathNotFound, Status::kObjectNameNotFound, Status::kNotADirectory});
     }},
    {"SymbolicLink_OpenedRelativeToAHandle_IsFollowed",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_directory(u"e");
         c.make_file(u"e\\f", "text");
         make_link(c, u"d\\link", u"..\\e", LinkKind::kDirectory);
         const File directory = c.must_open({.name = u"d", .options = option::kDirectoryFile});
         File file = c.must_open({.name = u"link\\f", .related = directory.handle()});
         c.equal(file.read_text(0, 10), "text");
     }},
    {"FileName_AfterALink_IsTheTargets",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f");
         make_link(c, u"dir", u"d", LinkKind::kDirectory);
         make_link(c, u"file", u"dir\\f");
         c.equal(c.must_open({.name = u"dir\\f"}).path(), c.path(u"d\\f"));
         c.equal(c.must_open({.name = u"file"}).path(), c.path(u"d\\f"));
     }},
    {"Listing_ShowsLinksWithTheirTag",
     [](Context& c) {
         c.make_file(u"f", "text");
         c.make_directory(u"d");
         make_link(c, u"file", u"f");
         make_link(c, u"dir", u"d", LinkKind::kDirectory);
         make_link(c, u"none", u"missing");
         File directory = c.must_open({.options = option::kDirectoryFile});
         for (const std::uint32_t kind : {file_class::kFullDirectory, file_class::kBothDirectory,
                                          file_class::kIdFullDirectory, file_class::kIdBothDirectory}) {
             std::size_t links = 0;
             for (const DirectoryEntry& entry : c.entries(directory, {.information_class = kind})) {
                 if (entry.name != u"file" && entry.name != u"dir" && entry.name != u"none") {
                     c.equal(entry.info.attributes & attribute::kReparsePoint, 0U, "not a link");
                     continue;
                 }
                 ++links;
                 c.equal(entry.info.attributes & kLinkBits,
                         entry.name == u"dir" ? kDirectoryLink : kFileLink);
                 c.equal(entry.info.reparse_tag, nt::kReparseTagSymlink);
                 c.equal(entry.info.file_size, 0U);
             }
             c.equal(links, 3U);
         }
         const auto one = c.entries(directory, {.pattern = u"dir"});
         c.equal(one.size(), 1U);
         if (!one.empty()) c.equal(one.front().info.attributes & kLinkBits, kDirectoryLink);
     }},
    {"SymbolicLink_Deleted_LeavesItsTarget",
     [](Context& c) {
         c.make_file(u"f", "kept");
         c.make_directory(u"d");
         c.make_file(u"d\\g", "kept");
         make_link(c, u"file", u"f");
         make_link(c, u"dir", u"d", LinkKind::kDirectory);
         make_link(c, u"on_close", u"d", LinkKind::kDirectory);
         for (const char16_t* name : {u"file", u"dir"}) {
             File link = open_link(c, name);
             c.equal(link.dispose(), Status::kSuccess);
         }
         c.must_open(
             {.name = u"on_close", .access = access::kDelete, .options = kItself | option::kDeleteOnClose});
         c.equal(c.names(), Names{u"d", u"f"});
         c.equal(c.contents(u"f"), "kept");
         c.equal(c.contents(u"d\\g"), "kept");
     }},
    {"Delete_ThroughALink_DeletesTheTarget",
     [](Context& c) {
         c.make_file(u"f");
         make_link(c, u"link", u"f");
         File file = c.must_open({.name = u"link", .access = access::kDelete});
         c.equal(file.dispose(), Status::kSuccess);
         file.close();
         c.equal(c.names(), Names{u"link"});
     }},
    {"SymbolicLink_Renamed_KeepsItsTarget",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"f", "text");
         make_link(c, u"link", u"f");
         make_link(c, u"dir", u"d", LinkKind::kDirectory);
         c.equal(open_link(c, u"link").rename({.target = u"renamed"}), Status::kSuccess);
         c.equal(c.contents(u"renamed"), "text");
         c.equal(open_link(c, u"renamed").rename({.target = c.path(u"d\\moved")}), Status::kSuccess);
         c.equal(target_of(c, u"d\\moved"), u"f");
         c.expect_open({.name = u"d\\moved"}, Status::kObjectNameNotFound);
         c.equal(open_link(c, u"dir").rename({.target = u"dir2"}), Status::kSuccess);
         c.equal(link_attributes(c, u"dir2"), kDirectoryLink);
         c.equal(c.names(), Names{u"d", u"dir2", u"f"});
     }},
    {"Rename_OntoAFileLink_ReplacesTheLink",
     [](Context& c) {
         c.make_file(u"f", "target");
         c.make_file(u"new", "new");
         make_link(c, u"link", u"f");
         const std::u16string target = c.path(u"link");
         c.equal(c.must_open({.name = u"new", .access = access::kDelete}).rename({.target = target}),
                 Status::kObjectNameCollision);
         c.equal(c.must_open({.name = u"new", .access = access::kDelete})
                     .rename({.target = target, .replace = true}),
                 Status::kSuccess);
         c.equal(c.contents(u"link"), "new");
         c.equal(c.contents(u"f"), "target");
     }},
    {"Rename_OntoADirectoryLink_IsRefused",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"new");
         make_link(c, u"link", u"d", LinkKind::kDirectory);
         c.equal(c.must_open({.name = u"new", .access = access::kDelete})
                     .rename({.target = c.path(u"link"), .replace = true}),
                 Status::kAccessDenied);
         c.equal(link_attributes(c, u"link"), kDirectoryLink);
     }},
    {"Rename_OfALinkOntoAFile_ReplacesTheFile",
     [](Context& c) {
         c.make_file(u"f", "target");
         c.make_file(u"old", "old");
         make_link(c, u"link", u"f");
         c.equal(open_link(c, u"link").rename({.target = c.path(u"old"), .replace = true}), Status::kSuccess);
         c.equal(c.contents(u"old"), "target");
         c.equal(c.names(), Names{u"f", u"old"});
     }},
    {"Rename_IntoADirectoryLink_EndsInTheTarget",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"f", "text");
         make_link(c, u"link", u"d", LinkKind::kDirectory);
         c.equal(
             c.must_open({.name = u"f", .access = access::kDelete}).rename({.target = c.path(u"link\\g")}),
             Status::kSuccess);
         c.equal(c.contents(u"d\\g"), "text");
         c.equal(c.names(), Names{u"d", u"link"});
     }},
    {"ReparsePoint_OfAPlainFile_IsNone",
     [](Context& c) {
         c.make_file(u"f");
         c.make_directory(u"d");
         std::vector<std::byte> out(nt::kMaxReparseBytes);
         for (const char16_t* name : {u"f", u"d"}) {
             const File file = open_link(c, name);
             c.equal(get_reparse_point(c, file, out).status, Status::kNotAReparsePoint);
             c.equal(delete_reparse_point(c, file, reparse_header(nt::kReparseTagSymlink)).status,
                     Status::kNotAReparsePoint);
         }
     }},
    {"ReparsePoint_ReadIntoTooSmallABuffer_IsRefused",
     [](Context& c) {
         make_link(c, u"link", u"target");
         const File link = open_link(c, u"link");
         const std::size_t whole = link_data(u"target").size();
         std::vector<std::byte> out(whole);
         for (const std::size_t size : {std::size_t{0}, std::size_t{4}, whole - 1}) {
             c.one_of(get_reparse_point(c, link, std::span(out).first(size)).status,
                      {Status::kBufferTooSmall, Status::kBufferOverflow, Status::kInvalidParameter});
         }
         const Io io = get_reparse_point(c, link, out);
         c.equal(io.status, Status::kSuccess);
         c.equal(io.information, whole);
         c.check(out == link_data(u"target"), "what was set");
     }},
    {"ReparsePoint_OfAMalformedBuffer_IsNotSet",
     [](Context& c) {
         const std::vector<std::byte> good = link_data(u"target");
         c.equal(try_link(c, u"l", {}), Status::kIoReparseDataInvalid);
         c.equal(try_link(c, u"l", std::span(good).first(6)), Status::kIoReparseDataInvalid);
         c.equal(try_link(c, u"l", std::span(good).first(good.size() - 2)), Status::kIoReparseDataInvalid);
         for (const std::size_t field : {4U, 8U, 10U, 12U, 14U}) {
             std::vector<std::byte> bad = good;
             nt::put(std::span(bad), field, std::uint16_t{0x7FFE});
             c.equal(try_link(c, u"l", bad), Status::kIoReparseDataInvalid, std::to_string(field));
         }
         c.equal(try_link(c, u"l", reparse_header(0)), Status::kIoReparseTagInvalid);
         c.equal(try_link(c, u"l", reparse_header(nt::kReparseTagSymlink)), Status::kIoReparseDataInvalid);
         c.check(c.names().empty(), "nothing was made");
     }},
    {"ReparsePoint_WithoutTheRightToWrite_IsNotChanged",
     [](Context& c) {
         c.make_file(u"f");
         make_link(c, u"link", u"f");
         const File file = open_link(c, u"f", access::kReadData | access::kReadAttributes | access::kDelete);
         c.equal(set_reparse_point(c, file, link_data(u"x")).status, Status::kAccessDenied);
         const File link = open_link(c, u"link", access::kReadAttributes);
         c.equal(delete_reparse_point(c, link, reparse_header(nt::kReparseTagSymlink)).status,
                 Status::kAccessDenied);
     }},
    {"ReparsePoint_OfADirectoryThatIsNotEmpty_IsNotSet",
     [](Context& c) {
         c.make_directory(u"d");
         c.make_file(u"d\\f", "kept");
         const File directory = open_link(c, u"d");
         c.equal(set_reparse_point(c, directory, link_data(u"x")).status, Status::kDirectoryNotEmpty);
         c.equal(c.contents(u"d\\f"), "kept");
     }},
    {"ReparsePoint_SetAgain_GivesTheLinkANewTarget",
     [](Context& c) {
         c.make_file(u"f", "first");
         c.make_file(u"g", "second");
         make_link(c, u"link", u"f");
         const File link = open_link(c, u"link");
         c.equal(set_reparse_point(c, link, link_data(u"g")).status, Status::kSuccess);
         c.equal(c.contents(u"link"), "second");
         c.equal(target_of(c, u"link"), u"g");
     }},
    {"ReparsePoint_SetThroughAHandle_IsSeenThroughIt",
     [](Context& c) {
         c.make_file(u"f", "text");
         File link = c.must_open({.name = u"link",
                                  .access = access::kGenericWrite | access::kReadAttributes | access::kDelete,
                                  .disposition = kCreate});
         c.equal(set_reparse_point(c, link, link_data(u"f")).status, Status::kSuccess);
         c.equal(link.attributes() & kLinkBits, kFileLink);
         std::vector<std::byte> out(nt::kMaxReparseBytes);
         c.equal(get_reparse_point(c, link, out).status, Status::kSuccess);
         c.equal(link.rename({.target = u"renamed"}), Status::kSuccess);
         c.equal(c.contents(u"renamed"), "text");
         c.equal(link.dispose(), Status::kSuccess);
         link.close();
         c.equal(c.names(), Names{u"f"});
     }},
    {"ReparsePoint_Deleted_LeavesAPlainFileOrDirectory",
     [](Context& c) {
         c.make_file(u"f", "kept");
         c.make_directory(u"d");
         make_link(c, u"file", u"f");
         make_link(c, u"dir", u"d", LinkKind::kDirectory);
         for (const char16_t* name : {u"file", u"dir"}) {
             File link = open_link(c, name);
             c.equal(delete_reparse_point(c, link, link_data(u"f")).status, Status::kIoReparseDataInvalid);
             c.equal(delete_reparse_point(c, link, reparse_header(nt::kReparseTagMountPoint)).status,
                     Status::kIoReparseTagMismatch);
             c.equal(delete_reparse_point(c, link, reparse_header(nt::kReparseTagSymlink)).status,
                     Status::kSuccess);
             c.equal(link.attributes() & attribute::kReparsePoint, 0U);
             link.close();
             c.equal(c.attributes_of(name) & attribute::kReparsePoint, 0U);
         }
         c.equal(c.contents(u"file"), "");
         c.check(c.names(u"dir").empty(), "an empty directory");
         c.equal(c.contents(u"f"), "kept");
         c.equal(c.names(), Names{u"d", u"dir", u"f", u"file"});
     }},
    {"SymbolicLink_ToWhatIsReplaced_FollowsTheName",
     [](Context& c) {
         c.make_file(u"target", "file");
         make_link(c, u"link", u"target");
         c.equal(c.contents(u"link"), "file");
         c.equal(c.remove(u"target"), Status::kSuccess);
         c.expect_open({.name = u"link"}, Status::kObjectNameNotFound);
         c.make_file(u"target", "another");
         c.equal(c.contents(u"link"), "another");
     }},
    {"SymbolicLink_OfMappedNames_KeepsThem",
     [](Context& c) {
         c.make_file(u"a\uF03Ab", "text");
         make_link(c, u"gr\u00FC\u00DFe", u"a\uF03Ab");
         c.equal(c.contents(u"gr\u00FC\u00DFe"), "text");
         c.equal(target_of(c, u"gr\u00FC\u00DFe"), u"a\uF03Ab");
     }},
    {"SymbolicLink_OutOfTheShare_IsNotMade",
     [](Context& c) {
         c.equal(try_link(c, u"l", link_data(kAbsolute, false)), Status::kNotSupported);
         c.equal(try_link(c, u"l", link_data(kAbsolute, false), LinkKind::kDirectory), Status::kNotSupported);
         c.equal(try_link(c, u"l", link_data(u"..\\..\\..\\x")), Status::kNotSupported);
         c.equal(try_link(c, u"l", link_data(u"\\\\server\\share")), Status::kNotSupported);
         c.equal(try_link(c, u"l", link_data(u"a?b")), Status::kObjectNameInvalid);
         c.equal(try_link(c, u"l", reparse_header(nt::kReparseTagMountPoint)), Status::kNotSupported);
         c.check(c.names().empty(), "nothing was made");
     },
     Offers::kHostNames},
    {"SymbolicLink_OfAFileWithData_IsNotMade",
     [](Context& c) {
         c.make_file(u"f", "kept");
         const File file = open_link(c, u"f");
         c.equal(set_reparse_point(c, file, link_data(u"x")).status, Status::kNotSupported);
         c.equal(c.contents(u"f"), "kept");
     },
     Offers::kHostNames},
    {"DirectoryLink_ToNothing_IsAFileLinkUntilTheTargetIsThere",
     [](Context& c) {
         make_link(c, u"link", u"d", LinkKind::kDirectory);
         c.equal(link_attributes(c, u"link"), kFileLink);
         c.make_directory(u"d");
         c.equal(link_attributes(c, u"link"), kDirectoryLink);
         c.make_file(u"link\\f", "text");
         c.equal(c.contents(u"d\\f"), "text");
     },
     Offers::kHostNames},
});

}  // namespace

std::span<const Case> symlink_cases() {
    return kCases;
}

}  // namespace behaviour
