#include "lab/bridge/init_filter.h"

#include <gtest/gtest.h>

namespace {

using namespace fuse::init_flag;

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

TEST(InitFilter, Offer_LosesWhatOneTransportAloneHas) {
    fuse::InitIn init{.flags = static_cast<std::uint32_t>(kSpliceRead | kSubmounts | kBigWrites | kInitExt),
                      .flags2 = static_cast<std::uint32_t>((kHasInodeDax | kSecurityCtx) >> 32)};
    const std::uint64_t offered = lab::filter_init_request(init);
    EXPECT_EQ(offered, kBigWrites | kInitExt | kSecurityCtx);
    EXPECT_EQ(init.flags, static_cast<std::uint32_t>(kBigWrites | kInitExt));
    EXPECT_EQ(init.flags2, static_cast<std::uint32_t>(kSecurityCtx >> 32));
}

TEST(InitFilter, OfferWithoutExtension_HasNoHighFlags) {
    fuse::InitIn init{.flags = static_cast<std::uint32_t>(kBigWrites), .flags2 = 0xffffffff};
    EXPECT_EQ(lab::filter_init_request(init), kBigWrites);
    EXPECT_EQ(init.flags2, 0U);
}

TEST(InitFilter, Answer_LosesWhatWasNotOffered) {
    fuse::InitOut init{.flags = static_cast<std::uint32_t>(kBigWrites | kMapAlignment | kMaxPages),
                       .map_alignment = 12};
    lab::filter_init_reply(init, kBigWrites | kMaxPages, kMegabyte, 64);
    EXPECT_EQ(init.flags, static_cast<std::uint32_t>(kBigWrites | kMaxPages));
    EXPECT_EQ(init.map_alignment, 0);
}

TEST(InitFilter, Answer_IsBoundedByTheRoomForData) {
    fuse::InitOut init{.max_write = 16 * kMegabyte, .max_pages = 4096};
    lab::filter_init_reply(init, kMaxPages, kMegabyte, 64);
    EXPECT_EQ(init.max_write, kMegabyte);
    EXPECT_EQ(init.max_pages, 256);
    EXPECT_EQ(init.max_background, 64);
}

TEST(InitFilter, SmallAnswer_StaysSmall) {
    fuse::InitOut init{.max_background = 100, .max_write = 4096, .max_pages = 1};
    lab::filter_init_reply(init, kMaxPages, kMegabyte, 64);
    EXPECT_EQ(init.max_write, 4096U);
    EXPECT_EQ(init.max_pages, 1);
    EXPECT_EQ(init.max_background, 100);
}

}  // namespace
