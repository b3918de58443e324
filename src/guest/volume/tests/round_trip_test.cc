// How many messages are waited for, through the calls that WinFsp makes for what a program does.
#include "guest/volume/tests/volume_fixture.h"

namespace guest::test {
namespace {

constexpr std::u16string_view kPath = u"\\a\\b\\c\\file";

class RoundTrips : public VolumeTest {
  protected:
    void SetUp() override {
        start();
        host().make_directory("a");
        host().make_directory("a/b");
        host().make_directory("a/b/c");
        host().make_file("a/b/c/file", std::string(4096, 'x'));
    }
    void know(std::u16string_view path) {
        ASSERT_TRUE(volume().attributes_of(path));
        host().reset();
    }
    void expect(std::size_t trips) { EXPECT_EQ(host().round_trips(), trips) << host().summary(); }
    void get_attributes(std::u16string_view path) {
        const auto opened = open(path, kAttributesOnly);
        ASSERT_TRUE(opened);
        ASSERT_TRUE(volume().file_info(*opened->file));
        volume().close(opened->file);
    }
};

TEST_F(RoundTrips, GettingAttributes_TakesOneForEachComponentAndNoneWithinTheLifetime) {
    get_attributes(kPath);
    expect(4);
    host().reset();
    get_attributes(kPath);
    expect(0);
}

TEST_F(RoundTrips, OpenReadClose_TakesSixColdAndTwoWarm) {
    for (const std::size_t trips : {6U, 2U}) {
        const auto opened = open(kPath, kRead);
        ASSERT_TRUE(opened);
        ASSERT_TRUE(volume().file_info(*opened->file));
        EXPECT_EQ(read(*opened->file, 4096), std::string(4096, 'x'));
        volume().close(opened->file);
        expect(trips);
        host().reset();
    }
}

TEST_F(RoundTrips, NewFileInAKnownDirectory_TakesThree) {
    know(u"\\a\\b\\c");
    const auto made = create(u"\\a\\b\\c\\new", kWrite);
    ASSERT_TRUE(made);
    const auto written = write(*made->file, std::string(4096, 'y'));
    ASSERT_TRUE(written);
    EXPECT_EQ(written->info.file_size, 4096U);
    volume().cleanup(*made->file, u"", {.set_archive_bit = true, .set_last_write_time = true});
    volume().close(made->file);
    expect(3);
}

TEST_F(RoundTrips, OverwritingAKnownFile_TakesThree) {
    know(kPath);
    const auto opened = open(kPath, kWrite);
    ASSERT_TRUE(opened);
    ASSERT_TRUE(volume().overwrite(*opened->file, 0, false, 0));
    ASSERT_TRUE(write(*opened->file, std::string(4096, 'y')));
    volume().close(opened->file);
    expect(3);
    EXPECT_EQ(host().content("a/b/c/file"), std::string(4096, 'y'));
}

TEST_F(RoundTrips, DeletingAKnownFile_TakesOne) {
    know(kPath);
    EXPECT_EQ(remove(kPath), nt::Status::kSuccess);
    expect(1);
    EXPECT_FALSE(host().content("a/b/c/file"));
}

TEST_F(RoundTrips, MissingNameInAKnownDirectory_TakesOne) {
    know(u"\\a\\b\\c");
    EXPECT_EQ(volume().attributes_of(u"\\a\\b\\c\\no"), nt::fail(nt::Status::kObjectNameNotFound));
    expect(1);
}

TEST_F(RoundTrips, MakingADirectory_TakesTwo) {
    know(u"\\a\\b\\c");
    const auto made = create(u"\\a\\b\\c\\d", kAttributesOnly, nt::create_option::kDirectoryFile);
    ASSERT_TRUE(made);
    volume().close(made->file);
    expect(2);
}

TEST_F(RoundTrips, RemovingAKnownEmptyDirectory_TakesThree) {
    host().make_directory("a/b/c/d");
    know(u"\\a\\b\\c\\d");
    EXPECT_EQ(remove(u"\\a\\b\\c\\d", nt::create_option::kDirectoryFile), nt::Status::kSuccess);
    expect(3);
}

TEST_F(RoundTrips, RenamingAKnownFile_TakesTwo) {
    know(kPath);
    EXPECT_EQ(volume().attributes_of(u"\\a\\b\\c\\other"), nt::fail(nt::Status::kObjectNameNotFound));
    EXPECT_EQ(rename(kPath, u"\\a\\b\\c\\other"), nt::Status::kSuccess);
    expect(2);
    host().reset();
    get_attributes(u"\\a\\b\\c\\other");
    expect(0);
}

TEST_F(RoundTrips, ListingTenThousandFiles_TakesSixAndTheirAttributesNone) {
    host().make_directory("many");
    for (int i = 0; i < 10000; ++i)
        host().make_file("many/file" + std::to_string(10000 + i), "x");
    know(u"\\many");
    const auto opened = open(u"\\many", kRead, nt::create_option::kDirectoryFile);
    ASSERT_TRUE(opened);
    EXPECT_EQ(list(*opened->file).size(), 10002U);
    expect(6);
    EXPECT_LE(host().count(fuse::Opcode::kReadDirPlus), 5U);
    EXPECT_LE(host().most_referenced(), 4200U);
    volume().close(opened->file);
    host().reset();
    get_attributes(u"\\many\\file10000");
    get_attributes(u"\\many\\file19999");
    expect(0);
}

TEST_F(RoundTrips, LargeReadsAndWrites_TravelAsOneBatch) {
    constexpr std::size_t kPieces = 8;
    const std::string data(kPieces << 20, 'z');
    const auto opened = open(kPath, kReadWrite);
    ASSERT_TRUE(opened);
    for (const auto opcode : {fuse::Opcode::kWrite, fuse::Opcode::kRead}) {
        host().hold(opcode);
        std::thread caller([&] {
            if (opcode == fuse::Opcode::kWrite) {
                EXPECT_TRUE(write(*opened->file, data));
            } else {
                EXPECT_TRUE(read(*opened->file, data.size()) == data);
            }
        });
        host().wait_until_held(kPieces);
        host().let_go();
        caller.join();
        EXPECT_EQ(host().count(opcode), kPieces);
    }
    volume().close(opened->file);
}

TEST_F(RoundTrips, AHostThatGrantsMissingNames_IsBelieved) {
    start({.missing_seconds = 60});
    EXPECT_FALSE(volume().attributes_of(u"\\no"));
    EXPECT_FALSE(volume().attributes_of(u"\\no"));
    expect(1);
    // ...but not against what this guest does itself.
    const auto made = volume().create(u"\\no", {.granted_access = kWrite});
    ASSERT_TRUE(made);
    volume().close(made->file);
    EXPECT_TRUE(volume().attributes_of(u"\\no"));
}

TEST_F(RoundTrips, AHostThatGrantsNothing_IsAskedEveryTime) {
    start({.valid_seconds = 0});
    host().make_file("f", "1");
    EXPECT_TRUE(volume().attributes_of(u"\\f"));
    EXPECT_TRUE(volume().attributes_of(u"\\f"));
    expect(2);
}

}  // namespace
}  // namespace guest::test
