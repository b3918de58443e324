// What is agreed on at the start, and what requests that are none come to.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::NodeId;
using fuse::Opcode;
namespace init_flag = fuse::init_flag;

class SessionTest : public testing::Test {
  protected:
    static std::uint64_t flags_of(const Answer& answer) {
        const auto out = answer.as<fuse::InitOut>();
        return out.flags | std::uint64_t{out.flags2} << 32;
    }

    TestDirectory directory_;
};

TEST_F(SessionTest, Init_AgreesOnTheOlderSidesMinorVersion) {
    TestGuest guest(directory_.path());
    for (std::uint32_t minor = 31; minor <= 42; ++minor) {
        const auto answer = guest.init(~std::uint64_t{0}, minor);
        ASSERT_EQ(answer.error, Errno::kNone) << minor;
        EXPECT_EQ(answer.body.size(), sizeof(fuse::InitOut));
        EXPECT_EQ(answer.as<fuse::InitOut>().major, 7U);
        EXPECT_EQ(answer.as<fuse::InitOut>().minor, std::min(minor, fuse::kMinorVersion));
    }
}

TEST_F(SessionTest, Init_OfOlderProtocols_IsRefused) {
    TestGuest guest(directory_.path());
    EXPECT_EQ(guest.init(~std::uint64_t{0}, 30).error, Errno::kEPROTO);
    EXPECT_EQ(guest.ask(Opcode::kInit, NodeId{}, fuse::InitIn{.major = 6, .minor = 99}).error,
              Errno::kEPROTO);
    EXPECT_EQ(guest.getattr(fuse::kRootNodeId).error, Errno::kEIO);
}

TEST_F(SessionTest, Init_OfANewerMajorVersion_IsToldOurs) {
    TestGuest guest(directory_.path());
    const auto answer = guest.ask(Opcode::kInit, NodeId{}, fuse::InitIn{.major = 8, .minor = 0});
    EXPECT_EQ(answer.error, Errno::kNone);
    EXPECT_EQ(answer.as<fuse::InitOut>().major, 7U);
    EXPECT_EQ(guest.getattr(fuse::kRootNodeId).error, Errno::kEIO);
}

TEST_F(SessionTest, Init_InItsOldLengthOf16Bytes_IsEnough) {
    TestGuest guest(directory_.path());
    const fuse::InitIn in{.major = 7, .minor = 31, .flags = static_cast<std::uint32_t>(init_flag::kMaxPages)};
    const auto bytes = std::as_bytes(std::span(&in, 1));
    EXPECT_EQ(guest.ask_bytes(Opcode::kInit, NodeId{}, bytes.first(15)).error, Errno::kEINVAL);
    EXPECT_EQ(guest.ask_bytes(Opcode::kInit, NodeId{}, bytes.first(16)).error, Errno::kNone);
}

TEST_F(SessionTest, Flags_AreAgreedOnOnlyIfOffered) {
    TestGuest guest(directory_.path(), {.xattr = true,
                                        .posix_locks = true,
                                        .flock = true,
                                        .writeback = true,
                                        .announce_submounts = true,
                                        .killpriv_v2 = true});
    for (int bit = 0; bit < 64; ++bit) {
        const std::uint64_t offered = std::uint64_t{1} << bit | init_flag::kInitExt;
        const auto answer = guest.init(offered);
        ASSERT_EQ(answer.error, Errno::kNone) << bit;
        EXPECT_EQ(flags_of(answer) & ~offered, 0U) << bit;
    }
}

TEST_F(SessionTest, Flags_OfTheSecondWord_CountOnlyIfItIsAnnounced) {
    TestGuest guest(directory_.path());
    EXPECT_EQ(flags_of(guest.init(~init_flag::kInitExt)) >> 32, 0U);
    EXPECT_NE(flags_of(guest.init()) & init_flag::kCreateSuppGroup, 0U);
}

