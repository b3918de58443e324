#include "fuse/reply.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "fuse/directory.h"

namespace fuse {
namespace {

template <typename T>
void append(std::vector<std::byte>& bytes, const T& value) {
    const auto raw = std::as_bytes(std::span(&value, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
}

std::vector<std::byte> reply(const OutHeader& header, std::size_t body_bytes) {
    std::vector<std::byte> bytes;
    append(bytes, header);
    bytes.resize(bytes.size() + body_bytes);
    return bytes;
}

ParseError error_of(const OutHeader& header, std::size_t body_bytes) {
    const auto parsed = parse_reply(reply(header, body_bytes), 5);
    return parsed ? ParseError{255} : parsed.error();
}

TEST(Reply, Success_HasTheBodyThatTheHeaderSpeaksOf) {
    const auto bytes = reply({.len = 24, .error = 0, .unique = 5}, 100);
    const auto parsed = parse_reply(bytes, 5);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->error, Errno::kNone);
    EXPECT_EQ(parsed->body.size(), 8U);
}

TEST(Reply, Failure_HasAnErrnoAndNoBody) {
    const auto bytes = reply({.len = 24, .error = -2, .unique = 5}, 8);
    const auto parsed = parse_reply(bytes, 5);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->error, Errno::kENOENT);
    EXPECT_TRUE(parsed->body.empty());
}

TEST(Reply, BrokenHeaders_AreToldApart) {
    EXPECT_EQ(parse_reply({}, 5).error(), ParseError::kTooShort);
    EXPECT_EQ(parse_reply(std::vector<std::byte>(15), 5).error(), ParseError::kTooShort);
    EXPECT_EQ(error_of({.len = 15, .error = 0, .unique = 5}, 0), ParseError::kBadLength);
    EXPECT_EQ(error_of({.len = 17, .error = 0, .unique = 5}, 0), ParseError::kBadLength);
    EXPECT_EQ(error_of({.len = UINT32_MAX, .error = 0, .unique = 5}, 8), ParseError::kBadLength);
    EXPECT_EQ(error_of({.len = 16, .error = 0, .unique = 6}, 0), ParseError::kWrongUnique);
    EXPECT_EQ(error_of({.len = 16, .error = 1, .unique = 5}, 0), ParseError::kBadErrno);
    EXPECT_EQ(error_of({.len = 16, .error = -4096, .unique = 5}, 0), ParseError::kBadErrno);
    EXPECT_EQ(error_of({.len = 16, .error = INT32_MIN, .unique = 5}, 0), ParseError::kBadErrno);
    EXPECT_TRUE(parse_reply(reply({.len = 16, .error = -4095, .unique = 5}, 0), 5));
}

TEST(Reply, FixedBody_ToleratesLongerAndRefusesShorter) {
    const std::vector<std::byte> bytes(sizeof(OpenOut) + 8, std::byte{1});
    const auto open = read_fixed<OpenOut>(bytes);
    ASSERT_TRUE(open);
    EXPECT_EQ(open->fh, FileHandle{0x0101010101010101});
    EXPECT_EQ(read_fixed<OpenOut>(std::span(bytes).first(15)).error(), ParseError::kTooShort);
}

TEST(InitReply, OldForms_HaveZerosInTheFieldsTheyLack) {
    std::vector<std::byte> bytes;
    append(bytes, InitOut{.major = 7,
                          .minor = 38,
                          .max_readahead = 1,
                          .flags = static_cast<std::uint32_t>(init_flag::kInitExt),
                          .max_background = 2,
                          .max_write = 3,
                          .time_gran = 4,
                          .max_pages = 5,
                          .flags2 = 6});
    const auto whole = parse_init_reply(bytes);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->max_pages, 5U);
    EXPECT_EQ(init_flags(*whole), init_flag::kInitExt | 6ULL << 32);
    const auto middle = parse_init_reply(std::span(bytes).first(40));
    ASSERT_TRUE(middle);
    EXPECT_EQ(middle->max_write, 3U);
    EXPECT_EQ(middle->time_gran, 0U);
    EXPECT_EQ(middle->flags2, 0U);
    const auto small = parse_init_reply(std::span(bytes).first(8));
    ASSERT_TRUE(small);
    EXPECT_EQ(small->minor, 38U);
    EXPECT_EQ(small->max_readahead, 0U);
    EXPECT_EQ(parse_init_reply(std::span(bytes).first(7)).error(), ParseError::kTooShort);
}

TEST(InitReply, FlagsBeyond32_CountOnlyWithInitExt) {
    std::vector<std::byte> bytes;
    append(bytes, InitOut{.major = 7, .minor = 38, .flags2 = 6});
    EXPECT_EQ(init_flags(*parse_init_reply(bytes)), 0U);
}

TEST(InitReply, OtherMajorVersion_IsRefused) {
    std::vector<std::byte> bytes;
    append(bytes, InitOut{.major = 8});
    EXPECT_EQ(parse_init_reply(bytes).error(), ParseError::kBadVersion);
}

TEST(Attributes, ImpossibleOnes_AreNotPlausible) {
    EXPECT_TRUE(is_plausible({.mode = mode::kRegular | 0644}));
    EXPECT_TRUE(is_plausible({.size = INT64_MAX, .mode = mode::kDirectory}));
    EXPECT_FALSE(is_plausible({.mode = 0644}));
    EXPECT_FALSE(is_plausible({.size = 1ULL << 63, .mode = mode::kRegular}));
    EXPECT_FALSE(is_plausible({.mtimensec = 1'000'000'000, .mode = mode::kRegular}));
}

template <typename Fixed>
void add_record(std::vector<std::byte>& bytes, std::string_view name, std::uint32_t namelen) {
    Fixed fixed;
    if constexpr (std::is_same_v<Fixed, DirentPlus>) {
        fixed.entry.node = NodeId{77};
        fixed.dirent.namelen = namelen;
        fixed.dirent.off = bytes.size();
    } else {
        fixed.namelen = namelen;
        fixed.off = bytes.size();
    }
    append(bytes, fixed);
    for (const char c : name)
        bytes.push_back(static_cast<std::byte>(c));
    while (bytes.size() % 8 != 0)
        bytes.push_back(std::byte{0});
}

TEST(Directory, Records_ComeInOrderThenTheEnd) {
    std::vector<std::byte> bytes;
    for (const std::string_view name : {".", "..", "exactly8", "nine char"}) {
        add_record<Dirent>(bytes, name, static_cast<std::uint32_t>(name.size()));
    }
    DirectoryReader reader(bytes);
    for (const std::string_view name : {".", "..", "exactly8", "nine char"}) {
        const auto record = reader.next();
        ASSERT_TRUE(record && *record);
        EXPECT_EQ((*record)->name, name);
    }
    for (int again = 0; again < 2; ++again) {
        const auto end = reader.next();
        ASSERT_TRUE(end);
        EXPECT_FALSE(*end);
    }
}

TEST(Directory, PlusRecords_CarryTheirEntry) {
    std::vector<std::byte> bytes;
    add_record<DirentPlus>(bytes, "a", 1);
    add_record<DirentPlus>(bytes, std::string(255, 'x'), 255);
    DirectoryPlusReader reader(bytes);
    const auto first = reader.next();
    ASSERT_TRUE(first && *first);
    EXPECT_EQ((*first)->entry.node, NodeId{77});
    const auto second = reader.next();
    ASSERT_TRUE(second && *second);
    EXPECT_EQ((*second)->name.size(), 255U);
    EXPECT_EQ((*second)->dirent.off, 160U);
}

template <typename Fixed, typename Walk>
void expect_bad(std::string_view name, std::uint32_t namelen, ParseError error, std::size_t cut = 0) {
    std::vector<std::byte> bytes;
    add_record<Fixed>(bytes, "good", 4);
    add_record<Fixed>(bytes, name, namelen);
    bytes.resize(bytes.size() - cut);
    Walk walk(bytes);
    const auto good = walk.next();
    ASSERT_TRUE(good && *good);
    for (int again = 0; again < 2; ++again) {
        const auto bad = walk.next();
        ASSERT_FALSE(bad);
        EXPECT_EQ(bad.error(), error);
    }
}

template <typename Fixed, typename Walk>
void expect_all_bad() {
    using enum ParseError;
    expect_bad<Fixed, Walk>("name", 0, kBadName);
    expect_bad<Fixed, Walk>("na/e", 4, kBadName);
    expect_bad<Fixed, Walk>(std::string_view("na\0e", 4), 4, kBadName);
    expect_bad<Fixed, Walk>("name", 1025, kBadName);
    expect_bad<Fixed, Walk>("name", UINT32_MAX, kBadName);
    expect_bad<Fixed, Walk>("name", 1024, kTruncatedRecord);
    expect_bad<Fixed, Walk>("name", 9, kTruncatedRecord);
    expect_bad<Fixed, Walk>("name", 4, kTruncatedRecord, 1);
    expect_bad<Fixed, Walk>("name", 4, kTruncatedRecord, 9);
}

TEST(Directory, BadRecords_AreErrorsThatStay) {
    expect_all_bad<Dirent, DirectoryReader>();
    expect_all_bad<DirentPlus, DirectoryPlusReader>();
}

TEST(Directory, RandomBytes_NeverReachOutside) {
    std::mt19937 random(1);
    for (int round = 0; round < 20'000; ++round) {
        // A heap block of the exact size, so that a sanitizer sees a step beyond it.
        std::vector<std::byte> bytes(random() % 400);
        for (auto& byte : bytes)
            byte = static_cast<std::byte>(random() % 4 == 0 ? random() : 0);
        bytes.shrink_to_fit();
        DirectoryReader reader(bytes);
        std::size_t records = 0;
        for (auto record = reader.next(); record && *record; record = reader.next()) {
            EXPECT_TRUE(is_component((*record)->name));
            ++records;
        }
        EXPECT_LE(records, bytes.size() / 32);
        (void)parse_reply(bytes, 0);
        (void)parse_init_reply(bytes);
    }
}

}  // namespace
}  // namespace fuse
