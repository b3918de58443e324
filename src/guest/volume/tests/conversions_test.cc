#include <gtest/gtest.h>

#include <random>

#include "guest/volume/attributes.h"
#include "guest/volume/file_time.h"
#include "guest/volume/status_table.h"

namespace guest {
namespace {

TEST(FileTimes, TheUnixEpoch_Is1970) {
    EXPECT_EQ(file_time_of({.seconds = 0, .nanoseconds = 0}), 116'444'736'000'000'000U);
    EXPECT_EQ(host_time_of(116'444'736'000'000'000U), HostTime{});
}

TEST(FileTimes, TimesBefore1970_Exist) {
    const HostTime before{.seconds = static_cast<std::uint64_t>(-1), .nanoseconds = 500'000'000};
    EXPECT_EQ(file_time_of(before), 116'444'735'995'000'000U);
    EXPECT_EQ(host_time_of(file_time_of(before)), before);
}

TEST(FileTimes, OutOfRange_IsCut) {
    EXPECT_EQ(file_time_of({.seconds = static_cast<std::uint64_t>(INT64_MIN), .nanoseconds = 0}), 1U);
    EXPECT_EQ(file_time_of({.seconds = INT64_MAX, .nanoseconds = 999'999'999}), INT64_MAX);
    EXPECT_EQ(file_time_of({.seconds = 0, .nanoseconds = UINT32_MAX}), 116'444'736'009'999'999U);
}

TEST(FileTimes, EveryTick_SurvivesTheWayThereAndBack) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 10000; ++i) {
        const nt::FileTime time = random() % (INT64_MAX - 10'000'000) + 1;
        ASSERT_EQ(file_time_of(host_time_of(time)), time);
    }
}

TEST(FileTimes, ForeverFromTheHost_EndsOneDay) {
    const auto now = std::chrono::steady_clock::now();
    EXPECT_EQ(lifetime_end(now, UINT64_MAX, 0), now + std::chrono::hours(24));
    EXPECT_EQ(lifetime_end(now, 1, 500'000'000), now + std::chrono::milliseconds(1500));
}

TEST(StatusTable, CommonErrors_AreWhatNtfsWouldSay) {
    EXPECT_EQ(status_of(fuse::Errno::kENOENT), nt::Status::kObjectNameNotFound);
    EXPECT_EQ(path_status(status_of(fuse::Errno::kENOENT)), nt::Status::kObjectPathNotFound);
    EXPECT_EQ(path_status(status_of(fuse::Errno::kENOTDIR)), nt::Status::kObjectPathNotFound);
    EXPECT_EQ(status_of(fuse::Errno::kENOSPC), nt::Status::kDiskFull);
    EXPECT_EQ(status_of(fuse::Errno::kEROFS), nt::Status::kMediaWriteProtected);
    EXPECT_EQ(status_of(fuse::Errno::kEXDEV), nt::Status::kNotSameDevice);
    EXPECT_EQ(status_of(fuse::Errno::kENAMETOOLONG), nt::Status::kObjectNameInvalid);
}

TEST(StatusTable, EveryErrno_IsAnError) {
    for (std::int32_t error = 1; error <= fuse::kMaxErrno; ++error) {
        ASSERT_TRUE(nt::is_error(status_of(fuse::Errno{error}))) << error;
    }
}

TEST(StatusTable, ChannelErrors_AreNotMistakenForTheHosts) {
    EXPECT_EQ(status_of(ChannelError::kLost), nt::Status::kDeviceRemoved);
    EXPECT_EQ(status_of(ChannelError::kCancelled), nt::Status::kCancelled);
    EXPECT_EQ(status_of(ChannelError::kRefused), nt::Status::kDeviceProtocolError);
}

TEST(Attributes, ReadOnly_MeansThatNobodyMayWrite) {
    EXPECT_EQ(nt_attributes_of({.mode = fuse::mode::kRegular | 0644}), nt::file_attribute::kArchive);
    EXPECT_EQ(nt_attributes_of({.mode = fuse::mode::kRegular | 0444}),
              nt::file_attribute::kArchive | nt::file_attribute::kReadOnly);
    EXPECT_EQ(nt_attributes_of({.mode = fuse::mode::kDirectory | 0755}), nt::file_attribute::kDirectory);
}

TEST(Attributes, Symlinks_HaveTheirTagAndNoSize) {
    const nt::FileInfo info = file_info_of({.size = 5, .mode = fuse::mode::kSymlink | 0777});
    EXPECT_EQ(info.attributes, nt::file_attribute::kReparsePoint);
    EXPECT_EQ(info.reparse_tag, nt::kReparseTagSymlink);
    EXPECT_EQ(info.file_size, 0U);
}

TEST(Attributes, AbsurdSizes_AreCut) {
    const nt::FileInfo info =
        file_info_of({.size = UINT64_MAX, .blocks = UINT64_MAX, .mode = fuse::mode::kRegular | 0644});
    EXPECT_LE(info.file_size, static_cast<std::uint64_t>(INT64_MAX));
    EXPECT_LE(info.allocation_size, static_cast<std::uint64_t>(INT64_MAX));
}

}  // namespace
}  // namespace guest
