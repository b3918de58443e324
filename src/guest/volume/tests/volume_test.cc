// What programs see of files, through the calls that WinFsp makes.
#include "guest/volume/file_time.h"
#include "guest/volume/tests/volume_fixture.h"

namespace guest::test {
namespace {

using nt::Status;
using testing::ElementsAre;
using testing::HasSubstr;

class Files : public VolumeTest {
  protected:
    void SetUp() override {
        start();
        host().make_directory("d");
        host().make_file("d/f", "0123456789");
    }
    nt::FileInfo info(File& file) { return volume().file_info(file).value(); }
};

TEST_F(Files, Open_OfWhatIsMissing_SaysWhichPart) {
    EXPECT_EQ(volume().attributes_of(u"\\no"), nt::fail(Status::kObjectNameNotFound));
    EXPECT_EQ(volume().attributes_of(u"\\no\\f"), nt::fail(Status::kObjectPathNotFound));
    EXPECT_EQ(volume().attributes_of(u"\\d\\f\\x"), nt::fail(Status::kObjectPathNotFound));
    EXPECT_EQ(volume().create(u"\\no\\f", {}).error(), Status::kObjectPathNotFound);
    EXPECT_EQ(volume().create(u"\\d\\f\\x", {}).error(), Status::kObjectPathNotFound);
}

TEST_F(Files, Open_OfAVeryDeepPath_NeedsNoDeepStack) {
    std::u16string path;
    for (int i = 0; i < 16000; ++i)
        path += u"\\a";
    EXPECT_EQ(volume().attributes_of(path), nt::fail(Status::kObjectPathNotFound));
    EXPECT_EQ(volume().create(path, {}).error(), Status::kObjectPathNotFound);
}

TEST_F(Files, Open_OfTheOtherType_IsRefused) {
    EXPECT_EQ(open(u"\\d\\f", kRead, nt::create_option::kDirectoryFile).error(), Status::kNotADirectory);
    EXPECT_EQ(open(u"\\d", kRead, nt::create_option::kNonDirectoryFile).error(), Status::kFileIsADirectory);
}

TEST_F(Files, Create_OfAnExistingName_IsACollision) {
    EXPECT_EQ(volume().create(u"\\d\\f", {.granted_access = kWrite}).error(), Status::kObjectNameCollision);
    EXPECT_EQ(volume().create(u"\\d", {.options = nt::create_option::kDirectoryFile}).error(),
              Status::kObjectNameCollision);
}

TEST_F(Files, Create_OfANameThatCameToExist_FollowsTheDisposition) {
    const auto opened =
        volume().create(u"\\d\\f", {.granted_access = kRead, .disposition = nt::Disposition::kOpenIf});
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->info.file_size, 10U);
    volume().close(opened->file);
    EXPECT_EQ(host().content("d/f"), "0123456789");

