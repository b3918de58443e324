#include "guest/service/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "guest/service/text.h"

namespace guest::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FakeKey final : public RegistryKey {
  public:
    std::map<std::u16string, std::uint32_t, std::less<>> numbers;
    std::map<std::u16string, std::u16string, std::less<>> texts;

    std::expected<std::uint32_t, ValueProblem> number(std::u16string_view name) const override {
        return find(numbers, name, texts.contains(name));
    }
    std::expected<std::u16string, ValueProblem> text(std::u16string_view name) const override {
        return find(texts, name, numbers.contains(name));
    }

  private:
    template <typename Values>
    static std::expected<typename Values::mapped_type, ValueProblem> find(const Values& values,
                                                                          std::u16string_view name,
                                                                          bool is_of_other_type) {
        if (const auto found = values.find(name); found != values.end()) return found->second;
        return std::unexpected(is_of_other_type ? ValueProblem::kOtherType : ValueProblem::kMissing);
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
    EXPECT_EQ(settings.overflow()->uid, 1u);
}

TEST_F(Registry, WrongValues_AreReportedByName) {
    documented.texts = {{u"Owner", u"me"}};
    EXPECT_THAT(settings.all().error().message, HasSubstr("registry value Owner"));
    documented.texts = {{u"FileSystemName", u"far too long for it"}};
    EXPECT_THAT(settings.all().error().message, HasSubstr("registry value FileSystemName"));
}

TEST_F(Registry, ValuesOfTheWrongType_AreReportedByName) {
    for (const std::u16string_view name :
         {u"OverflowUid", u"OverflowGid", u"DebugFlags", u"CaseInsensitive"}) {
        documented.texts = {{std::u16string(name), u"1"}};
        EXPECT_THAT(settings.all().error().message,
                    AllOf(HasSubstr("registry value " + to_utf8(name)), HasSubstr("a DWORD is expected")));
    }
    documented.texts.clear();
    for (const std::u16string_view name : {u"Owner", u"MountPoint", u"DebugLogFile", u"FileSystemName"}) {
        released.numbers = {{std::u16string(name), 1}};
        EXPECT_THAT(settings.all().error().message,
                    AllOf(HasSubstr("registry value " + to_utf8(name)), HasSubstr("a string is expected")));
    }
}

TEST_F(Registry, OverflowIds_AreIds) {
    documented.numbers = {{u"OverflowUid", 0xFFFFFFFE}, {u"OverflowGid", 0}};
    EXPECT_EQ(settings.overflow()->uid, 0xFFFFFFFEu);
    EXPECT_EQ(settings.overflow()->gid, 0u);
    documented.numbers = {{u"OverflowGid", 0xFFFFFFFF}};
    const auto refused = settings.overflow();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().problem, Problem::kUsage);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("OverflowGid"), HasSubstr("0 to 4294967294")));
    EXPECT_FALSE(settings.all());
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
