// A host that breaks the protocol, goes away or never answers must not break the guest.
#include <algorithm>
#include <cstring>
#include <random>

#include "guest/volume/tests/volume_fixture.h"

namespace guest::test {
namespace {

using nt::Status;
using Bytes = std::vector<std::byte>;

class HostileHost : public VolumeTest {
  protected:
    void SetUp() override {
        start();
        host().make_directory("d");
        host().make_file("d/f", "0123456789");
    }
    void forge(fuse::Opcode opcode, const std::function<void(Bytes&)>& change) {
        check_end_ = false;  // what was lost in a bad answer cannot be given back
        host().set_forger([=](fuse::Opcode answered, Bytes reply) {
            if (answered == opcode) change(reply);
            return reply;
        });
    }
    template <typename T>
    static void poke(Bytes& reply, std::size_t offset, T value) {
        ASSERT_GE(reply.size(), offset + sizeof value);
        std::memcpy(reply.data() + offset, &value, sizeof value);
    }
};

TEST_F(HostileHost, AShortReply_IsAProtocolError) {
    forge(fuse::Opcode::kLookup, [](Bytes& reply) { reply.resize(7); });
    EXPECT_EQ(volume().attributes_of(u"\\d"), nt::fail(Status::kDeviceProtocolError));
}

TEST_F(HostileHost, ABodyThatIsCutOff_IsAProtocolError) {
    forge(fuse::Opcode::kLookup, [](Bytes& reply) {
        reply.resize(40);
        poke<std::uint32_t>(reply, 0, 40);
    });
    EXPECT_EQ(volume().attributes_of(u"\\d"), nt::fail(Status::kDeviceProtocolError));
}

TEST_F(HostileHost, AHugeLength_IsAProtocolError) {
    forge(fuse::Opcode::kLookup, [](Bytes& reply) { poke<std::uint32_t>(reply, 0, 0xFFFFFFFF); });
    EXPECT_EQ(volume().attributes_of(u"\\d"), nt::fail(Status::kDeviceProtocolError));
}

TEST_F(HostileHost, AnotherUnique_IsAProtocolError) {
    forge(fuse::Opcode::kLookup, [](Bytes& reply) { poke<std::uint64_t>(reply, 8, 3); });
    EXPECT_EQ(volume().attributes_of(u"\\d"), nt::fail(Status::kDeviceProtocolError));
}

TEST_F(HostileHost, AnErrorThatIsNone_IsAProtocolError) {
    forge(fuse::Opcode::kLookup, [](Bytes& reply) { poke<std::int32_t>(reply, 4, 5); });
    EXPECT_EQ(volume().attributes_of(u"\\d"), nt::fail(Status::kDeviceProtocolError));
}

TEST_F(HostileHost, ANodeOfNoKnownType_IsAProtocolError) {
    forge(fuse::Opcode::kLookup, [](Bytes& reply) {
        poke<std::uint32_t>(reply, 16 + offsetof(fuse::EntryOut, attr) + offsetof(fuse::Attr, mode), 0170644);
    });
    EXPECT_EQ(volume().attributes_of(u"\\d"), nt::fail(Status::kDeviceProtocolError));
}

TEST_F(HostileHost, AWriteOfMoreThanWasAsked_IsAProtocolError) {
    forge(fuse::Opcode::kWrite, [](Bytes& reply) { poke<std::uint32_t>(reply, 16, 1000); });
    const auto opened = open(u"\\d\\f", kWrite);
    ASSERT_TRUE(opened);
    EXPECT_EQ(write(*opened->file, "x").error(), Status::kDeviceProtocolError);
    volume().close(opened->file);
}

TEST_F(HostileHost, AListingWithABadRecord_IsAProtocolError) {
    forge(fuse::Opcode::kReadDirPlus, [](Bytes& reply) {
        if (reply.size() > 16 + 152) poke<std::uint32_t>(reply, 16 + 128 + 16, 0x10000);
    });
    const auto opened = open(u"\\d", kRead);
    ASSERT_TRUE(opened);
    EXPECT_EQ(volume().read_directory(*opened->file, std::nullopt, [](const auto&) { return true; }),
              nt::fail(Status::kDeviceProtocolError));
    volume().close(opened->file);
}

TEST_F(HostileHost, AListingThatNeverGetsAnywhere_Ends) {
    forge(fuse::Opcode::kReadDirPlus, [](Bytes& reply) {
        for (std::size_t at = 16; at + 160 <= reply.size(); at += 160)
            poke<std::uint64_t>(reply, at + 128 + 8, 5);
    });
    const auto opened = open(u"\\d", kRead);
    ASSERT_TRUE(opened);
    EXPECT_EQ(volume().read_directory(*opened->file, std::nullopt, [](const auto&) { return true; }),
              nt::fail(Status::kDeviceProtocolError));
    volume().close(opened->file);
}

TEST_F(HostileHost, ADirectoryThatIsItsOwnChild_CanBeWalked) {
    ASSERT_TRUE(volume().attributes_of(u"\\d"));
    std::uint64_t id = 2;
    forge(fuse::Opcode::kLookup, [id](Bytes& reply) {
        reply.resize(16 + sizeof(fuse::EntryOut));
        fuse::EntryOut entry{.node = fuse::NodeId{id}, .entry_valid = 60, .attr_valid = 60, .attr = {}};
        entry.attr.mode = fuse::mode::kDirectory | 0755;
        poke<std::uint32_t>(reply, 0, static_cast<std::uint32_t>(reply.size()));
        poke<std::int32_t>(reply, 4, 0);
        poke(reply, 16, entry);
    });
    EXPECT_TRUE(volume().attributes_of(u"\\d\\d\\d\\d\\d"));
    EXPECT_TRUE(volume().attributes_of(u"\\e\\d\\e\\d"));
}

TEST_F(HostileHost, AnyAnswerToAnything_IsSurvived) {
    check_end_ = false;
    check_protocol_ = false;  // the guest cannot keep to what it was never told
    auto random = std::make_shared<std::minstd_rand>(5);
    host().set_forger([random](fuse::Opcode, Bytes reply) {
        if ((*random)() % 3 == 0) return reply;
        for (int i = 0; i < 4 && !reply.empty(); ++i) {
            reply[(*random)() % reply.size()] = static_cast<std::byte>((*random)());
        }
        if ((*random)() % 4 == 0) reply.resize((*random)() % (reply.size() + 1));
        return reply;
    });
    for (int round = 0; round < 3000; ++round) {
        static_cast<void>(volume().attributes_of(u"\\d\\f"));
        if (const auto opened = open(u"\\d\\f", kReadWrite)) {
            static_cast<void>(read(*opened->file, 5));
            static_cast<void>(write(*opened->file, "abc"));
            static_cast<void>(volume().set_size(*opened->file, 10, SizeKind::kEndOfFile));
            static_cast<void>(volume().flush(*opened->file));
            volume().close(opened->file);
        }
        if (const auto opened = open(u"\\d", kRead)) {
            static_cast<void>(
                volume().read_directory(*opened->file, std::nullopt, [](const auto&) { return true; }));
            static_cast<void>(volume().can_delete(*opened->file, u"\\d"));
            volume().close(opened->file);
        }
        static_cast<void>(rename(u"\\d\\f", u"\\d\\g"));
        static_cast<void>(rename(u"\\d\\g", u"\\d\\f", true));
        static_cast<void>(volume().volume_info());
    }
    host().set_forger(nullptr);
}

class BadInit : public testing::Test {
  protected:
    static nt::Status mount(std::function<void(fuse::InitOut&)> change) {
        CheckingHost host;
        host.set_forger([&](fuse::Opcode opcode, Bytes reply) {
            if (opcode != fuse::Opcode::kInit) return reply;
            fuse::InitOut init;
            std::memcpy(&init, reply.data() + 16, sizeof init);
            change(init);
            std::memcpy(reply.data() + 16, &init, sizeof init);
            return reply;
        });
        const auto mounted = Volume::mount(host, {.owner = {}, .log = {}});
        return mounted ? Status::kSuccess : mounted.error();
    }
};

TEST_F(BadInit, AnotherVersion_IsNotSupported) {
    EXPECT_EQ(mount([](fuse::InitOut& init) { init.major = 8; }), Status::kNotSupported);
    EXPECT_EQ(mount([](fuse::InitOut& init) { init.minor = 30; }), Status::kNotSupported);
}

TEST_F(BadInit, NoRoomForAWrite_IsAProtocolError) {
    EXPECT_EQ(mount([](fuse::InitOut& init) { init.max_write = 0; }), Status::kDeviceProtocolError);
}

TEST_F(BadInit, FlagsThatNobodyAskedFor_AreIgnored) {
    EXPECT_EQ(mount([](fuse::InitOut& init) { init.flags = 0xFFFFFFFF; }), Status::kSuccess);
}

class HostThatStops : public HostileHost {};

TEST_F(HostThatStops, Answering_IsCancelledByShutDown) {
    check_end_ = false;
    host().hold(fuse::Opcode::kLookup);
    nt::Result<std::uint32_t> result = 0U;
    std::thread caller([&] { result = volume().attributes_of(u"\\d"); });
    host().wait_until_held(1);
    volume().shut_down();
    caller.join();
    EXPECT_EQ(result, nt::fail(Status::kCancelled));
    EXPECT_EQ(volume().attributes_of(u"\\d"), nt::fail(Status::kCancelled));
    host().let_go();
}

TEST_F(HostThatStops, TakingReleases_DoesNotKeepTheVolumeFromEnding) {
    check_end_ = false;
    const auto opened = open(u"\\d\\f", kRead);
    ASSERT_TRUE(opened);
    host().hold(fuse::Opcode::kRelease);
    volume().close(opened->file);
    host().wait_until_held(1);
    volume().shut_down();
}

TEST_F(HostThatStops, BeingThere_FailsWhatIsUnderWayAndEverythingLater) {
    check_end_ = false;
    const auto opened = open(u"\\d\\f", kRead);
    ASSERT_TRUE(opened);
    host().hold(fuse::Opcode::kRead);
    nt::Result<std::string> result;
    std::thread caller([&] { result = read(*opened->file, 5); });
    host().wait_until_held(1);
    host().break_down();
    caller.join();
    EXPECT_EQ(result, nt::fail(Status::kDeviceRemoved));
    EXPECT_EQ(volume().attributes_of(u"\\x"), nt::fail(Status::kDeviceRemoved));
    volume().close(opened->file);
}

}  // namespace
}  // namespace guest::test
