// Symbolic links: shown, read, made of files and directories, undone; against hosts of all kinds.
#include "guest/volume/link_target.h"
#include "guest/volume/tests/volume_fixture.h"
#include "nt/bytes.h"
#include "nt/reparse.h"

namespace guest::test {
namespace {

using nt::Status;
using testing::ElementsAre;
using Target = nt::SymlinkTarget;

constexpr std::uint32_t kLink = nt::file_attribute::kReparsePoint;
constexpr std::uint32_t kDirectoryLink = kLink | nt::file_attribute::kDirectory;
constexpr std::uint32_t kItself = nt::create_option::kOpenReparsePoint;
constexpr std::uint32_t kDirectory = nt::create_option::kDirectoryFile;
constexpr std::uint32_t kMakeLink = nt::access::kWriteAttributes | nt::access::kDelete;

Target shown(std::u16string name) {
    return {.name = name, .shown = name};
}

std::vector<std::byte> data_of(std::u16string name, bool relative = true) {
    return nt::make_symlink({.name = name, .shown = name, .relative = relative}).value();
}

std::vector<std::byte> header_of(std::uint32_t tag) {
    std::vector<std::byte> bytes(nt::kReparseHeaderBytes);
    nt::put(std::span(bytes), 0, tag);
    return bytes;
}

TEST(LinkTarget, OfTheHost_IsShownWithBackslashesAndMappedNames) {
    EXPECT_EQ(guest_target_of("a/b"), shown(u"a\\b"));
    EXPECT_EQ(guest_target_of("../x/./y"), shown(u"..\\x\\.\\y"));
    EXPECT_EQ(guest_target_of("/"), shown(u"\\"));
    EXPECT_EQ(guest_target_of("//a//b/"), shown(u"\\a\\b"));
    EXPECT_EQ(guest_target_of("a:b/c\\d/e."), shown(u"a\uF03Ab\\c\uF05Cd\\e\uF02E"));
    EXPECT_EQ(guest_target_of("\xFF"), shown(u"\uF1FF"));
}

TEST(LinkTarget, ThatNoHostCanHave_IsAProtocolError) {
    EXPECT_EQ(guest_target_of(""), nt::fail(Status::kDeviceProtocolError));
    EXPECT_EQ(guest_target_of(std::string_view("a\0b", 3)), nt::fail(Status::kDeviceProtocolError));
    EXPECT_EQ(guest_target_of(std::string(4096, 'a')), nt::fail(Status::kDeviceProtocolError));
    EXPECT_TRUE(guest_target_of(std::string(4095, 'a')));
}

TEST(LinkTarget, OfTheGuest_BecomesAHostPath) {
    EXPECT_EQ(host_target_of(shown(u"a\\b")), "a/b");
    EXPECT_EQ(host_target_of(shown(u"..\\.\\x/y\\")), ".././x/y");
    EXPECT_EQ(host_target_of(shown(u"\\a")), "/a");
    EXPECT_EQ(host_target_of(shown(u"\\")), "/");
    EXPECT_EQ(host_target_of(shown(u"a\uF03Ab")), "a:b");
}

TEST(LinkTarget, ThatNoHostLinkExpresses_IsRefused) {
    EXPECT_EQ(host_target_of({.name = u"\\??\\C:\\x", .relative = false}), nt::fail(Status::kNotSupported));
    EXPECT_EQ(host_target_of(shown(u"\\\\server\\share")), nt::fail(Status::kNotSupported));
    EXPECT_EQ(host_target_of(shown(u"C:\\x")), nt::fail(Status::kObjectNameInvalid));
    EXPECT_EQ(host_target_of(shown(u"a\\b?")), nt::fail(Status::kObjectNameInvalid));
    std::u16string deep;
    for (int i = 0; i < 2100; ++i)
        deep += u"\\a";
    EXPECT_EQ(host_target_of(shown(deep)), nt::fail(Status::kNameTooLong));
}

TEST(LinkTarget, IsFollowedByNamesAloneAndNeverOutOfTheShare) {
    const std::vector<std::string> directory{"a", "b"};
    using Path = std::vector<std::string>;
    EXPECT_EQ(follow(directory, "c"), (Path{"a", "b", "c"}));
    EXPECT_EQ(follow(directory, "../c/./d/"), (Path{"a", "c", "d"}));
    EXPECT_EQ(follow(directory, "../.."), Path{});
    EXPECT_EQ(follow(directory, "/c"), Path{"c"});
    EXPECT_EQ(follow(directory, "../../.."), std::nullopt);
    EXPECT_EQ(follow(directory, "/../c"), std::nullopt);
    EXPECT_EQ(follow(directory, "../../../a/b"), std::nullopt);
}

TEST(ReparseData, ASymlink_ComesBackAsItWas) {
    const Target target{.name = u"\\??\\C:\\x", .shown = u"C:\\x", .relative = false};
    EXPECT_EQ(nt::parse_symlink(nt::make_symlink(target).value()), target);
    // Both names of the longest host target do not fit: the one for people is left out.
    const std::u16string longest(4095, u'a');
    const auto bytes = nt::make_symlink(shown(longest)).value();
    EXPECT_LE(bytes.size(), nt::kMaxReparseBytes);
    EXPECT_EQ(nt::parse_symlink(bytes), (Target{.name = longest, .shown = u""}));
}

TEST(ReparseData, MalformedBuffers_AreRefused) {
    const auto good = data_of(u"target");
    const auto with = [&](std::size_t at, std::uint16_t value) {
        auto bytes = good;
        nt::put(std::span(bytes), at, value);
        return nt::parse_symlink(bytes);
    };
    const auto invalid = nt::fail(Status::kIoReparseDataInvalid);
    EXPECT_EQ(nt::parse_symlink({}), invalid);
    EXPECT_EQ(nt::parse_symlink(std::span(good).first(7)), invalid);
    EXPECT_EQ(nt::parse_symlink(std::span(good).first(good.size() - 1)), invalid);
    EXPECT_EQ(nt::parse_symlink(std::vector<std::byte>(20'000)), invalid);
    EXPECT_EQ(with(4, 3), invalid);
    EXPECT_EQ(with(8, 1), invalid);       // an odd offset
    EXPECT_EQ(with(8, 0xFFFE), invalid);  // an offset beyond the data
    EXPECT_EQ(with(10, 11), invalid);     // an odd length
    EXPECT_EQ(with(10, 0xFFFE), invalid);
    EXPECT_EQ(with(10, 0), invalid);  // no target
    EXPECT_EQ(with(14, 0xFFFE), invalid);
    EXPECT_EQ(nt::parse_reparse_header(header_of(0)), nt::fail(Status::kIoReparseTagInvalid));
    EXPECT_EQ(nt::parse_reparse_header(header_of(0xA0010003)), nt::fail(Status::kIoReparseTagInvalid));
    EXPECT_EQ(nt::parse_reparse_header(header_of(0x17)), invalid);  // no GUID
    EXPECT_EQ(nt::parse_symlink(header_of(nt::kReparseTagMountPoint)),
              nt::fail(Status::kIoReparseTagMismatch));
}

class Links : public VolumeTest {
  protected:
    void SetUp() override { begin({}); }
    void begin(const HostOptions& options) {
        start(options);
        host().make_directory("d");
        host().make_directory("d/sub");
        host().make_file("d/f", "text");
    }
    nt::Result<Target> target_of(std::u16string_view path) {
        const auto opened = open(path, kAttributesOnly, kItself);
        if (!opened) return nt::fail(opened.error());
        const auto data = volume().reparse_point(*opened->file, path);
        volume().close(opened->file);
        if (!data) return nt::fail(data.error());
        return nt::parse_symlink(*data);
    }
    // What CreateSymbolicLink makes WinFsp call.
    Status make_link(std::u16string_view path, std::span<const std::byte> data, std::uint32_t options = 0) {
        const auto made = create(path, kMakeLink, options | kItself);
        if (!made) return made.error();
        const auto set = volume().set_reparse_point(*made->file, path, data);
        if (!set) volume().cleanup(*made->file, path, {.remove = true});
        volume().close(made->file);
        return set ? Status::kSuccess : set.error();
    }
};

TEST_F(Links, ToAFile_IsAFileLink) {
    host().make_symlink("link", "d/f");
    EXPECT_EQ(volume().attributes_of(u"\\link"), kLink);
    EXPECT_EQ(target_of(u"\\link"), shown(u"d\\f"));
    EXPECT_EQ(open(u"\\link", kAttributesOnly, kItself | kDirectory).error(), Status::kNotADirectory);
}

TEST_F(Links, ToADirectory_IsADirectoryLink) {
    host().make_symlink("d/up", "../d/sub");
    host().make_symlink("rooted", "/d/sub");
    host().make_symlink("chain", "rooted");
    host().make_symlink("through", "d/up/.");
    host().make_symlink("root", "/");
    for (const auto* path : {u"\\d\\up", u"\\rooted", u"\\chain", u"\\through", u"\\root"}) {
        EXPECT_EQ(volume().attributes_of(path), kDirectoryLink);
        const auto opened = open(path, kAttributesOnly, kItself | kDirectory);
        ASSERT_TRUE(opened);
        EXPECT_EQ(opened->info.attributes, kDirectoryLink);
        EXPECT_EQ(opened->info.reparse_tag, nt::kReparseTagSymlink);
        EXPECT_EQ(volume().file_info(*opened->file)->attributes, kDirectoryLink);
        volume().close(opened->file);
        EXPECT_EQ(open(path, kAttributesOnly, kItself | nt::create_option::kNonDirectoryFile).error(),
                  Status::kFileIsADirectory);
    }
}

TEST_F(Links, ThatLeadNowhere_AreFileLinks) {
    host().make_symlink("dangling", "missing/x");
    host().make_symlink("loop", "loop");
    host().make_symlink("ping", "pong");
    host().make_symlink("pong", "d/../ping");
    host().make_symlink("out", "../d");
    host().make_symlink("d/out", "../../..");
    host().make_symlink("through_file", "d/f/x");
    for (const auto* path :
         {u"\\dangling", u"\\loop", u"\\ping", u"\\pong", u"\\out", u"\\d\\out", u"\\through_file"}) {
        EXPECT_EQ(volume().attributes_of(path), kLink);
    }
}

TEST_F(Links, OnTheWay_AreReportedForWinFspToFollow) {
    host().make_symlink("link", "d");
    EXPECT_EQ(volume().attributes_of(u"\\link\\f"), nt::fail(Status::kReparse));
    EXPECT_EQ(volume().reparse_point_of(u"\\link"), nt::make_symlink({.name = u"d"}));
    EXPECT_EQ(volume().reparse_point_of(u"\\d"), nt::fail(Status::kNotAReparsePoint));
    EXPECT_EQ(volume().reparse_point_of(u"\\missing"), nt::fail(Status::kObjectNameNotFound));
    EXPECT_EQ(volume().open(u"\\link\\f", {.granted_access = kRead}).error(), Status::kObjectPathNotFound);
    EXPECT_EQ(volume().create(u"\\link\\g", {.granted_access = kRead}).error(), Status::kObjectPathNotFound);
}

TEST_F(Links, OutOfTheShare_AreShownAndNotFollowed) {
    host().make_symlink("d/out", "../../secret");
    EXPECT_EQ(target_of(u"\\d\\out"), shown(u"..\\..\\secret"));
    EXPECT_EQ(volume().reparse_point_of(u"\\d\\out"), nt::fail(Status::kObjectPathNotFound));
}

TEST_F(Links, InAListing_CarryTheirTagAndKind) {
    host().make_symlink("d/a", "sub");
    host().make_symlink("d/b", "f");
    host().make_symlink("d/c", "missing");
    for (int i = 0; i < 150; ++i)
        host().make_symlink("d/x" + std::to_string(100 + i), "sub");
    const auto directory = open(u"\\d", kRead);
    ASSERT_TRUE(directory);
    std::map<std::u16string, nt::FileInfo> entries;
    ASSERT_EQ(volume().read_directory(*directory->file, std::nullopt,
                                      [&](const DirectoryEntry& entry) {
                                          entries.emplace(entry.name, entry.info);
                                          return true;
                                      }),
              true);
    EXPECT_EQ(entries.size(), 157U);
    EXPECT_EQ(entries[u"a"].attributes, kDirectoryLink);
    EXPECT_EQ(entries[u"b"].attributes, kLink);
    EXPECT_EQ(entries[u"c"].attributes, kLink);
    EXPECT_EQ(entries[u"x249"].attributes, kDirectoryLink);
    EXPECT_EQ(entries[u"a"].reparse_tag, nt::kReparseTagSymlink);
    EXPECT_EQ(volume().entry_of(*directory->file, u"a")->attributes, kDirectoryLink);
    volume().close(directory->file);
}

TEST_F(Links, CostAReadLinkOnceAndNothingWithinTheLifetimes) {
    host().make_symlink("link", "d/f");
    EXPECT_TRUE(volume().attributes_of(u"\\d\\f"));
    host().reset();
    EXPECT_TRUE(volume().attributes_of(u"\\link"));
    EXPECT_EQ(host().round_trips(), 2U) << host().summary();  // LOOKUP, READLINK
    host().reset();
    EXPECT_TRUE(volume().attributes_of(u"\\link"));
    EXPECT_EQ(target_of(u"\\link"), shown(u"d\\f"));
    EXPECT_EQ(host().round_trips(), 0U) << host().summary();
}

TEST_F(Links, ReplacedByTheHost_AreReadAgain) {
    begin({.valid_seconds = 0});
    host().make_symlink("link", "d/f");
    EXPECT_EQ(target_of(u"\\link"), shown(u"d\\f"));
    host().remove("link");
    host().make_symlink("link", "d/sub");
    EXPECT_EQ(target_of(u"\\link"), shown(u"d\\sub"));
    EXPECT_EQ(volume().attributes_of(u"\\link"), kDirectoryLink);
}

TEST_F(Links, MadeOfANewFile_AreHostLinksOfTheRightOwner) {
    EXPECT_EQ(make_link(u"\\d\\link", data_of(u"..\\d\\f")), Status::kSuccess);
    EXPECT_EQ(host().content("d/link"), "../d/f");
    EXPECT_EQ(host().attributes("d/link")->mode & fuse::mode::kTypeMask, fuse::mode::kSymlink);
    EXPECT_EQ(host().attributes("d/link")->uid, 11U);
    EXPECT_THAT(host().names("d"), ElementsAre("f", "link", "sub"));
    EXPECT_EQ(volume().attributes_of(u"\\d\\link"), kLink);
    EXPECT_EQ(target_of(u"\\d\\link"), shown(u"..\\d\\f"));
}

TEST_F(Links, MadeOfANewDirectory_AreHostLinksToo) {
    for (const bool exchange : {true, false}) {
        begin({.no_replace = exchange, .exchange = exchange});
        EXPECT_EQ(make_link(u"\\d\\link", data_of(u"\\d\\sub"), kDirectory), Status::kSuccess);
        EXPECT_EQ(host().content("d/link"), "/d/sub");
        EXPECT_EQ(host().attributes("d/link")->mode & fuse::mode::kTypeMask, fuse::mode::kSymlink);
        EXPECT_THAT(host().names("d"), ElementsAre("f", "link", "sub"));
        EXPECT_EQ(volume().attributes_of(u"\\d\\link"), kDirectoryLink);
    }
}

TEST_F(Links, AreMadeOnAHostThatWantsReferences) {
    begin({.valid_seconds = 0, .needs_references = true});
    EXPECT_EQ(make_link(u"\\d\\file", data_of(u"f")), Status::kSuccess);
    EXPECT_EQ(make_link(u"\\d\\dir", data_of(u"sub"), kDirectory), Status::kSuccess);
    EXPECT_EQ(host().content("d/file"), "f");
    EXPECT_EQ(host().content("d/dir"), "sub");
    EXPECT_THAT(host().names("d"), ElementsAre("dir", "f", "file", "sub"));
}

TEST_F(Links, HandlesThatAreOpenMeanwhile_AreTheLinkAfterwards) {
    const auto first = create(u"\\link", kReadWrite | kMakeLink);
    ASSERT_TRUE(first);
    const auto second = open(u"\\link", kRead);
    ASSERT_TRUE(second);
    ASSERT_TRUE(volume().set_reparse_point(*first->file, u"\\link", data_of(u"d")));
    for (File* const file : {first->file, second->file}) {
        EXPECT_EQ(volume().file_info(*file)->attributes, kDirectoryLink);
        EXPECT_EQ(volume().reparse_point(*file, u"\\link"), data_of(u"d"));
        EXPECT_FALSE(read(*file, 1));
    }
    EXPECT_TRUE(volume().can_delete(*second->file, u"\\link"));
    volume().cleanup(*second->file, u"\\link", {.remove = true});
    volume().close(second->file);
    volume().close(first->file);
    EXPECT_THAT(host().names(""), ElementsAre("d"));
}

TEST_F(Links, SetAgain_GetTheNewTarget) {
    host().make_symlink("link", "d/f");
    const auto opened = open(u"\\link", kMakeLink, kItself);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(volume().set_reparse_point(*opened->file, u"\\link", data_of(u"d\\sub")));
    EXPECT_EQ(volume().set_reparse_point(*opened->file, u"\\link", header_of(nt::kReparseTagMountPoint)),
              nt::fail(Status::kIoReparseTagMismatch));
    volume().close(opened->file);
    EXPECT_EQ(host().content("link"), "d/sub");
}

TEST_F(Links, WithATargetTheHostCannotExpress_LeaveEverythingAsItWas) {
    EXPECT_EQ(make_link(u"\\l", data_of(u"\\??\\C:\\x", false)), Status::kNotSupported);
    EXPECT_EQ(make_link(u"\\l", data_of(u"..\\x")), Status::kNotSupported);
    EXPECT_EQ(make_link(u"\\l", data_of(u"a*b")), Status::kObjectNameInvalid);
    EXPECT_EQ(make_link(u"\\l", header_of(nt::kReparseTagMountPoint)), Status::kNotSupported);
    EXPECT_EQ(make_link(u"\\l", {}), Status::kIoReparseDataInvalid);
    EXPECT_THAT(host().names(""), ElementsAre("d"));
}

TEST_F(Links, OfWhatHoldsSomething_AreRefused) {
    for (const auto& [path, status] :
         {std::pair{u"\\d\\f", Status::kNotSupported}, std::pair{u"\\d", Status::kDirectoryNotEmpty},
          std::pair{u"\\", Status::kAccessDenied}}) {
        const auto opened = open(path, kMakeLink);
        ASSERT_TRUE(opened);
        EXPECT_EQ(volume().set_reparse_point(*opened->file, path, data_of(u"x")), nt::fail(status));
        volume().close(opened->file);
    }
    EXPECT_EQ(host().content("d/f"), "text");
    EXPECT_THAT(host().names("d"), ElementsAre("f", "sub"));
}

TEST_F(Links, OfADirectoryThatSomebodyFillsMeanwhile_LoseNothing) {
    const auto opened = open(u"\\d\\sub", kMakeLink);
    ASSERT_TRUE(opened);
    host().hold(fuse::Opcode::kSymlink);
    nt::Result<void> set;
    std::thread program([&] { set = volume().set_reparse_point(*opened->file, u"\\d\\sub", data_of(u"f")); });
    host().wait_until_held(1);
    host().make_file("d/sub/kept", "kept");
    host().let_go();
    program.join();
    EXPECT_EQ(set, nt::fail(Status::kDirectoryNotEmpty));
    volume().close(opened->file);
    EXPECT_EQ(host().content("d/sub/kept"), "kept");
    EXPECT_THAT(host().names("d"), ElementsAre("f", "sub"));
}

TEST_F(Links, WhoseNameIsAnotherFilesMeanwhile_AreNotMade) {
    begin({.valid_seconds = 0});
    const auto made = create(u"\\link", kMakeLink);
    ASSERT_TRUE(made);
    host().remove("link");
    host().make_file("link", "of somebody else");
    EXPECT_EQ(volume().set_reparse_point(*made->file, u"\\link", data_of(u"d")),
              nt::fail(Status::kObjectNameNotFound));
    volume().close(made->file);
    EXPECT_EQ(host().content("link"), "of somebody else");
}

TEST_F(Links, Deleted_AreEmptyFilesAndDirectoriesAgain) {
    host().make_symlink("file", "d/f");
    host().make_symlink("dir", "d/sub");
    for (const auto* path : {u"\\file", u"\\dir"}) {
        const auto opened = open(path, kMakeLink, kItself);
        ASSERT_TRUE(opened);
        EXPECT_EQ(volume().delete_reparse_point(*opened->file, path, data_of(u"x")),
                  nt::fail(Status::kIoReparseDataInvalid));
        EXPECT_EQ(volume().delete_reparse_point(*opened->file, path, header_of(nt::kReparseTagMountPoint)),
                  nt::fail(Status::kIoReparseTagMismatch));
        EXPECT_TRUE(volume().delete_reparse_point(*opened->file, path, header_of(nt::kReparseTagSymlink)));
        EXPECT_EQ(volume().delete_reparse_point(*opened->file, path, header_of(nt::kReparseTagSymlink)),
                  nt::fail(Status::kNotAReparsePoint));
        EXPECT_EQ(volume().reparse_point(*opened->file, path), nt::fail(Status::kNotAReparsePoint));
        volume().close(opened->file);
    }
    EXPECT_EQ(volume().attributes_of(u"\\file"), nt::file_attribute::kArchive);
    EXPECT_EQ(volume().attributes_of(u"\\dir"), nt::file_attribute::kDirectory);
    EXPECT_THAT(host().names(""), ElementsAre("d", "dir", "file"));
    EXPECT_EQ(host().content("d/f"), "text");
}

TEST_F(Links, AreRenamedAndRemovedThemselves) {
    host().make_symlink("link", "d");
    const auto opened = open(u"\\link", kDelete, kItself);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(volume().rename(*opened->file, u"\\link", u"\\d\\moved", false));
    volume().close(opened->file);
    EXPECT_EQ(host().content("d/moved"), "d");
    EXPECT_EQ(remove(u"\\d\\moved", kItself), Status::kSuccess);
    EXPECT_THAT(host().names("d"), ElementsAre("f", "sub"));
}

TEST_F(Links, ToADirectory_AreNotReplacedByAFile) {
    host().make_symlink("link", "d");
    host().make_symlink("file_link", "d/f");
    host().make_file("new", "new");
    EXPECT_EQ(rename(u"\\new", u"\\link", true), Status::kAccessDenied);
    EXPECT_EQ(host().content("link"), "d");
    EXPECT_EQ(rename(u"\\new", u"\\file_link", true), Status::kSuccess);
    EXPECT_EQ(host().content("file_link"), "new");
    EXPECT_EQ(host().content("d/f"), "text");
}

TEST_F(Links, ARootThatIsOne_IsAProtocolError) {
    begin({.valid_seconds = 0});
    host().make_symlink("link", "d/f");
    check_end_ = false;
    check_protocol_ = false;
    host().set_forger([](fuse::Opcode opcode, std::vector<std::byte> reply) {
        if (opcode == fuse::Opcode::kGetAttr) {
            nt::put(std::span(reply),
                    sizeof(fuse::OutHeader) + offsetof(fuse::AttrOut, attr) + offsetof(fuse::Attr, mode),
                    fuse::mode::kSymlink | 0777);
        }
        return reply;
    });
    EXPECT_EQ(volume().attributes_of(u"\\"), nt::fail(Status::kDeviceProtocolError));
    EXPECT_EQ(volume().reparse_point_of(u"\\"), nt::fail(Status::kDeviceProtocolError));
    EXPECT_EQ(open(u"\\", kAttributesOnly, kItself | kDirectory).error(), Status::kDeviceProtocolError);
    // The same by a name that leads to the root's number.
    host().set_forger([](fuse::Opcode opcode, std::vector<std::byte> reply) {
        if (opcode == fuse::Opcode::kLookup && reply.size() > sizeof(fuse::OutHeader)) {
            constexpr std::size_t kEntry = sizeof(fuse::OutHeader);
            nt::put(std::span(reply), kEntry + offsetof(fuse::EntryOut, node), fuse::kRootNodeId);
            nt::put(std::span(reply), kEntry + offsetof(fuse::EntryOut, attr_valid), std::uint64_t{60});
        }
        return reply;
    });
    static_cast<void>(volume().attributes_of(u"\\link"));
    EXPECT_EQ(volume().attributes_of(u"\\"), nt::fail(Status::kDeviceProtocolError));
    static_cast<void>(volume().attributes_of(u"\\link"));
}

TEST_F(Links, OfAHostileHost_AreProtocolErrors) {
    host().make_symlink("empty", "x");
    check_end_ = false;
    std::string target;
    host().set_forger([&](fuse::Opcode opcode, std::vector<std::byte> reply) {
        if (opcode != fuse::Opcode::kReadLink) return reply;
        reply.resize(sizeof(fuse::OutHeader));
        const auto bytes = std::as_bytes(std::span(target));
        reply.insert(reply.end(), bytes.begin(), bytes.end());
        nt::put(std::span(reply), 0, static_cast<std::uint32_t>(reply.size()));
        return reply;
    });
    for (const std::string& bad :
         {std::string(), std::string("a\0b", 3), std::string(4096, 'x'), std::string(10000, '/')}) {
        target = bad;
        EXPECT_EQ(volume().attributes_of(u"\\empty"), kLink);
        EXPECT_EQ(target_of(u"\\empty"), nt::fail(Status::kDeviceProtocolError));
    }
    host().set_forger({});
    host().make_file("f", "");
    host().set_forger([&](fuse::Opcode opcode, std::vector<std::byte> reply) {
        // SYMLINK that answers with a directory.
        if (opcode == fuse::Opcode::kSymlink) {
            nt::put(std::span(reply),
                    sizeof(fuse::OutHeader) + offsetof(fuse::EntryOut, attr) + offsetof(fuse::Attr, mode),
                    fuse::mode::kDirectory);
        }
        return reply;
    });
    const auto opened = open(u"\\f", kMakeLink);
    ASSERT_TRUE(opened);
    EXPECT_EQ(volume().set_reparse_point(*opened->file, u"\\f", data_of(u"x")),
              nt::fail(Status::kDeviceProtocolError));
    volume().close(opened->file);
}

}  // namespace
}  // namespace guest::test