TEST_F(SessionTest, Options_DecideWhatIsAgreedOn) {
    constexpr std::uint64_t kOptional =
        init_flag::kWritebackCache | init_flag::kSubmounts | init_flag::kPosixAcl |
        init_flag::kHandleKillPrivV2 | init_flag::kPosixLocks | init_flag::kFlockLocks | init_flag::kDontMask;
    TestGuest plain(directory_.path());
    EXPECT_EQ(flags_of(plain.init()) & kOptional, 0U);
    TestGuest all(directory_.path(), {.xattr = true,
                                      .posix_acl = true,
                                      .writeback = true,
                                      .announce_submounts = true,
                                      .killpriv_v2 = true});
    constexpr std::uint64_t kLocks = init_flag::kPosixLocks | init_flag::kFlockLocks;
    EXPECT_EQ(flags_of(all.init()) & kOptional, kOptional & ~kLocks);
    TestGuest bare(directory_.path(), {.readdirplus = false});
    EXPECT_EQ(flags_of(bare.init()) & init_flag::kDoReadDirPlus, 0U);
}

TEST_F(SessionTest, PosixAcls_ThatTheGuestCannotLookAfter_RefuseIt) {
    TestGuest guest(directory_.path(), {.xattr = true, .posix_acl = true});
    EXPECT_EQ(guest.init(~init_flag::kPosixAcl).error, Errno::kEPROTO);
}

// As firmware begins (OVMF's driver).
TEST_F(SessionTest, GuestThatDoesNotSpeakOfPages_IsServedWithSmallerWrites) {
    TestGuest guest(directory_.path());
    const auto answer = guest.init(init_flag::kDoReadDirPlus, 31);
    ASSERT_EQ(answer.error, Errno::kNone);
    EXPECT_EQ(answer.as<fuse::InitOut>().max_write, 131072U);
    EXPECT_EQ(guest.init().as<fuse::InitOut>().max_write, 1U << 20);
    EXPECT_EQ(guest.init().as<fuse::InitOut>().max_pages, 256U);
}

TEST_F(SessionTest, BeforeInitAndAfterDestroy_NothingIsServed) {
    TestGuest guest(directory_.path());
    EXPECT_EQ(guest.getattr(fuse::kRootNodeId).error, Errno::kEIO);
    ASSERT_EQ(guest.init().error, Errno::kNone);
    EXPECT_EQ(guest.getattr(fuse::kRootNodeId).error, Errno::kNone);
    EXPECT_EQ(guest.ask(Opcode::kDestroy, NodeId{}).error, Errno::kNone);
    EXPECT_EQ(guest.getattr(fuse::kRootNodeId).error, Errno::kEIO);
    EXPECT_EQ(guest.server().nodes().size(), 0U);
}

TEST_F(SessionTest, UnknownRequests_AreSaidToBeUnknown) {
    TestGuest guest(directory_.path());
    guest.init();
    for (const std::uint32_t number : {0U, 7U, 37U, 39U, 40U, 48U, 53U, 4096U, UINT32_MAX})
        EXPECT_EQ(guest.ask(Opcode{number}, fuse::kRootNodeId).error, Errno::kENOSYS) << number;
}

TEST_F(SessionTest, RequestsOfEveryLength_AreAnswered) {
    directory_.write("a", "1");
    TestGuest guest(directory_.path(), {.xattr = true, .posix_locks = true, .flock = true});
    guest.init();
    const NodeId file = guest.node("a");
    for (std::uint32_t number = 1; number < fuse::kOpcodeLimit + 2; ++number) {
        const Opcode opcode{number};
        if (opcode == Opcode::kInit || opcode == Opcode::kDestroy || !fuse::has_reply(opcode)) continue;
        for (std::size_t length = 0; length <= 130; ++length) {
            const std::vector<std::byte> bytes(length, std::byte{0xff});
            for (const NodeId node : {file, fuse::kRootNodeId}) {
                const auto answer = guest.ask_bytes(opcode, node, bytes);
                ASSERT_TRUE(answer.replied) << fuse::name_of(opcode) << " " << length;
            }
        }
    }
    EXPECT_EQ(guest.getattr(file).error, Errno::kNone);
}

