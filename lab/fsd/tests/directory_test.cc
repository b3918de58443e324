#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

struct ClassLayout {
    std::uint32_t information_class;
    std::size_t size;
    std::size_t name_length;
    std::size_t name;
};

constexpr ClassLayout kNamesClass{file_class::kNames, 16, 8, 12};
constexpr ClassLayout kIdBoth{file_class::kIdBothDirectory, 112, 60, 104};
constexpr ClassLayout kClasses[] = {{file_class::kDirectory, 72, 60, 64},
                                    {file_class::kFullDirectory, 72, 60, 68},
                                    {file_class::kIdFullDirectory, 88, 60, 80},
                                    {file_class::kBothDirectory, 96, 60, 94},
                                    kIdBoth,
                                    kNamesClass};

class Directory : public FsdTest {
  protected:
    // The names in a buffer that a query filled.
    static std::vector<std::u16string> names(const Buffer& buffer, const IoStatus& io,
                                             const ClassLayout& entry) {
        std::vector<std::u16string> result;
        for (std::size_t at = 0; io.information != 0;) {
            EXPECT_EQ(at % 8, 0U);
            result.push_back(buffer.text(at + entry.name, buffer.get<std::uint32_t>(at + entry.name_length)));
            const auto next = buffer.get<std::uint32_t>(at);
            if (next == 0) {
                EXPECT_EQ(at + entry.name + 2 * result.back().size(), io.information);
                break;
            }
            at += next;
        }
        return result;
    }
    // Queries to the end.
    std::vector<std::u16string> list(FileId directory, std::optional<std::u16string_view> pattern,
                                     std::size_t bytes = 4096, const ClassLayout& entry = kNamesClass) {
        std::vector<std::u16string> all;
        bool restart = true;
        for (;;) {
            Buffer buffer(bytes);
            const IoStatus io = fsd_->query_directory(
                directory,
                {.information_class = entry.information_class, .pattern = pattern, .restart_scan = restart},
                buffer.span());
            restart = false;
            last_ = io.status;
            if (io.status != Status::kSuccess) return all;
            for (std::u16string& name : names(buffer, io, entry))
                all.push_back(std::move(name));
        }
    }
    IoStatus query(FileId directory, Buffer& buffer, DirectoryQuery query) {
        if (query.information_class == 0) query.information_class = file_class::kNames;
        return fsd_->query_directory(directory, query, buffer.span());
    }
    void populate() {
        make_directory(u"\\d");
        for (const auto* name : {u"\\d\\a.txt", u"\\d\\b.dat", u"\\d\\c.txt", u"\\d\\noext"})
            make_file(name);
    }
    Status last_ = Status::kSuccess;
};

TEST_F(Directory, EveryClass_ListsTheSameNames) {
    populate();
    const FileId directory = open_directory(u"\\d");
    for (const ClassLayout& entry : kClasses) {
        EXPECT_THAT(list(directory, std::nullopt, 4096, entry),
                    ElementsAre(u".", u"..", u"a.txt", u"b.dat", u"c.txt", u"noext"))
            << entry.information_class;
        EXPECT_EQ(last_, Status::kNoMoreFiles);
    }
    fsd_->close_handle(directory);
}

TEST_F(Directory, SmallBuffers_GiveEveryNameOnce) {
    make_directory(u"\\d");
    std::vector<std::u16string> expected = {u".", u".."};
    for (int i = 100; i < 300; ++i) {
        std::u16string name = u"file";
        for (const char digit : std::to_string(i))
            name += static_cast<char16_t>(digit);
        make_file(u"\\d\\" + name);
        expected.push_back(name);
    }
    const FileId directory = open_directory(u"\\d");
    for (const ClassLayout& entry : kClasses) {
        EXPECT_EQ(list(directory, std::nullopt, 256, entry), expected) << entry.information_class;
    }
    fsd_->close_handle(directory);
}

