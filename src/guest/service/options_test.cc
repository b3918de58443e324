#include "guest/service/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "guest/service/text.h"

namespace guest::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::expected<CommandLine, SettingsError> parse(std::vector<std::u16string_view> arguments) {
    return parse_command_line(arguments);
}

std::string error_of(std::vector<std::u16string_view> arguments) {
    const auto result = parse_command_line(arguments);
    return result ? "no error" : result.error().message;
}

TEST(Options, None_GiveTheDefaults) {
    const auto line = parse({});
    ASSERT_TRUE(line);
    EXPECT_EQ(line->command, Command::kRun);
    EXPECT_EQ(line->settings.mount_point, u"");
    EXPECT_EQ(line->settings.tag, u"");
    EXPECT_EQ(line->settings.debug_flags, 0u);
    EXPECT_FALSE(line->settings.owner);
    EXPECT_EQ(line->settings.overflow.uid, 65534u);
}

TEST(Options, AllOfTheDocumentedOnes_AreUnderstood) {
    const auto line = parse(
        {u"-d", u"-1", u"-D", u"-", u"-F", u"NTFS", u"-m", u"Y:", u"-t", u"mount_tag0", u"-o", u"1000:100"});
    ASSERT_TRUE(line) << line.error().message;
    EXPECT_EQ(line->settings.debug_flags, 0xFFFFFFFFu);
    EXPECT_EQ(line->settings.debug_log_file, u"-");
    EXPECT_EQ(line->settings.file_system_name, u"NTFS");
    EXPECT_EQ(line->settings.mount_point, u"Y:");
    EXPECT_EQ(line->settings.tag, u"mount_tag0");
    ASSERT_TRUE(line->settings.owner);
    EXPECT_EQ(line->settings.owner->uid, 1000u);
    EXPECT_EQ(line->settings.owner->gid, 100u);
}

TEST(Options, MountPointStar_MeansTheFirstFreeLetter) {
    const auto line = parse({u"-m", u"*"});
    ASSERT_TRUE(line);
    EXPECT_EQ(line->settings.mount_point, u"");
}

TEST(Options, MountPointDirectoryAndMountManagerForm_ArePassedAsTheyAre) {
    EXPECT_EQ(parse({u"-m", uR"(C:\mnt\share)"})->settings.mount_point, uR"(C:\mnt\share)");
    EXPECT_EQ(parse({u"-m", uR"(\\.\X:)"})->settings.mount_point, uR"(\\.\X:)");
}

TEST(Options, TheLastOfTwo_Wins) {
    EXPECT_EQ(parse({u"-t", u"a", u"-t", u"b"})->settings.tag, u"b");
}

TEST(Options, CaseInsensitive_IsRefusedAsNotSupported) {
    const auto line = parse({u"-m", u"Y:", u"-i"});
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().problem, Problem::kNotSupported);
    EXPECT_THAT(line.error().message, HasSubstr("not supported yet"));
}

TEST(Options, Unknown_AreNamedInTheError) {
    for (const std::u16string_view option : {u"-x", u"--mount", u"share", u"-", u"", u"-tm"}) {
        const auto line = parse({option, u"value"});
        ASSERT_FALSE(line);
        EXPECT_EQ(line.error().problem, Problem::kUsage);
        EXPECT_THAT(line.error().message, HasSubstr("unknown option \"" + to_utf8(option) + "\""));
    }
}

TEST(Options, MissingValue_IsAnError) {
    for (const std::u16string_view option : {u"-d", u"-D", u"-F", u"-m", u"-t", u"-o"}) {
        EXPECT_EQ(error_of({option}), "option " + to_utf8(option) + " needs a value");
    }
}

TEST(Options, DebugFlags_AreDecimalOrHexadecimal) {
    EXPECT_EQ(parse_debug_flags(u"17"), 17u);
    EXPECT_EQ(parse_debug_flags(u"0x1F"), 0x1Fu);
    EXPECT_EQ(parse_debug_flags(u"0xffffffff"), 0xFFFFFFFFu);
    for (const std::u16string_view wrong :
         {u"", u"0x", u"-2", u"12a", u"4294967296", u"99999999999999999999999"}) {
        EXPECT_FALSE(parse_debug_flags(wrong)) << to_utf8(wrong);
    }
    EXPECT_THAT(error_of({u"-d", u"all"}), HasSubstr("option -d: debug flags are a number"));
}

TEST(Options, Owner_NeedsTwoIds) {
    EXPECT_EQ(parse_owner(u"0:0")->uid, 0u);
    EXPECT_EQ(parse_owner(u"4294967294:1")->uid, 4294967294u);
    for (const std::u16string_view wrong : {u"",
                                            u":",
                                            u"1000",
                                            u"1000:",
                                            u":1000",
                                            u"me:me",
                                            u"-1:0",
                                            u"0:-1",
                                            u"1:2:3",
                                            u"4294967295:0",
                                            u"0:4294967295",
                                            u"4294967296:0",
                                            u"99999999999999999999:1",
                                            u"1 :2",
                                            u" 1:2",
                                            u"1:2 ",
                                            u"1:2x",
                                            u"+1:2",
                                            u"1.5:2",
                                            u"0x:1",
                                            u"1;2"}) {
        EXPECT_FALSE(parse_owner(wrong)) << to_utf8(wrong);
        EXPECT_THAT(error_of({u"-o", wrong}), AllOf(HasSubstr("option -o: "), HasSubstr("UID:GID"),
                                                    HasSubstr("\"" + to_utf8(wrong) + "\"")));
        EXPECT_EQ(parse_command_line(std::vector<std::u16string_view>{u"-o", wrong}).error().problem,
                  Problem::kUsage);
    }
}

TEST(Options, Tag_HasAtMost36Symbols) {
    EXPECT_TRUE(parse_tag(std::u16string(36, u'x')));
    EXPECT_FALSE(parse_tag(std::u16string(37, u'x')));
    EXPECT_FALSE(parse_tag(u""));
}

TEST(Options, FileSystemName_HasAtMost15Characters) {
    EXPECT_TRUE(parse_file_system_name(std::u16string(15, u'x')));
    EXPECT_FALSE(parse_file_system_name(std::u16string(16, u'x')));
    EXPECT_FALSE(parse_file_system_name(u""));
}

TEST(Options, HelpAndVersion_WinOverWhatFollows) {
    EXPECT_EQ(parse({u"--help", u"nonsense"})->command, Command::kShowHelp);
    EXPECT_EQ(parse({u"-m", u"X:", u"--version"})->command, Command::kShowVersion);
}

TEST(Options, Version_GivesWinFspItsDue) {
    EXPECT_THAT(std::string(version_text()), HasSubstr("Bill Zissimopoulos"));
    EXPECT_THAT(std::string(version_text()), HasSubstr("https://github.com/winfsp/winfsp"));
}

TEST(Text, Utf8_IsTotal) {
    EXPECT_EQ(to_utf8(u"a\u00e9\u3042\U0001F600"), "a\xC3\xA9\xE3\x81\x82\xF0\x9F\x98\x80");
    const char16_t lone[] = {0xD83D, u'x', 0xDE00, 0xD83D};
    EXPECT_EQ(to_utf8(std::u16string_view(lone, 4)), "\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace guest::service