    const auto overwritten =
        volume().create(u"\\d\\f", {.granted_access = kWrite, .disposition = nt::Disposition::kOverwriteIf});
    ASSERT_TRUE(overwritten);
    EXPECT_EQ(overwritten->info.file_size, 0U);
    volume().close(overwritten->file);
    EXPECT_EQ(host().content("d/f"), "");
}

TEST_F(Files, NewFiles_BelongToTheOwner) {
    const auto file = create(u"\\d\\new", kWrite);
    const auto directory = create(u"\\d\\dir", kAttributesOnly, nt::create_option::kDirectoryFile);
    ASSERT_TRUE(file && directory);
    volume().close(file->file);
    volume().close(directory->file);
    EXPECT_EQ(host().attributes("d/new")->uid, 11U);
    EXPECT_EQ(host().attributes("d/new")->gid, 12U);
    EXPECT_EQ(host().attributes("d/dir")->uid, 11U);
}

TEST_F(Files, Read_AtAndAcrossTheEnd) {
    const auto opened = open(u"\\d\\f", kRead);
    ASSERT_TRUE(opened);
    EXPECT_EQ(read(*opened->file, 4, 2), "2345");
    EXPECT_EQ(read(*opened->file, 100, 5), "56789");
    EXPECT_EQ(read(*opened->file, 1, 10), nt::fail(Status::kEndOfFile));
    volume().close(opened->file);
}

TEST_F(Files, Read_WhoseHostAnswersInSmallParts_IsComplete) {
    start({.max_pages = 1, .short_read_bytes = 1000});
    std::string data;
    for (int i = 0; i < 20000; ++i)
        data.push_back(static_cast<char>(i * 7));
    host().make_file("f", data);
    const auto opened = open(u"\\f", kRead);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(read(*opened->file, 16384) == data.substr(0, 16384));
    volume().close(opened->file);
}

TEST_F(Files, Write_Constrained_NeverExtends) {
    const auto opened = open(u"\\d\\f", kWrite);
    ASSERT_TRUE(opened);
    EXPECT_EQ(write(*opened->file, "abcdef", {.offset = 8, .constrained = true})->bytes, 2U);
    EXPECT_EQ(write(*opened->file, "abcdef", {.offset = 10, .constrained = true})->bytes, 0U);
    volume().close(opened->file);
    EXPECT_EQ(host().content("d/f"), "01234567ab");
}

TEST_F(Files, Append_GoesToTheEndEvenIfOthersAppendedMeanwhile) {
    for (const std::uint32_t access : {nt::access::kAppendData, kReadWrite}) {
        const auto opened = open(u"\\d\\f", access);
        ASSERT_TRUE(opened);
        host().append("d/f", "<host>");
        EXPECT_EQ(write(*opened->file, "<guest>", {.to_end_of_file = true})->bytes, 7U);
        volume().close(opened->file);
    }
    EXPECT_EQ(host().content("d/f"), "0123456789<host><guest><host><guest>");
}

TEST_F(Files, InfoAfterAWrite_IsComputed) {
    const auto opened = open(u"\\d\\f", kWrite);
    ASSERT_TRUE(opened);
    const auto written = write(*opened->file, std::string(5000, 'x'), {.offset = 3});
    ASSERT_TRUE(written);
    EXPECT_EQ(written->info.file_size, 5003U);
    EXPECT_EQ(written->info.allocation_size, 8192U);
    EXPECT_GT(written->info.last_write_time, opened->info.last_write_time);
    EXPECT_EQ(host().count(fuse::Opcode::kGetAttr), 0U);
    EXPECT_EQ(info(*opened->file).file_size, 5003U);
    volume().close(opened->file);
}

TEST_F(Files, TimesToldOfANewOrWrittenFile_AreThisGuestsAndStay) {
    const auto now = [] { return file_time_of(host_time_now()); };
    const nt::FileTime before = now();
    const auto made = create(u"\\d\\new", kWrite);
    ASSERT_TRUE(made);
    const nt::FileInfo told = info(*made->file);
    for (const nt::FileTime time : {told.last_access_time, told.last_write_time}) {
        EXPECT_GE(time, before);
        EXPECT_LE(time, now());
    }
    ASSERT_TRUE(write(*made->file, "text"));
    const nt::FileInfo written = info(*made->file);
    EXPECT_GT(written.last_write_time, told.last_write_time);
    const fuse::Attr attr = *host().attributes("d/new");
    EXPECT_EQ(written.last_write_time, file_time_of({.seconds = attr.mtime, .nanoseconds = attr.mtimensec}));
    EXPECT_EQ(host().count(fuse::Opcode::kSetAttr), 2U);
    EXPECT_EQ(info(*made->file), written);
    EXPECT_EQ(host().count(fuse::Opcode::kSetAttr), 2U);
    volume().close(made->file);
}

TEST_F(Files, SpaceSetAside_GoesBackAtCleanup) {
    const auto made = volume().create(u"\\d\\new", {.granted_access = kWrite, .allocation_size = 65536});
    ASSERT_TRUE(made);
    EXPECT_EQ(made->info.allocation_size, 65536U);
    ASSERT_TRUE(write(*made->file, "text"));
    host().append("d/new", "more");
    volume().cleanup(*made->file, u"", {.set_allocation_size = true});
    EXPECT_EQ(info(*made->file).allocation_size, 4096U);
    volume().close(made->file);
    EXPECT_EQ(host().content("d/new"), "textmore");
}

TEST_F(Files, SetSize_CutsExtendsAndAllocates) {
    const auto opened = open(u"\\d\\f", kWrite);
    ASSERT_TRUE(opened);
    EXPECT_EQ(volume().set_size(*opened->file, 4, SizeKind::kEndOfFile)->file_size, 4U);
    EXPECT_EQ(volume().set_size(*opened->file, 6, SizeKind::kEndOfFile)->file_size, 6U);
    EXPECT_EQ(volume().set_size(*opened->file, 2, SizeKind::kAllocation)->file_size, 2U);
    const auto allocated = volume().set_size(*opened->file, 65536, SizeKind::kAllocation);
    EXPECT_EQ(allocated->file_size, 2U);
    EXPECT_EQ(allocated->allocation_size, 65536U);
    volume().close(opened->file);
    EXPECT_EQ(host().content("d/f"), "01");
}

TEST_F(Files, Allocation_IsAHint) {
    start({.fallocate = false});
    const auto made = volume().create(u"\\f", {.granted_access = kWrite, .allocation_size = 65536});
    ASSERT_TRUE(made);
    EXPECT_TRUE(volume().set_size(*made->file, 65536, SizeKind::kAllocation));
    volume().close(made->file);
    EXPECT_EQ(host().content("f"), "");
}

TEST_F(Files, ReadOnly_IsTheAbsenceOfWriteBits) {
    host().make_file("d/g", "", 0664);
    const auto opened = open(u"\\d\\g", kAttributesOnly);
    ASSERT_TRUE(opened);
    EXPECT_EQ(
        volume().set_basic_info(*opened->file, {.attributes = nt::file_attribute::kReadOnly})->attributes,
        nt::file_attribute::kReadOnly | nt::file_attribute::kArchive);
    EXPECT_EQ(host().attributes("d/g")->mode & 0777, 0444U);
    EXPECT_EQ(volume().can_delete(*opened->file, u"\\d\\g"), nt::fail(Status::kCannotDelete));
    EXPECT_TRUE(volume().set_basic_info(*opened->file, {.attributes = 0U}));
    EXPECT_EQ(host().attributes("d/g")->mode & 0777, 0664U);
    volume().close(opened->file);
}

TEST_F(Files, HiddenAndSystem_AreRefusedWhereAProgramAsksForThem) {
    const auto made = create(u"\\d\\g", kWrite, 0, nt::file_attribute::kHidden);
    ASSERT_TRUE(made);
    EXPECT_THAT(log(), HasSubstr("HIDDEN"));
    EXPECT_EQ(volume().set_basic_info(*made->file, {.attributes = nt::file_attribute::kSystem}).error(),
              Status::kNotSupported);
    volume().close(made->file);
}

TEST_F(Files, Times_AreSetToTheTick) {
    const auto opened = open(u"\\d\\f", kAttributesOnly);
    ASSERT_TRUE(opened);
    const nt::FileTime written = 132'000'000'000'000'001U, accessed = 131'000'000'000'000'009U;
    const auto set = volume().set_basic_info(
        *opened->file, {.attributes = {}, .last_access_time = accessed, .last_write_time = written});
    ASSERT_TRUE(set);
    EXPECT_EQ(set->last_write_time, written);
    EXPECT_EQ(set->last_access_time, accessed);
    volume().close(opened->file);
}

TEST_F(Files, AnOpenFile_SurvivesItsRenameAndRemovalByOthers) {
    const auto opened = open(u"\\d\\f", kReadWrite);
    ASSERT_TRUE(opened);
    host().move("d/f", "g");
    EXPECT_EQ(read(*opened->file, 10), "0123456789");
    host().remove("g");
    EXPECT_TRUE(write(*opened->file, "x"));
    EXPECT_EQ(info(*opened->file).file_size, 10U);
    volume().close(opened->file);
}

TEST_F(Files, AnOpenFile_SurvivesItsRemovalByThisGuestEvenWithoutReference) {
    host().make_directory("many");
    for (int i = 0; i < 200; ++i)
        host().make_file("many/" + std::to_string(i), "data");
    mount(8);  // most of what a listing brings is forgotten at once
    const auto directory = open(u"\\many", kRead);
    ASSERT_TRUE(directory);
    ASSERT_EQ(list(*directory->file).size(), 202U);
    volume().close(directory->file);
    const auto opened = open(u"\\many\\0", kAttributesOnly);
    ASSERT_TRUE(opened);
    EXPECT_EQ(remove(u"\\many\\0"), Status::kSuccess);
    EXPECT_EQ(info(*opened->file).file_size, 4U);
    volume().close(opened->file);
}

TEST_F(Files, Rename_OfANameThatAnotherFileTook_LeavesThatAlone) {
    const auto opened = open(u"\\d\\f", kDelete);
    ASSERT_TRUE(opened);
    ASSERT_EQ(rename(u"\\d\\f", u"\\d\\g"), Status::kSuccess);
    const auto other = create(u"\\d\\f", kWrite);
    ASSERT_TRUE(other);
    EXPECT_EQ(volume().rename(*opened->file, u"\\d\\f", u"\\d\\h", false),
              nt::fail(Status::kObjectNameNotFound));
    EXPECT_EQ(host().content("d/f"), "");
    volume().close(opened->file);
    volume().close(other->file);
}

TEST_F(Files, Remove_OfANonEmptyDirectory_IsRefused) {
    EXPECT_EQ(remove(u"\\d", nt::create_option::kDirectoryFile), Status::kDirectoryNotEmpty);
    EXPECT_EQ(remove(u"\\d\\f"), Status::kSuccess);
    EXPECT_EQ(remove(u"\\d", nt::create_option::kDirectoryFile), Status::kSuccess);
    EXPECT_EQ(volume().attributes_of(u"\\d"), nt::fail(Status::kObjectNameNotFound));
}

TEST_F(Files, Remove_OfANameThatAnotherFileTook_LeavesThatAlone) {
    const auto opened = open(u"\\d\\f", kDelete);
    ASSERT_TRUE(opened);
    ASSERT_EQ(rename(u"\\d\\f", u"\\d\\g"), Status::kSuccess);
    const auto other = create(u"\\d\\f", kWrite);
    ASSERT_TRUE(other);
    volume().cleanup(*opened->file, u"\\d\\f", {.remove = true});
    EXPECT_EQ(host().content("d/f"), "");
    volume().close(opened->file);
    volume().close(other->file);
}

TEST_F(Files, RemoveAndRename_OfANameWithoutReference_WorkOnAHostThatNeedsOne) {
    start({.needs_references = true});
    host().make_directory("many");
    for (int i = 0; i < 200; ++i)
        host().make_file("many/" + std::to_string(i), "data");
    mount(8);
    const auto directory = open(u"\\many", kRead);
    ASSERT_TRUE(directory);
    ASSERT_EQ(list(*directory->file).size(), 202U);
    volume().close(directory->file);
    host().reset();
    EXPECT_EQ(remove(u"\\many\\0"), Status::kSuccess);
    EXPECT_EQ(host().round_trips(), 2U) << host().summary();
    EXPECT_EQ(rename(u"\\many\\1", u"\\many\\x"), Status::kSuccess);
    host().remove("many/2");
    EXPECT_EQ(rename(u"\\many\\2", u"\\many\\y"), Status::kObjectNameNotFound);
}

TEST_F(Files, StaleNames_AreLookedUpAgain) {
    ASSERT_TRUE(volume().attributes_of(u"\\d\\f"));
    host().move("d", "old");
    host().make_directory("d");
    host().remove("old/f");
    host().remove("old");
    const auto made = create(u"\\d\\new", kWrite);  // the known "d" is gone: ENOENT
    ASSERT_TRUE(made);
    volume().close(made->file);
    EXPECT_THAT(host().names("d"), ElementsAre("new"));
}

TEST_F(Files, Flush_ReachesTheHost) {
    const auto opened = open(u"\\d\\f", kWrite);
    ASSERT_TRUE(opened);
    ASSERT_TRUE(write(*opened->file, "x"));
    EXPECT_TRUE(volume().flush(*opened->file));
    EXPECT_EQ(host().count(fuse::Opcode::kFsync), 1U);
    EXPECT_TRUE(volume().flush_volume());
    EXPECT_EQ(host().count(fuse::Opcode::kSyncfs), 1U);
    volume().close(opened->file);
}

TEST_F(Files, FlushVolume_WithoutSyncfs_FlushesEveryWrittenFile) {
    start({.syncfs = false});
    host().make_file("f", "1");
    host().make_file("g", "1");
    const auto written = open(u"\\f", kWrite);
    const auto untouched = open(u"\\g", kWrite);
    ASSERT_TRUE(written && untouched);
    ASSERT_TRUE(write(*written->file, "x"));
    EXPECT_TRUE(volume().flush_volume());
    EXPECT_TRUE(volume().flush_volume());
    EXPECT_EQ(host().count(fuse::Opcode::kFsync), 2U);
    EXPECT_EQ(host().count(fuse::Opcode::kSyncfs), 1U);  // asked once, remembered
    volume().close(written->file);
    volume().close(untouched->file);
}

TEST_F(Files, VolumeInfo_HonoursFragmentSizeAndReservedBlocks) {
    const auto space = volume().volume_info();
    ASSERT_TRUE(space);
    EXPECT_EQ(space->total_bytes, 1000U * 4096);
    EXPECT_EQ(space->free_bytes, 500U * 4096);
}

TEST_F(Files, Fifos_AreNeverOpenedOnTheHost) {
    host().make_special("pipe", fuse::mode::kFifo | 0644);
    EXPECT_EQ(open(u"\\pipe", kRead).error(), Status::kAccessDenied);
    const auto opened = open(u"\\pipe", kAttributesOnly);
    ASSERT_TRUE(opened);
    EXPECT_EQ(read(*opened->file, 1), nt::fail(Status::kAccessDenied));
    volume().close(opened->file);
}

class Renames : public Files, public testing::WithParamInterface<HostOptions> {
  protected:
    void SetUp() override {
        start(GetParam());
        host().make_directory("d");
        host().make_directory("e");
        host().make_file("d/f", "f");
        host().make_file("d/g", "g");
    }
};

INSTANTIATE_TEST_SUITE_P(Hosts, Renames,
                         testing::Values(HostOptions{}, HostOptions{.no_replace = false},
                                         HostOptions{.no_replace = false, .hard_links = false}));

TEST_P(Renames, MoveAFile) {
    EXPECT_EQ(rename(u"\\d\\f", u"\\e\\x"), Status::kSuccess);
    EXPECT_THAT(host().names("d"), ElementsAre("g"));
    EXPECT_EQ(host().content("e/x"), "f");
    EXPECT_EQ(volume().attributes_of(u"\\d\\f"), nt::fail(Status::kObjectNameNotFound));
    EXPECT_TRUE(volume().attributes_of(u"\\e\\x"));
}

TEST_P(Renames, WithoutReplace_NeverReplaces) {
    EXPECT_EQ(rename(u"\\d\\f", u"\\d\\g"), Status::kObjectNameCollision);
    EXPECT_EQ(rename(u"\\d", u"\\e"), Status::kObjectNameCollision);
    EXPECT_EQ(host().content("d/g"), "g");
    EXPECT_THAT(host().names("d"), ElementsAre("f", "g"));
}

TEST_P(Renames, WithReplace_ReplacesFilesAndNoDirectories) {
    EXPECT_EQ(rename(u"\\d\\f", u"\\d\\g", true), Status::kSuccess);
    EXPECT_EQ(host().content("d/g"), "f");
    EXPECT_EQ(rename(u"\\d\\g", u"\\e", true), Status::kAccessDenied);
    EXPECT_EQ(rename(u"\\d", u"\\e", true), Status::kAccessDenied);
    EXPECT_THAT(host().names(""), ElementsAre("d", "e"));
}

TEST_P(Renames, OfADirectory_TakesWhatIsKnownBelowAlong) {
    ASSERT_TRUE(volume().attributes_of(u"\\d\\f"));
    EXPECT_EQ(rename(u"\\d", u"\\e\\x"), Status::kSuccess);
    host().reset();
    EXPECT_TRUE(volume().attributes_of(u"\\e\\x\\f"));
    EXPECT_EQ(host().round_trips(), 0U) << host().summary();
    EXPECT_EQ(volume().attributes_of(u"\\d\\f"), nt::fail(Status::kObjectPathNotFound));
}

class Listings : public VolumeTest, public testing::WithParamInterface<bool> {
  protected:
    void SetUp() override { start({.read_dir_plus = GetParam()}); }
};

INSTANTIATE_TEST_SUITE_P(PlusOrNot, Listings, testing::Bool());

TEST_P(Listings, AreSortedByUtf16Units) {
    host().make_directory("d");
    for (const char* name : {"b", "a", "B", "!x", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD"}) {
        host().make_file("d/" + std::string(name), "");
    }
    const auto opened = open(u"\\d", kRead);
    ASSERT_TRUE(opened);
    EXPECT_THAT(list(*opened->file),
                ElementsAre(u".", u"..", u"!x", u"B", u"a", u"b", u"\U0001F600", u"\uFFFD"));
    volume().close(opened->file);
}

TEST_P(Listings, GoOnAfterAMarkerThatIsGone) {
    for (const char* name : {"a", "b", "c"})
        host().make_file(name, "");
    const auto opened = open(u"\\", kRead);
    ASSERT_TRUE(opened);
    EXPECT_THAT(list(*opened->file), ElementsAre(u"a", u"b", u"c"));
    EXPECT_THAT(list(*opened->file, u"a"), ElementsAre(u"b", u"c"));
    EXPECT_THAT(list(*opened->file, u"aa"), ElementsAre(u"b", u"c"));
    host().remove("a");
    EXPECT_THAT(list(*opened->file), ElementsAre(u"b", u"c"));
    volume().close(opened->file);
}

TEST_P(Listings, GiveAttributesAndStopWhenFull) {
    host().make_file("a", "12345");
    host().make_directory("b");
    host().make_special("c", fuse::mode::kSymlink | 0777);
    const auto opened = open(u"\\", kRead);
    ASSERT_TRUE(opened);
    std::vector<nt::FileInfo> infos;
    const auto done = volume().read_directory(*opened->file, std::nullopt, [&](const DirectoryEntry& entry) {
        infos.push_back(entry.info);
        return infos.size() < 3;
    });
    EXPECT_EQ(done, false);
    ASSERT_EQ(infos.size(), 3U);
    EXPECT_EQ(infos[0].file_size, 5U);
    EXPECT_EQ(infos[1].attributes, nt::file_attribute::kDirectory);
    EXPECT_EQ(infos[2].reparse_tag, nt::kReparseTagSymlink);
    EXPECT_EQ(volume().entry_of(*opened->file, u"a")->file_size, 5U);
    EXPECT_EQ(volume().entry_of(*opened->file, u"no"), nt::fail(Status::kObjectNameNotFound));
    volume().close(opened->file);
}

TEST_P(Listings, ShowEveryHostNameSoThatItCanBeOpened) {
    for (const char* name : {"a:b", "caf\xE9", "dot.", "a\xEF\x80\xBA", "a:"})
        host().make_file(name, "x");
    const auto directory = open(u"\\", kRead);
    ASSERT_TRUE(directory);
    const auto names = list(*directory->file);
    volume().close(directory->file);
    EXPECT_EQ(names.size(), 5U);
    for (const std::u16string& name : names) {
        const auto opened = open(u"\\" + name, kRead);
        ASSERT_TRUE(opened);
        EXPECT_EQ(read(*opened->file, 1), "x");
        volume().close(opened->file);
    }
}

TEST_P(Listings, OfManyFiles_KeepFewReferences) {
    for (int d = 0; d < 5; ++d) {
        const std::string directory = "d" + std::to_string(d);
        host().make_directory(directory);
        for (int i = 0; i < 500; ++i)
            host().make_file(directory + "/f" + std::to_string(i), "");
    }
    mount(300);
    for (int d = 0; d < 5; ++d) {
        const auto opened = open(u"\\d" + std::u16string(1, static_cast<char16_t>('0' + d)), kRead);
        ASSERT_TRUE(opened);
        EXPECT_EQ(list(*opened->file).size(), 502U);
        volume().close(opened->file);
    }
    EXPECT_LE(host().most_referenced(), 310U);
}

}  // namespace
}  // namespace guest::test
