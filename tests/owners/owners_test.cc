// Whom new files and folders belong to on the host: a daemon that runs as root makes them as whom the guest
// names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "guest/volume/new_file_owner.h"
#include "tests/support/daemon_volume.h"

namespace tests {
namespace {

using guest::HostOwner;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string text(HostOwner owner) {
    return std::to_string(owner.uid) + ":" + std::to_string(owner.gid);
}

void give_to(const std::filesystem::path& path, HostOwner owner) {
    ASSERT_EQ(::chown(path.c_str(), owner.uid, owner.gid), 0);
}

DaemonVolume::Setup share_of(HostOwner owner, guest::VolumeOptions options = {}, mode_t mode = 0755) {
    return {.prepare =
                [owner, mode](const std::filesystem::path& share) {
                    give_to(share, owner);
                    ASSERT_EQ(::chmod(share.c_str(), mode), 0);
                },
            .options = std::move(options)};
}

class Owners : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::geteuid() != 0)
            FAIL() << "the daemon can make files for others only as root: run this with sudo";
    }

    // Makes something new and says whom it belongs to.
    static std::string owner_of_new(DaemonVolume& host, const std::u16string& name, bool directory = false) {
        const auto made =
            host.volume().create(u"\\" + name, {.options = directory ? nt::create_option::kDirectoryFile : 0,
                                                .granted_access = nt::access::kFileGenericRead});
        if (!made) return "error " + std::to_string(static_cast<std::uint32_t>(made.error()));
        host.volume().close(made->file);
        struct stat status {};
        EXPECT_EQ(::stat((host.directory() / std::filesystem::path(name)).c_str(), &status), 0);
        return text({.uid = status.st_uid, .gid = status.st_gid});
    }
    // The guest looks at the root, as the service has it do now and then.
    static void look_at_root(DaemonVolume& host) {
        host.volume().ask_for_sign_of_life();
        host.volume().session().forget_idle();  // waits for what is under way
    }
};

TEST_F(Owners, NewFiles_BelongToTheOwnerOfTheShare) {
    DaemonVolume host(share_of({1234, 2345}));
    ASSERT_TRUE(host);
    EXPECT_EQ(owner_of_new(host, u"file"), "1234:2345");
    EXPECT_EQ(owner_of_new(host, u"folder", true), "1234:2345");
    EXPECT_THAT(host.log(), IsEmpty());
}

TEST_F(Owners, NewFiles_BelongToWhomTheUserChose) {
    DaemonVolume host(share_of({1234, 2345}, {.owner = HostOwner{1000, 1001}}, 0777));
    ASSERT_TRUE(host);
    EXPECT_EQ(owner_of_new(host, u"file"), "1000:1001");
    EXPECT_EQ(owner_of_new(host, u"folder", true), "1000:1001");
    give_to(host.directory(), {65534, 65534});
    look_at_root(host);
    EXPECT_EQ(owner_of_new(host, u"another"), "1000:1001");
    EXPECT_THAT(host.log(), IsEmpty());
}

TEST_F(Owners, OwnerThatMayNotWrite_IsRefusedByTheHost) {
    DaemonVolume host(share_of({1234, 2345}, {.owner = HostOwner{1000, 1001}}));
    ASSERT_TRUE(host);
    const auto made = host.volume().create(u"\\file", {.granted_access = nt::access::kFileGenericRead});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error(), nt::Status::kAccessDenied);
}

TEST_F(Owners, ShareThatChangesHands_IsFollowed) {
    DaemonVolume host(share_of({1234, 2345}));
    ASSERT_TRUE(host);
    give_to(host.directory(), {1300, 1400});
    look_at_root(host);
    EXPECT_EQ(owner_of_new(host, u"file"), "1300:1400");
}

TEST_F(Owners, ShareThatBecomesNobodys_LeavesTheOwnerKnownBefore) {
    DaemonVolume host(share_of({1234, 2345}, {}, 0777));
    ASSERT_TRUE(host);
    give_to(host.directory(), {65534, 65534});
    look_at_root(host);
    EXPECT_EQ(owner_of_new(host, u"file"), "1234:2345");
    // Also one that no file was made for.
    give_to(host.directory(), {1111, 2222});
    look_at_root(host);
    give_to(host.directory(), {65534, 65534});
    look_at_root(host);
    EXPECT_EQ(owner_of_new(host, u"file1"), "1111:2222");
    // Each id by itself.
    give_to(host.directory(), {1300, 65534});
    look_at_root(host);
    EXPECT_EQ(owner_of_new(host, u"file2"), "1300:2222");
    give_to(host.directory(), {65534, 1400});
    look_at_root(host);
    EXPECT_EQ(owner_of_new(host, u"folder", true), "1300:1400");
}

