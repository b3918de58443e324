#include "guest/service/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace guest::service {
namespace {

using ::testing::HasSubstr;

class FakeKey final : public RegistryKey {
  public:
    std::map<std::u16string, std::uint32_t, std::less<>> numbers;
    std::map<std::u16string, std::u16string, std::less<>> texts;

    std::optional<std::uint32_t> number(std::u16string_view name) const override {
        const auto found = numbers.find(name);
        return found == numbers.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<std::u16string> text(std::u16string_view name) const override {
        const auto found = texts.find(name);
        return found == texts.end() ? std::nullopt : std::optional(found->second);
    }
};

class Registry : public ::testing::Test {
  protected:
    FakeKey documented;
    FakeKey released;
    RegistrySettings settings{documented, released};
};

TEST_F(Registry, Empty_GivesTheDefaults) {
    const auto all = settings.all();
    ASSERT_TRUE(all);
    EXPECT_EQ(all->file_system_name, Settings{}.file_system_name);
    EXPECT_EQ(all->mount_point, u"");
    EXPECT_EQ(all->overflow.uid, 65534u);
    EXPECT_EQ(all->overflow.gid, 65534u);
}

TEST_F(Registry, EveryValueOfTheReleasedKey_IsRead) {
    released.numbers = {
        {u"DebugFlags", 0xFFFFFFFF}, {u"CaseInsensitive", 0}, {u"OverflowUid", 7}, {u"OverflowGid", 8}};
    released.texts = {{u"DebugLogFile", u"C:\\log"},
                      {u"MountPoint", u"S:"},
                      {u"Owner", u"1:2"},
                      {u"FileSystemName", u"NTFS"}};
    const auto all = settings.all();
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_EQ(all->debug_flags, 0xFFFFFFFFu);
    EXPECT_EQ(all->debug_log_file, u"C:\\log");
    EXPECT_EQ(all->mount_point, u"S:");
    EXPECT_EQ(all->owner->gid, 2u);
    EXPECT_EQ(all->file_system_name, u"NTFS");
    EXPECT_EQ(all->overflow.uid, 7u);
    EXPECT_EQ(all->overflow.gid, 8u);
}

TEST_F(Registry, TheDocumentedKey_WinsValueByValue) {
    released.texts = {{u"MountPoint", u"S:"}, {u"FileSystemName", u"NTFS"}};
    documented.texts = {{u"MountPoint", u"T:"}, {u"FileSystemName", u""}};
    documented.numbers = {{u"OverflowUid", 1}};
    released.numbers = {{u"OverflowUid", 2}};
    const auto all = settings.all();
    ASSERT_TRUE(all);
    EXPECT_EQ(all->mount_point, u"T:");
    EXPECT_EQ(all->file_system_name, u"NTFS");
    EXPECT_EQ(settings.overflow().uid, 1u);
}

TEST_F(Registry, WrongValues_AreReportedByName) {
    documented.texts = {{u"Owner", u"me"}};
    EXPECT_THAT(settings.all().error().message, HasSubstr("registry value Owner"));
    documented.texts = {{u"FileSystemName", u"far too long for it"}};
    EXPECT_THAT(settings.all().error().message, HasSubstr("registry value FileSystemName"));
}

TEST_F(Registry, CaseInsensitive_IsRefusedAsNotSupported) {
    documented.numbers = {{u"CaseInsensitive", 1}};
    const auto all = settings.all();
    ASSERT_FALSE(all);
    EXPECT_EQ(all.error().problem, Problem::kNotSupported);
}

TEST_F(Registry, StarAsMountPoint_MeansTheFirstFreeLetter) {
    documented.texts = {{u"MountPoint", u"*"}};
    EXPECT_EQ(settings.all()->mount_point, u"");
}

}  // namespace
}  // namespace guest::service