TEST_F(Directory, Entry_CarriesTheFilesInformation) {
    make_directory(u"\\d");
    make_file(u"\\d\\a", "12345");
    const FileId directory = open_directory(u"\\d");
    Buffer buffer(256);
    EXPECT_EQ(
        query(directory, buffer, {.information_class = file_class::kIdBothDirectory, .pattern = u"a"}).status,
        Status::kSuccess);
    EXPECT_NE(buffer.get<std::uint64_t>(8), 0U);
    EXPECT_EQ(buffer.get<std::uint64_t>(40), 5U);
    EXPECT_EQ(buffer.get<std::uint64_t>(48), 512U);
    EXPECT_EQ(buffer.get<std::uint32_t>(56), attribute::kArchive);
    EXPECT_EQ(buffer.get<std::uint8_t>(68), 0U);
    EXPECT_NE(buffer.get<std::uint64_t>(96), 0U);
    fsd_->close_handle(directory);
}

TEST_F(Directory, Pattern_Filters) {
    populate();
    const FileId directory = open_directory(u"\\d");
    EXPECT_THAT(list(directory, u"*.txt"), ElementsAre(u"a.txt", u"c.txt"));
    EXPECT_THAT(list(directory, u"<.dat"), ElementsAre(u"b.dat"));
    EXPECT_THAT(list(directory, u"?.?x?"), ElementsAre(u"a.txt", u"c.txt"));
    EXPECT_THAT(list(directory, u"no"), IsEmpty());
    EXPECT_EQ(last_, Status::kNoSuchFile);
    EXPECT_THAT(list(directory, u"A.TXT"), IsEmpty());
    fsd_->close_handle(directory);
}

TEST_F(Directory, Pattern_IgnoresCaseWhereTheVolumeDoes) {
    mount({.case_sensitive_search = false}, {});
    populate();
    const FileId directory = open_directory(u"\\d");
    EXPECT_THAT(list(directory, u"*.TXT"), ElementsAre(u"a.txt", u"c.txt"));
    fsd_->close_handle(directory);
}

TEST_F(Directory, PatternOfTheFirstQuery_Sticks) {
    populate();
    const FileId directory = open_directory(u"\\d");
    Buffer buffer(4096);
    EXPECT_THAT(
        names(buffer, query(directory, buffer, {.pattern = u"a*", .return_single_entry = true}), kNamesClass),
        ElementsAre(u"a.txt"));
    EXPECT_EQ(query(directory, buffer, {.pattern = u"*"}).status, Status::kNoMoreFiles);
    EXPECT_THAT(names(buffer, query(directory, buffer, {.restart_scan = true}), kNamesClass),
                ElementsAre(u"a.txt"));
    EXPECT_THAT(
        names(buffer, query(directory, buffer, {.pattern = u"b*", .restart_scan = true}), kNamesClass),
        ElementsAre(u"b.dat"));
    fsd_->close_handle(directory);
}

TEST_F(Directory, SingleEntry_GivesOneAtATime) {
    populate();
    const FileId directory = open_directory(u"\\d");
    Buffer buffer(4096);
    const DirectoryQuery single{.return_single_entry = true};
    for (const auto* name : {u".", u"..", u"a.txt"}) {
        EXPECT_THAT(names(buffer, query(directory, buffer, single), kNamesClass), ElementsAre(name));
    }
    fsd_->close_handle(directory);
}

TEST_F(Directory, NothingFoundAtFirst_IsNoSuchFile) {
    make_directory(u"\\d");
    const FileId directory = open_directory(u"\\d");
    Buffer buffer(4096);
    EXPECT_EQ(query(directory, buffer, {.pattern = u"x*"}).status, Status::kNoSuchFile);
    EXPECT_EQ(query(directory, buffer, {}).status, Status::kNoSuchFile);
    make_file(u"\\d\\x1");
    EXPECT_EQ(query(directory, buffer, {}).status, Status::kSuccess);
    EXPECT_EQ(query(directory, buffer, {}).status, Status::kNoMoreFiles);
    const FileId root = open_directory(u"\\");
    EXPECT_THAT(list(root, std::nullopt), ElementsAre(u"d"));
    fsd_->close_handle(directory);
    fsd_->close_handle(root);
}