TEST_F(Owners, ShareOfNobodyFromTheStart_GivesNewFilesToTheDaemonsUser) {
    DaemonVolume host(share_of({65534, 65534}));
    ASSERT_TRUE(host);
    EXPECT_EQ(owner_of_new(host, u"file"), "0:0");
    EXPECT_THAT(host.log(), HasSubstr("the share's root belongs to 65534:65534"));
    EXPECT_THAT(host.log(), HasSubstr("new files belong to 0:0, or to whom the option -o UID:GID names"));
    give_to(host.directory(), {1234, 2345});
    look_at_root(host);
    EXPECT_EQ(owner_of_new(host, u"file2"), "1234:2345");
}

TEST_F(Owners, OtherOverflowIds_MakeNobodyAnOrdinaryOwner) {
    DaemonVolume host(share_of({65534, 65534}, {.overflow = {.uid = 99, .gid = 98}}));
    ASSERT_TRUE(host);
    EXPECT_EQ(owner_of_new(host, u"file"), "65534:65534");
    give_to(host.directory(), {99, 98});
    look_at_root(host);
    ASSERT_EQ(::chmod(host.directory().c_str(), 0777), 0);
    EXPECT_EQ(owner_of_new(host, u"file2"), "65534:65534");
    EXPECT_THAT(host.log(), IsEmpty());
}

TEST_F(Owners, SignOfLife_IsOneQuestionAtATime) {
    DaemonVolume host(share_of({1234, 2345}));
    ASSERT_TRUE(host);
    host.counting().reset();
    host.daemon().pause();
    for (int i = 0; i < 10; ++i)
        host.volume().ask_for_sign_of_life();
    host.daemon().resume();
    host.volume().session().forget_idle();
    EXPECT_EQ(host.counting().snapshot().of(fuse::Opcode::kGetAttr), 1U);
    look_at_root(host);
    EXPECT_EQ(host.counting().snapshot().of(fuse::Opcode::kGetAttr), 2U);
}

TEST_F(Owners, SignOfLife_OfADaemonThatHangs_DoesNotKeepTheVolume) {
    DaemonVolume host(share_of({1234, 2345}));
    ASSERT_TRUE(host);
    host.daemon().pause();
    host.volume().ask_for_sign_of_life();
    host.volume().shut_down();
    host.volume().ask_for_sign_of_life();
    host.daemon().resume();
}

TEST_F(Owners, FilesMadeWhileTheShareChangesHands_BelongToOneOfTheOwners) {
    DaemonVolume host(share_of({1234, 2345}, {}, 0777));
    ASSERT_TRUE(host);
    std::thread maker([&] {
        for (int i = 0; i < 50; ++i) {
            const std::string number = std::to_string(i);
            const std::string owner =
                owner_of_new(host, u"file" + std::u16string(number.begin(), number.end()));
            EXPECT_TRUE(owner == "1234:2345" || owner == "1300:1400" || owner == "1234:1400" ||
                        owner == "1300:2345")
                << owner;
        }
    });
    for (int i = 0; i < 25; ++i) {
        give_to(host.directory(), i % 2 == 0 ? HostOwner{1300, 1400} : HostOwner{1234, 2345});
        host.volume().ask_for_sign_of_life();
    }
    maker.join();
}

TEST(NewFileOwner, ShownIds_AreTakenUnlessTheyStandForNobody) {
    guest::NewFileOwner owner(std::nullopt, {7, 8});
    EXPECT_EQ(text(owner.now()), "0:0");
    owner.root_belongs_to({1, 8});
    EXPECT_EQ(text(owner.now()), "1:0");
    owner.root_belongs_to({7, 2});
    EXPECT_EQ(text(owner.now()), "1:2");
    owner.root_belongs_to({8, 7});  // the other way round they are ordinary
    EXPECT_EQ(text(owner.now()), "8:7");
}

TEST(NewFileOwner, Chosen_Stays) {
    guest::NewFileOwner owner(HostOwner{5, 6}, {7, 8});
    owner.root_belongs_to({1, 2});
    EXPECT_EQ(text(owner.now()), "5:6");
}

}  // namespace
}  // namespace tests