TEST_F(SessionTest, HeadersThatLie_AreRefused) {
    TestGuest guest(directory_.path());
    guest.init();
    const auto ask = [&](auto change) {
        auto bytes = guest.request_of(Opcode::kLookup, fuse::kRootNodeId, std::string_view("a"));
        fuse::InHeader header;
        std::memcpy(&header, bytes.data(), sizeof header);
        change(header);
        std::memcpy(bytes.data(), &header, sizeof header);
        TestExchange exchange(std::move(bytes), 4096);
        guest.serve(exchange);
        return exchange.answer().error;
    };
    EXPECT_EQ(ask([](auto& header) { header.len = 39; }), Errno::kEINVAL);
    EXPECT_EQ(ask([](auto& header) { header.len = 0; }), Errno::kEINVAL);
    EXPECT_EQ(ask([](auto& header) { ++header.len; }), Errno::kEINVAL);
    EXPECT_EQ(ask([](auto& header) { header.len = UINT32_MAX; }), Errno::kEINVAL);
    EXPECT_EQ(ask([](auto& header) { header.total_extlen = 1; }), Errno::kEINVAL);
    EXPECT_EQ(ask([](auto& header) { header.total_extlen = UINT16_MAX; }), Errno::kEINVAL);
    EXPECT_EQ(ask([](auto&) {}), Errno::kENOENT);
}

TEST_F(SessionTest, RequestsShorterThanAHeaderOrWithoutRoomForAReply_EndWithout) {
    TestGuest guest(directory_.path());
    guest.init();
    for (std::size_t length = 0; length < sizeof(fuse::InHeader); ++length) {
        TestExchange exchange(std::vector<std::byte>(length), 4096);
        guest.serve(exchange);
        EXPECT_FALSE(exchange.answer().replied);
    }
    for (std::size_t room = 0; room < sizeof(fuse::OutHeader); ++room) {
        TestExchange exchange(guest.request_of(Opcode::kGetAttr, fuse::kRootNodeId, fuse::GetAttrIn{}), room);
        guest.serve(exchange);
        EXPECT_FALSE(exchange.answer().replied);
    }
    for (std::size_t room = sizeof(fuse::OutHeader); room < 16 + sizeof(fuse::AttrOut); ++room) {
        TestExchange exchange(guest.request_of(Opcode::kGetAttr, fuse::kRootNodeId, fuse::GetAttrIn{}), room);
        guest.serve(exchange);
        EXPECT_EQ(exchange.answer().error, Errno::kEINVAL);
    }
}

TEST_F(SessionTest, Statfs_TellsOfTheHostsFileSystem) {
    TestGuest guest(directory_.path());
    guest.init();
    const auto out = guest.ask(Opcode::kStatfs, fuse::kRootNodeId).as<fuse::StatfsOut>();
    EXPECT_GT(out.blocks, 0U);
    EXPECT_EQ(out.namelen, 255U);
}

TEST_F(SessionTest, Syncfs_OpensNoDevicesAndPipes) {
    ASSERT_EQ(::mkfifo(directory_.path("fifo").c_str(), 0600), 0);
    directory_.write("file", "");
    TestGuest guest(directory_.path());
    guest.init();
    EXPECT_EQ(guest.ask(Opcode::kSyncfs, fuse::kRootNodeId, fuse::SyncfsIn{}).error, Errno::kNone);
    EXPECT_EQ(guest.ask(Opcode::kSyncfs, guest.node("file"), fuse::SyncfsIn{}).error, Errno::kNone);
    EXPECT_EQ(guest.ask(Opcode::kSyncfs, guest.node("fifo"), fuse::SyncfsIn{}).error, Errno::kEINVAL);
}

}  // namespace
}  // namespace host