TEST_F(Directory, FirstNameThatDoesNotFit_IsCutOffAndConsumed) {
    make_directory(u"\\d");
    make_file(u"\\d\\a-name-of-some-length");
    make_file(u"\\d\\b");
    const FileId directory = open_directory(u"\\d");
    Buffer buffer(112);
    const IoStatus io =
        query(directory, buffer, {.information_class = file_class::kIdBothDirectory, .pattern = u"*e*"});
    EXPECT_EQ(io.status, Status::kBufferOverflow);
    EXPECT_EQ(io.information, 112U);
    EXPECT_EQ(buffer.get<std::uint32_t>(60), 42U);
    EXPECT_EQ(buffer.text(104, 8), u"a-na");
    EXPECT_EQ(query(directory, buffer, {.information_class = file_class::kIdBothDirectory}).status,
              Status::kNoMoreFiles);
    Buffer small(111);
    EXPECT_EQ(query(directory, small, {.information_class = file_class::kIdBothDirectory}).status,
              Status::kInfoLengthMismatch);
    fsd_->close_handle(directory);
}

TEST_F(Directory, EntriesGoneMeanwhile_DoNotDisturbTheScan) {
    populate();
    const FileId directory = open_directory(u"\\d");
    Buffer buffer(4096);
    for (int i = 0; i < 3; ++i)
        query(directory, buffer, {.return_single_entry = true});
    const FileId victim = open(u"\\d\\a.txt");
    set_disposition(victim, true);
    fsd_->close_handle(victim);
    EXPECT_THAT(names(buffer, query(directory, buffer, {}), kNamesClass),
                ElementsAre(u"b.dat", u"c.txt", u"noext"));
    fsd_->close_handle(directory);
}

TEST_F(Directory, Misuse_IsRefused) {
    const FileId file = open(u"\\a");
    const FileId directory = open_directory(u"\\d");
    const FileId blind = open(u"\\d", access::kReadAttributes);
    Buffer buffer(4096);
    EXPECT_EQ(query(file, buffer, {}).status, Status::kInvalidParameter);
    EXPECT_EQ(query(directory, buffer, {.information_class = file_class::kBasic}).status,
              Status::kInvalidInfoClass);
    EXPECT_EQ(query(directory, buffer, {.pattern = u"a\\b"}).status, Status::kObjectNameInvalid);
    EXPECT_EQ(query(directory, buffer, {.pattern = std::u16string(256, u'a')}).status,
              Status::kObjectNameInvalid);
    EXPECT_EQ(query(blind, buffer, {}).status, Status::kAccessDenied);
    for (const FileId id : {file, directory, blind})
        fsd_->close_handle(id);
}

TEST_F(Directory, NameWithoutWildcards_IsLookedUpWhereTheVolumePassesNames) {
    mount({.case_sensitive_search = false, .pass_query_directory_file_name = true}, {});
    populate();
    const FileId directory = open_directory(u"\\d");
    memory_->take_calls();
    EXPECT_THAT(list(directory, u"A.TXT"), ElementsAre(u"a.txt"));
    EXPECT_THAT(list(directory, u"missing"), IsEmpty());
    EXPECT_EQ(last_, Status::kNoSuchFile);
    EXPECT_THAT(memory_->take_calls(), ElementsAre("entry_by_name \\d", "entry_by_name \\d"));
    fsd_->close_handle(directory);
}

TEST_F(Directory, NameWithoutWildcards_IsReadWhereTheFileSystemCannotLookUp) {
    mount({.pass_query_directory_file_name = true}, {.has_entry_by_name = false});
    populate();
    const FileId directory = open_directory(u"\\d");
    EXPECT_THAT(list(directory, u"c.txt"), ElementsAre(u"c.txt"));
    fsd_->close_handle(directory);
}

}  // namespace
}  // namespace lab::fsd
