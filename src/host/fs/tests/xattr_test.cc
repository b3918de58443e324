// Extended attributes.
#include <gtest/gtest.h>
#include <sys/xattr.h>

#include "host/fs/test_guest.h"

namespace host {
namespace {

using fuse::Errno;
using fuse::NodeId;
using fuse::Opcode;

class XattrTest : public testing::Test {
  protected:
    void start(ServerOptions options, std::uint64_t flags = ~std::uint64_t{0}) {
        directory_.write("a", "");
        guest_.emplace(directory_.path(), std::move(options));
        ASSERT_EQ(guest_->init(flags).error, Errno::kNone);
        node_ = guest_->node("a");
    }
    Errno set(std::string_view name, std::string_view value, std::uint32_t flags = 0) {
        const fuse::SetXattrIn in{.size = static_cast<std::uint32_t>(value.size()), .flags = flags};
        const std::string text = std::string(name) + '\0' + std::string(value);
        return guest_->ask(Opcode::kSetXattr, node_, in, std::string_view(text)).error;
    }
    Answer get(std::string_view name, std::uint32_t size = 1000) {
        return guest_->ask(Opcode::kGetXattr, node_, fuse::GetXattrIn{.size = size}, name);
    }
    Answer list(std::uint32_t size = 1000) {
        return guest_->ask(Opcode::kListXattr, node_, fuse::GetXattrIn{.size = size});
    }

    TestDirectory directory_{std::filesystem::read_symlink("/proc/self/exe").parent_path()};
    std::optional<TestGuest> guest_;
    NodeId node_{};
};

TEST_F(XattrTest, WithoutTheOption_ThereAreNone) {
    start({});
    EXPECT_EQ(set("user.x", "1"), Errno::kENOSYS);
    EXPECT_EQ(get("user.x").error, Errno::kENOSYS);
    EXPECT_EQ(list().error, Errno::kENOSYS);
}

TEST_F(XattrTest, Values_ComeBackAsTheyWereSet) {
    start({.xattr = true});
    const std::string value("a\0b", 3);
    ASSERT_EQ(set("user.x", value), Errno::kNone);
    EXPECT_EQ(get("user.x").text(), value);
    EXPECT_EQ(get("user.x", 0).as<fuse::GetXattrOut>().size, 3U);
    EXPECT_EQ(get("user.x", 2).error, Errno::kERANGE);
    EXPECT_EQ(get("user.y").error, Errno::kENODATA);
    EXPECT_EQ(set("user.x", "2", fuse::kXattrCreate), Errno::kEEXIST);
    EXPECT_EQ(set("user.y", "2", fuse::kXattrReplace), Errno::kENODATA);
    EXPECT_EQ(list().text(), std::string("user.x\0", 7));
    EXPECT_EQ(list(0).as<fuse::GetXattrOut>().size, 7U);
    EXPECT_EQ(list(6).error, Errno::kERANGE);
    EXPECT_EQ(guest_->ask(Opcode::kRemoveXattr, node_, std::string_view("user.x")).error, Errno::kNone);
    EXPECT_EQ(list().text(), "");
}

TEST_F(XattrTest, BeforeTheLongerRequest_TheShortOneIsUnderstood) {
    start({.xattr = true}, ~fuse::init_flag::kSetXattrExt);
    EXPECT_EQ(guest_
                  ->ask(Opcode::kSetXattr, node_, fuse::SetXattrCompatIn{.size = 1},
                        std::string_view("user.x\0v", 8))
                  .error,
              Errno::kNone);
    EXPECT_EQ(get("user.x").text(), "v");
}

TEST_F(XattrTest, Map_RenamesHidesAndForbids) {
    auto map =
        XattrMap::parse(":prefix:all:trusted.:user.virtiofs.::bad:all:user.hidden.:user.hidden.::ok:all:::");
    ASSERT_TRUE(map.has_value()) << map.error();
    start({.xattr = true, .xattr_map = std::move(*map)});
    ASSERT_EQ(set("trusted.t", "1"), Errno::kNone);
    char value = 0;
    EXPECT_EQ(::getxattr(directory_.path("a").c_str(), "user.virtiofs.trusted.t", &value, 1), 1);
    EXPECT_EQ(get("trusted.t").text(), "1");
    EXPECT_EQ(set("user.hidden.h", "1"), Errno::kEPERM);
    EXPECT_EQ(get("user.hidden.h").error, Errno::kENODATA);
    ASSERT_EQ(::setxattr(directory_.path("a").c_str(), "user.hidden.h", "1", 1, 0), 0);
    EXPECT_EQ(get("user.hidden.h").error, Errno::kENODATA);
    EXPECT_EQ(list().text(), std::string("trusted.t\0", 10));
}

TEST_F(XattrTest, Acls_AreForGuestsThatLookAfterThem) {
    start({.xattr = true});
    EXPECT_EQ(set("system.posix_acl_access", "x"), Errno::kENOTSUP);
    EXPECT_EQ(get("system.posix_acl_default").error, Errno::kENOTSUP);
}

TEST_F(XattrTest, OfSymlinks_TheLinksOwnAreMeant) {
    start({.xattr = true});
    guest_->symlink("l", directory_.path("a"));
    node_ = guest_->node("l");
    EXPECT_EQ(set("user.x", "1"), Errno::kEPERM);
    EXPECT_EQ(set("trusted.x", "1"), Errno::kNone);
    char value = 0;
    EXPECT_EQ(::getxattr(directory_.path("a").c_str(), "trusted.x", &value, 1), -1);
}

TEST_F(XattrTest, ImpossibleNamesAndSizes_AreRefused) {
    start({.xattr = true});
    EXPECT_NE(set("", "1"), Errno::kNone);
    EXPECT_NE(set(std::string(300, 'x'), "1"), Errno::kNone);
    EXPECT_NE(set("user." + std::string(300, 'x'), "1"), Errno::kNone);
    EXPECT_EQ(
        guest_
            ->ask(Opcode::kSetXattr, node_, fuse::SetXattrIn{.size = UINT32_MAX}, std::string_view("user.x"))
            .error,
        Errno::kEINVAL);
    EXPECT_EQ(get("user.x", UINT32_MAX).error, Errno::kENODATA);
    EXPECT_EQ(list(UINT32_MAX).error, Errno::kNone);
}

}  // namespace
}  // namespace host
