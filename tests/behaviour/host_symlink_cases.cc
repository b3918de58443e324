// Symbolic links as both sides see them: those that the host made in the guest, and the guest's on the host.
#include <array>
#include <filesystem>
#include <fstream>

#include "tests/behaviour/case.h"
#include "tests/behaviour/symlinks.h"

namespace behaviour {
namespace {

namespace fs = std::filesystem;
using enum Disposition;

void write_host(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string read_host(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The case's directory as a path from the share's root.
std::string from_root(const Context& c) {
    return "/" + c.host().filename().string();
}

constexpr auto kCases = std::to_array<Case>({
    {"HostLink_ToAFile_IsAFileLinkAndFollowed",
     [](Context& c) {
         write_host(c.host() / "target", "text");
         fs::create_symlink("target", c.host() / "link");
         c.equal(link_attributes(c, u"link"), kFileLink);
         c.equal(target_of(c, u"link"), u"target");
         c.equal(c.contents(u"link"), "text");
         c.make_file(u"other");
         File file = c.must_open({.name = u"link", .access = access::kGenericWrite});
         file.put("guest", 0);
         c.equal(read_host(c.host() / "target"), "guest");
     },
     Offers::kHost},
    {"HostLink_ToADirectory_IsADirectoryLinkAndFollowed",
     [](Context& c) {
         fs::create_directories(c.host() / "d/e");
         write_host(c.host() / "d/e/f", "text");
         fs::create_directory_symlink("d", c.host() / "dir");
         fs::create_symlink("../d/e", c.host() / "d/up");
         c.equal(link_attributes(c, u"dir"), kDirectoryLink);
         c.equal(link_attributes(c, u"dir\\up"), kDirectoryLink);
         c.equal(c.contents(u"dir\\e\\f"), "text");
         c.equal(c.contents(u"dir\\up\\f"), "text");
         c.make_file(u"dir\\up\\g", "guest");
         c.equal(read_host(c.host() / "d/e/g"), "guest");
     },
     Offers::kHost},
    {"HostLink_WithAnAbsoluteTarget_StartsAtTheSharesRoot",
     [](Context& c) {
         fs::create_directory(c.host() / "d");
         write_host(c.host() / "d/f", "text");
         fs::create_symlink(from_root(c) + "/d/f", c.host() / "file");
         fs::create_symlink(from_root(c) + "/d", c.host() / "dir");
         c.equal(c.contents(u"file"), "text");
         c.equal(c.contents(u"dir\\f"), "text");
         c.equal(target_of(c, u"dir"), c.path(u"d"));
         c.equal(link_attributes(c, u"dir"), kDirectoryLink);
     },
     Offers::kHost},
    {"HostLink_OutOfTheShare_IsShownAndNotFollowed",
     [](Context& c) {
         // Out and in again: for the host it leads to the file.
         const std::string around =
             "../../" + c.host().parent_path().filename().string() + from_root(c) + "/f";
         write_host(c.host() / "f", "text");
         fs::create_symlink(around, c.host() / "around");
         fs::create_symlink("../../../../../../../..", c.host() / "out");
         c.equal(read_host(c.host() / "around"), "text");
         c.equal(link_attributes(c, u"around"), kFileLink);
         c.equal(link_attributes(c, u"out"), kFileLink);
         c.equal(target_of(c, u"out"), u"..\\..\\..\\..\\..\\..\\..\\..");
         c.expect_open({.name = u"around"}, Status::kObjectPathNotFound);
         c.expect_open({.name = u"out"}, Status::kObjectPathNotFound);
         c.expect_open({.name = u"out\\etc"}, Status::kObjectPathNotFound);
         c.expect_open({.name = u"around", .access = access::kGenericWrite, .disposition = kOverwriteIf},
                       Status::kObjectPathNotFound);
         c.equal(read_host(c.host() / "f"), "text");
         c.equal(open_link(c, u"out").dispose(), Status::kSuccess);
         c.check(!fs::is_symlink(c.host() / "out"), "it can be removed");
     },
     Offers::kHost},
    {"HostLink_ToTheHostsRoot_MeansTheSharesRoot",
     [](Context& c) {
         fs::create_directory_symlink("/", c.host() / "root");
         const std::u16string back = u"root" + c.path(u"");
         c.make_file(u"f", "text");
         c.equal(c.contents(back + u"\\f"), "text");
         c.expect_open({.name = u"root\\etc"}, Status::kObjectNameNotFound);
     },
     Offers::kHost},
    {"HostLinks_InALoop_AreNotResolved",
     [](Context& c) {
         fs::create_symlink("loop", c.host() / "loop");
         fs::create_symlink("pong", c.host() / "ping");
         fs::create_symlink("./ping", c.host() / "pong");
         fs::create_symlink("deeper/x", c.host() / "deeper");
         for (const char16_t* name : {u"loop", u"ping", u"pong", u"deeper"}) {
             c.expect_open({.name = name}, Status::kReparsePointNotResolved);
             c.equal(link_attributes(c, name), kFileLink);
         }
         c.expect_open({.name = u"loop\\x"}, Status::kReparsePointNotResolved);
     },
     Offers::kHost},
    {"HostLink_ThatDangles_IsAFileLinkAndMakesItsTarget",
     [](Context& c) {
         fs::create_symlink("missing", c.host() / "link");
         c.equal(link_attributes(c, u"link"), kFileLink);
         c.expect_open({.name = u"link"}, Status::kObjectNameNotFound);
         File file = c.must_open({.name = u"link", .access = access::kGenericWrite, .disposition = kCreate});
         file.put("guest", 0);
         c.equal(read_host(c.host() / "missing"), "guest");
         c.check(fs::is_symlink(c.host() / "link"), "the link is still one");
     },
     Offers::kHost},
    {"GuestLink_IsALinkOfTheHost",
     [](Context& c) {
         fs::create_directories(c.host() / "d/e");
         write_host(c.host() / "d/f", "text");
         make_link(c, u"file", u"d\\f");
         make_link(c, u"d\\e\\up", u"..\\f");
         make_link(c, u"dir", u".\\d\\e", LinkKind::kDirectory);
         make_link(c, u"rooted", c.path(u"d"), LinkKind::kDirectory);
         c.equal(fs::read_symlink(c.host() / "file").string(), "d/f");
         c.equal(fs::read_symlink(c.host() / "d/e/up").string(), "../f");
         c.equal(fs::read_symlink(c.host() / "dir").string(), "./d/e");
         c.equal(fs::read_symlink(c.host() / "rooted").string(), from_root(c) + "/d");
         c.equal(read_host(c.host() / "file"), "text");
         c.equal(read_host(c.host() / "dir/up"), "text");
         c.equal(std::distance(fs::directory_iterator(c.host()), {}), std::ptrdiff_t{4}, "nothing else");
     },
     Offers::kHost},
    {"GuestLink_LooksLikeTheHosts",
     [](Context& c) {
         fs::create_directory(c.host() / "d");
         write_host(c.host() / "f", "text");
         fs::create_symlink("d", c.host() / "dir_host");
         fs::create_symlink("f", c.host() / "file_host");
         make_link(c, u"dir_guest", u"d", LinkKind::kDirectory);
         make_link(c, u"file_guest", u"f");
         File directory = c.must_open({.options = option::kDirectoryFile});
         std::size_t links = 0;
         for (const DirectoryEntry& entry : c.entries(directory)) {
             if ((entry.info.attributes & attribute::kReparsePoint) == 0) continue;
             ++links;
             const bool to_directory = entry.name.starts_with(u"dir");
             c.equal(entry.info.attributes, to_directory ? kDirectoryLink : kFileLink);
             c.equal(entry.info.reparse_tag, nt::kReparseTagSymlink);
             c.equal(target_of(c, entry.name), to_directory ? u"d" : u"f");
         }
         c.equal(links, 4U);
     },
     Offers::kHost},
    {"HostLink_WithForbiddenNamesInItsTarget_IsShownMapped",
     [](Context& c) {
         fs::create_directory(c.host() / "a:b");
         write_host(c.host() / "a:b/c\\d.", "text");
         fs::create_symlink("a:b/c\\d.", c.host() / "link");
         c.equal(target_of(c, u"link"), u"a\uF03Ab\\c\uF05Cd\uF02E");
         c.equal(c.contents(u"link"), "text");
         make_link(c, u"guest", u"a\uF03Ab\\c\uF05Cd\uF02E");
         c.equal(fs::read_symlink(c.host() / "guest").string(), "a:b/c\\d.");
     },
     Offers::kHost},
    {"HostLink_RenamedAndRemovedByTheGuest_LeavesItsTarget",
     [](Context& c) {
         fs::create_directory(c.host() / "d");
         write_host(c.host() / "d/f", "kept");
         fs::create_directory_symlink("d", c.host() / "link");
         c.equal(open_link(c, u"link").rename({.target = u"renamed"}), Status::kSuccess);
         c.equal(fs::read_symlink(c.host() / "renamed").string(), "d");
         c.equal(open_link(c, u"renamed").dispose(), Status::kSuccess);
         c.check(!fs::is_symlink(c.host() / "renamed"), "the link is gone");
         c.equal(read_host(c.host() / "d/f"), "kept");
     },
     Offers::kHost},
    {"HostLink_WithANewTarget_IsSeenOnceTheLifetimeIsOver",
     [](Context& c) {
         write_host(c.host() / "f", "text");
         fs::create_directory(c.host() / "d");
         fs::create_symlink("f", c.host() / "link");
         c.equal(link_attributes(c, u"link"), kFileLink);
         c.equal(target_of(c, u"link"), u"f");
         fs::remove(c.host() / "link");
         fs::create_symlink("d", c.host() / "link");
         c.eventually([&] { return target_of(c, u"link") == u"d"; }, "the new target is seen");
         c.equal(link_attributes(c, u"link"), kDirectoryLink);
     },
     Offers::kHost},
    {"HostLink_WhoseTargetBecomesADirectory_BecomesADirectoryLink",
     [](Context& c) {
         write_host(c.host() / "target", "text");
         fs::create_symlink("target", c.host() / "link");
         c.equal(link_attributes(c, u"link"), kFileLink);
         fs::remove(c.host() / "target");
         fs::create_directory(c.host() / "target");
         c.eventually([&] { return link_attributes(c, u"link") == kDirectoryLink; },
                      "it is a directory link");
     },
     Offers::kHost},
    {"ReparsePoint_DeletedOnALinkOfTheHost_LeavesAPlainFile",
     [](Context& c) {
         write_host(c.host() / "f", "kept");
         fs::create_symlink("f", c.host() / "link");
         const File link = open_link(c, u"link");
         c.equal(delete_reparse_point(c, link, reparse_header(nt::kReparseTagSymlink)).status,
                 Status::kSuccess);
         c.check(fs::symlink_status(c.host() / "link").type() == fs::file_type::regular, "a regular file");
         c.equal(fs::file_size(c.host() / "link"), 0U);
         c.equal(read_host(c.host() / "f"), "kept");
     },
     Offers::kHost},
});

}  // namespace

std::span<const Case> host_symlink_cases() {
    return kCases;
}

}  // namespace behaviour
