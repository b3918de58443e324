#include "fuse/request.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace fuse {
namespace {

std::string gather(std::span<const std::span<const std::byte>> pieces) {
    std::string all;
    for (const auto piece : pieces)
        all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return all;
}

InHeader header_in(const std::string& bytes) {
    InHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    return header;
}

TEST(Request, WithoutArguments_IsHeaderAndName) {
    Request<> request(
        {.opcode = Opcode::kLookup, .node = kRootNodeId, .unique = 7, .uid = 1, .gid = 2, .pid = 3});
    ASSERT_TRUE(request.add_name("file"));
    const std::string bytes = gather(request.pieces());
    ASSERT_EQ(bytes.size(), sizeof(InHeader) + 5);
    const InHeader header = header_in(bytes);
    EXPECT_EQ(header.len, bytes.size());
    EXPECT_EQ(header.opcode, Opcode::kLookup);
    EXPECT_EQ(header.unique, 7U);
    EXPECT_EQ(header.node, kRootNodeId);
    EXPECT_EQ(header.uid, 1U);
    EXPECT_EQ(header.gid, 2U);
    EXPECT_EQ(header.pid, 3U);
    EXPECT_EQ(bytes.substr(sizeof(InHeader)), std::string("file\0", 5));
}

TEST(Request, WithTwoNames_KeepsTheirOrder) {
    Request<Rename2In> request({.opcode = Opcode::kRename2},
                               {.newdir = NodeId{5}, .flags = kRenameNoReplace});
    ASSERT_TRUE(request.add_name("old"));
    ASSERT_TRUE(request.add_name("newer"));
    const std::string bytes = gather(request.pieces());
    EXPECT_EQ(bytes.substr(sizeof(InHeader) + sizeof(Rename2In)), std::string("old\0newer\0", 10));
    EXPECT_EQ(header_in(bytes).len, bytes.size());
    EXPECT_FALSE(request.add_payload({}) && request.add_name("third"));
}

TEST(Request, WithPayload_RefersToItWithoutCopying) {
    const std::vector<std::byte> data(100, std::byte{9});
    Request<WriteIn> request({.opcode = Opcode::kWrite}, {.fh = FileHandle{3}, .size = 100});
    ASSERT_TRUE(request.add_payload(data));
    ASSERT_EQ(request.pieces().size(), 3U);
    EXPECT_EQ(request.pieces()[0].size(), sizeof(InHeader));
    EXPECT_EQ(request.pieces()[1].size(), sizeof(WriteIn));
    EXPECT_EQ(request.pieces()[2].data(), data.data());
    EXPECT_EQ(request.header().len, sizeof(InHeader) + sizeof(WriteIn) + 100);
}

TEST(Request, UniqueSetLater_IsOnTheWire) {
    Request<> request({.opcode = Opcode::kStatfs});
    request.set_unique(99);
    EXPECT_EQ(header_in(gather(request.pieces())).unique, 99U);
}

TEST(Request, NameThatIsNoComponent_IsRefused) {
    Request<> request({.opcode = Opcode::kLookup});
    EXPECT_FALSE(request.add_name(""));
    EXPECT_FALSE(request.add_name("a/b"));
    EXPECT_FALSE(request.add_name(std::string_view("a\0b", 3)));
    EXPECT_FALSE(request.add_string(std::string_view("a\0b", 3)));
    EXPECT_EQ(request.header().len, sizeof(InHeader));
    EXPECT_TRUE(request.add_string("../target/with/slashes"));
}

TEST(Request, ThatWouldExceed32Bits_IsRefused) {
    Request<WriteIn> request({.opcode = Opcode::kWrite});
    std::byte one{};
    const std::span<const std::byte> huge(&one, std::size_t{UINT32_MAX} - 20);  // only its size is looked at
    EXPECT_FALSE(request.add_payload(huge));
    EXPECT_TRUE(request.add_payload(std::span(&one, 1)));
}

}  // namespace
}  // namespace fuse
