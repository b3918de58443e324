#include <gtest/gtest.h>

#include <vector>

#include "lab/launcher/command_line.h"
#include "lab/launcher/messages.h"

namespace lab::launcher {
namespace {

using namespace std::string_view_literals;

TEST(LauncherMessages, Request_GoesThereAndComesBack) {
    const Request request{.command = Command::kStart,
                          .arguments = {u"virtiofs", u"viofsY", u"tag 0", u"", u"Y:"}};
    const std::u16string message = request_message(request);
    EXPECT_EQ(message, u"Svirtiofs\0viofsY\0tag 0\0\0Y:\0"sv);
    const auto parsed = parse_request(message);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->command, Command::kStart);
    EXPECT_EQ(parsed->arguments, request.arguments);
}

TEST(LauncherMessages, RequestWithoutArguments_IsOne) {
    const auto parsed = parse_request(u"L");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->command, Command::kList);
    EXPECT_TRUE(parsed->arguments.empty());
}

TEST(LauncherMessages, WhatIsNoRequest_IsRefused) {
    EXPECT_FALSE(parse_request(u""));
    EXPECT_FALSE(parse_request(u"Q"));
    EXPECT_FALSE(parse_request(u"Tvirtiofs\0viofsY"sv));
    EXPECT_FALSE(parse_request(u"T" + std::u16string(kMaxMessageUnits, u'\0')));
}

TEST(LauncherMessages, Reply_GoesThereAndComesBack) {
    EXPECT_EQ(reply_message({.error = 183, .data = {}}), u"!183");
    EXPECT_EQ(parse_reply(u"!183")->error, 183U);
    const std::u16string data(u"virtiofs\0viofsY\0"sv);
    const auto reply = parse_reply(reply_message({.error = 0, .data = data}));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->error, 0U);
    EXPECT_EQ(split_texts(reply->data), (std::vector<std::u16string>{u"virtiofs", u"viofsY"}));
}

TEST(LauncherMessages, WhatIsNoReply_IsRefused) {
    for (const auto message :
         {u""sv, u"x"sv, u"!"sv, u"!0"sv, u"!-1"sv, u"!12x"sv, u"!4294967296"sv, u"!11111111111"sv})
        EXPECT_FALSE(parse_reply(message));
}

TEST(LauncherCommandLine, Arguments_AreQuotedWhereTheyAreNamed) {
    const std::vector<std::u16string> arguments{u"mount_tag0", u"Y:"};
    EXPECT_EQ(expand(u"-t %1 -m %2", u"C:\\v.exe", arguments), u"-t \"mount_tag0\" -m \"Y:\"");
    EXPECT_EQ(expand(u"%0 %2%1", u"C:\\a b.exe", arguments), u"\"C:\\a b.exe\" \"Y:\"\"mount_tag0\"");
    EXPECT_EQ(expand(u"-t %1 -m %3", u"C:\\v.exe", arguments), u"-t \"mount_tag0\" -m \"\"");
}

TEST(LauncherCommandLine, ArgumentsWithQuotesAndBackslashes_StayOneArgument) {
    EXPECT_EQ(quoted(u"a b\\"), u"\"a b\\\\\"");
    EXPECT_EQ(quoted(u"a\" -o 0:0 \""), u"\"a\\\" -o 0:0 \\\"\"");
    EXPECT_EQ(quoted(u"a\\\"b"), u"\"a\\\\\\\"b\"");
}

TEST(LauncherCommandLine, SubstitutionThatIsNotModelled_IsNamed) {
    EXPECT_EQ(expand(u"-u %U", u"C:\\v.exe", {}), std::unexpected(std::u16string(u"%U")));
    EXPECT_EQ(expand(u"100%", u"C:\\v.exe", {}), std::unexpected(std::u16string(u"%")));
}

}  // namespace
}  // namespace lab::launcher
