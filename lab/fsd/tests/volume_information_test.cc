#include "lab/fsd/tests/fixture.h"

namespace lab::fsd {
namespace {

namespace fs_class = nt::fs_class;
using testing::ElementsAre;
using testing::IsEmpty;

class VolumeInformation : public FsdTest {
  protected:
    void SetUp() override {
        mount({.sectors_per_allocation_unit = 8,
               .creation_time = 77,
               .serial_number = 0x12345678,
               .file_system_name = u"NTFS"},
              {});
        volume_ = create(u"", {.desired_access = access::kGenericRead | access::kGenericWrite}).file;
    }
    void TearDown() override {
        if (fsd_) fsd_->close_handle(volume_);
        FsdTest::TearDown();
    }
    IoStatus query(std::uint32_t information_class, Buffer& buffer) {
        return fsd_->query_volume_information(volume_, information_class, buffer.span());
    }
    FileId volume_ = FileId::kNone;
};

TEST_F(VolumeInformation, Volume_HasSerialAndLabel) {
    Buffer buffer(18 + 12);
    EXPECT_EQ(query(fs_class::kVolume, buffer).status, Status::kSuccess);
    EXPECT_EQ(buffer.get<std::uint64_t>(0), 77U);
    EXPECT_EQ(buffer.get<std::uint32_t>(8), 0x12345678U);
    EXPECT_EQ(buffer.text(18, buffer.get<std::uint32_t>(12)), u"memory");
    Buffer small(24);
    const IoStatus io = query(fs_class::kVolume, small);
    EXPECT_EQ(io.status, Status::kBufferOverflow);
    EXPECT_EQ(io.information, 24U);
    EXPECT_EQ(small.get<std::uint32_t>(12), 12U);
}

TEST_F(VolumeInformation, Sizes_AreInAllocationUnits) {
    Buffer size(24);
    EXPECT_EQ(query(fs_class::kSize, size).status, Status::kSuccess);
    EXPECT_EQ(size.get<std::uint64_t>(0), (64U << 20) / 4096);
    EXPECT_EQ(size.get<std::uint64_t>(8), (32U << 20) / 4096);
    EXPECT_EQ(size.get<std::uint32_t>(16), 8U);
    EXPECT_EQ(size.get<std::uint32_t>(20), 512U);
    Buffer full(32);
    EXPECT_EQ(query(fs_class::kFullSize, full).status, Status::kSuccess);
    EXPECT_EQ(full.get<std::uint64_t>(16), (32U << 20) / 4096);
    EXPECT_EQ(full.get<std::uint32_t>(28), 512U);
}

TEST_F(VolumeInformation, AttributesAndDevice_NeedNoCallback) {
    memory_->take_calls();
    Buffer attributes(12 + 8);
    EXPECT_EQ(query(fs_class::kAttribute, attributes).status, Status::kSuccess);
    EXPECT_EQ(attributes.get<std::uint32_t>(0), 0x7U);
    EXPECT_EQ(attributes.get<std::uint32_t>(4), 255U);
    EXPECT_EQ(attributes.text(12, attributes.get<std::uint32_t>(8)), u"NTFS");
    Buffer device(8);
    EXPECT_EQ(query(fs_class::kDevice, device).status, Status::kSuccess);
    EXPECT_EQ(device.get<std::uint32_t>(0), 7U);
    EXPECT_THAT(memory_->take_calls(), IsEmpty());
}

TEST_F(VolumeInformation, EveryFlag_IsReported) {
    mount({.case_sensitive_search = false,
           .case_preserved_names = false,
           .unicode_on_disk = false,
           .persistent_acls = true,
           .reparse_points = true,
           .named_streams = true,
           .extended_attributes = true,
           .read_only_volume = true,
           .supports_posix_unlink_rename = true},
          {});
    volume_ = create(u"").file;
    Buffer attributes(64);
    EXPECT_EQ(query(fs_class::kAttribute, attributes).status, Status::kSuccess);
    EXPECT_EQ(attributes.get<std::uint32_t>(0), 0x8U | 0x80 | 0x40000 | 0x800000 | 0x80000 | 0x400);
    EXPECT_EQ(attributes.text(12, attributes.get<std::uint32_t>(8)), u"WinFsp");
}

TEST_F(VolumeInformation, Label_IsSetThroughTheFileSystem) {
    Buffer label(4 + 6);
    label.put(0, std::uint32_t{6}).put_text(4, u"new");
    EXPECT_EQ(fsd_->set_volume_information(volume_, fs_class::kLabel, label.span()).status, Status::kSuccess);
    Buffer buffer(64);
    query(fs_class::kVolume, buffer);
    EXPECT_EQ(buffer.text(18, buffer.get<std::uint32_t>(12)), u"new");
    label.put(0, std::uint32_t{8});
    EXPECT_EQ(fsd_->set_volume_information(volume_, fs_class::kLabel, label.span()).status,
              Status::kInvalidParameter);
}

TEST_F(VolumeInformation, UnknownClassesAndSmallBuffers_AreRefused) {
    Buffer buffer(64);
    EXPECT_EQ(query(fs_class::kObjectId, buffer).status, Status::kInvalidParameter);
    EXPECT_EQ(query(999, buffer).status, Status::kInvalidParameter);
    EXPECT_EQ(fsd_->set_volume_information(volume_, fs_class::kObjectId, buffer.span()).status,
              Status::kInvalidParameter);
    for (const std::uint32_t information_class :
         {fs_class::kVolume, fs_class::kSize, fs_class::kDevice, fs_class::kAttribute, fs_class::kFullSize}) {
        Buffer small(7);
        EXPECT_EQ(query(information_class, small).status, Status::kInfoLengthMismatch) << information_class;
    }
}

TEST_F(VolumeInformation, PersistentState_SaysThatShortNamesAreOff) {
    Buffer in(16);
    in.put(4, std::uint32_t{1}).put(8, std::uint32_t{1});
    Buffer out(16);
    const IoStatus io =
        fsd_->fs_control(volume_, nt::fsctl::kQueryPersistentVolumeState, in.span(), out.span());
    EXPECT_EQ(io.status, Status::kSuccess);
    EXPECT_EQ(io.information, 16U);
    EXPECT_EQ(out.get<std::uint32_t>(0), 1U);
    in.put(8, std::uint32_t{2});
    EXPECT_EQ(fsd_->fs_control(volume_, nt::fsctl::kQueryPersistentVolumeState, in.span(), out.span()).status,
              Status::kInvalidParameter);
    EXPECT_EQ(fsd_->fs_control(volume_, nt::fsctl::kIsVolumeMounted, {}, {}).status, Status::kSuccess);
    EXPECT_EQ(fsd_->fs_control(volume_, nt::fsctl::kGetReparsePoint, {}, out.span()).status,
              Status::kInvalidDeviceRequest);
}

}  // namespace
}  // namespace lab::fsd
