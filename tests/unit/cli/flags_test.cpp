// SPDX-License-Identifier: Apache-2.0
#include "cli/flags.h"

#include <gmock/gmock.h>

namespace knarr::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto verb_flags = std::to_array<Flag>({
    toggle("detach", 'd', "background"),
    toggle("interactive", 'i', "input"),
    toggle("tty", 't', "terminal"),
    toggle("rm", 0, "remove"),
    toggle("sig-proxy", 0, "signals").with_default("true"),
    array_flag("env", 'e', "NAME=VALUE", "variables"),
    list_flag("cap-add", 0, "CAPABILITY", "capabilities"),
    text_flag("name", 0, "NAME", "name"),
    text_flag("network", 0, "MODE", "network").also("net"),
    text_flag("restart", 0, "POLICY", "restart").one_of("no always").not_yet("no"),
    text_flag("memory", 'm', "BYTES", "memory").not_yet("0"),
    toggle("oom-kill-disable", 0, "oom").not_yet(),
    integer_flag("oom-score-adj", 0, "NUMBER", "oom"),
    natural_flag("stop-timeout", 0, "SECONDS", "timeout").with_default("10"),
});
static_assert(is_well_formed(verb_flags));
constexpr auto program_flags = std::to_array<Flag>({
    text_flag("root", 0, "DIR", "store"),
    text_flag("connection", 'c', "NAME", "service"),
});

Arguments parse(std::vector<const char*> words, bool interspersed = false) {
  return parse_flags({verb_flags, program_flags, interspersed}, words);
}

std::string error_of(std::vector<const char*> words) {
  try {
    parse(std::move(words));
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

TEST(Flags, LettersOfBooleansMayStandTogether) {
  const Arguments arguments = parse({"-it", "image"});
  EXPECT_TRUE(arguments.boolean("interactive"));
  EXPECT_TRUE(arguments.boolean("tty"));
  EXPECT_FALSE(arguments.boolean("detach"));
}

TEST(Flags, ALetterTakesItsValueFromTheRestOrTheNextWord) {
  EXPECT_THAT(parse({"-eA=b"}).list("env"), ElementsAre("A=b"));
  EXPECT_THAT(parse({"-e", "A=b"}).list("env"), ElementsAre("A=b"));
  EXPECT_THAT(parse({"-e=A=b"}).list("env"), ElementsAre("A=b"));
  EXPECT_THAT(parse({"-ite", "A=b"}).list("env"), ElementsAre("A=b"));
}

TEST(Flags, ALongNameTakesItsValueBehindEqualsOrFromTheNextWord) {
  EXPECT_THAT(parse({"--env=A=b", "--env", "C=d=e"}).list("env"), ElementsAre("A=b", "C=d=e"));
  EXPECT_EQ(parse({"--name="}).find_text("name"), "");
}

TEST(Flags, ANextWordIsAValueWhateverItLooksLike) {
  EXPECT_EQ(parse({"--name", "--rm"}).text("name"), "--rm");
  EXPECT_EQ(parse({"--name", "--"}).text("name"), "--");
  EXPECT_EQ(parse({"--oom-score-adj", "-500"}).integer("oom-score-adj"), -500);
}

TEST(Flags, ABooleanNeverTakesTheNextWord) {
  const Arguments arguments = parse({"--rm", "false"});
  EXPECT_TRUE(arguments.boolean("rm"));
  EXPECT_THAT(arguments.positional(), ElementsAre("false"));
}

TEST(Flags, ABooleanCanBeSwitchedOff) {
  EXPECT_FALSE(parse({"--rm=false"}).boolean("rm"));
  EXPECT_FALSE(parse({"--sig-proxy=0"}).boolean("sig-proxy"));
  EXPECT_FALSE(parse({"-t=false"}).boolean("tty"));
  EXPECT_TRUE(parse({}).boolean("sig-proxy"));
}

TEST(Flags, TheLastValueWins) {
  EXPECT_EQ(parse({"--name", "a", "--name=b"}).text("name"), "b");
}

TEST(Flags, DefaultsComeFromTheTable) {
  EXPECT_EQ(parse({}).integer("stop-timeout"), 10);
  EXPECT_FALSE(parse({}).find_integer("stop-timeout").has_value());
  EXPECT_FALSE(parse({}).given("stop-timeout"));
}

TEST(Flags, FlagsEndAtTheFirstArgumentWhenNotInterspersed) {
  const Arguments arguments = parse({"-i", "image", "ls", "-l", "--", "--name"});
  EXPECT_THAT(arguments.positional(), ElementsAre("image", "ls", "-l", "--", "--name"));
  EXPECT_FALSE(arguments.given("name"));
}

TEST(Flags, FlagsMayFollowArgumentsWhenInterspersed) {
  const Arguments arguments = parse({"web", "-t", "db"}, true);
  EXPECT_THAT(arguments.positional(), ElementsAre("web", "db"));
  EXPECT_TRUE(arguments.boolean("tty"));
}

TEST(Flags, TwoDashesEndTheFlags) {
  EXPECT_THAT(parse({"-t", "--", "-i", "x"}, true).positional(), ElementsAre("-i", "x"));
  EXPECT_THAT(parse({"--"}, true).positional(), IsEmpty());
}

TEST(Flags, ADashIsAnArgument) {
  EXPECT_THAT(parse({"-", "x"}, true).positional(), ElementsAre("-", "x"));
}

TEST(Flags, ListsAreSplitAtCommasAndArraysAreNot) {
  EXPECT_THAT(parse({"--cap-add=a,b", "--cap-add", "\"c,d\",e"}).list("cap-add"),
              ElementsAre("a", "b", "c,d", "e"));
  EXPECT_THAT(parse({"-e", "A=b,c"}).list("env"), ElementsAre("A=b,c"));
}

TEST(Flags, AnAliasIsTheFlag) {
  EXPECT_EQ(parse({"--net=host"}).text("network"), "host");
}

TEST(Flags, ProgramFlagsAreTakenByEveryVerb) {
  EXPECT_EQ(parse({"--root", "/x"}).text("root"), "/x");
}

TEST(Flags, HelpEndsTheParsing) {
  EXPECT_TRUE(parse({"--help", "--foo"}).wants_help());
  EXPECT_TRUE(parse({"-h"}).wants_help());
  EXPECT_FALSE(parse({"image", "--help"}).wants_help());
}

TEST(Flags, UnknownFlagsAreNamed) {
  EXPECT_EQ(error_of({"--memroy", "1"}), "unknown flag: --memroy");
  EXPECT_EQ(error_of({"--memroy=1"}), "unknown flag: --memroy");
  EXPECT_EQ(error_of({"-xyz"}), "unknown shorthand flag: 'x' in -xyz");
  EXPECT_EQ(error_of({"-ix"}), "unknown shorthand flag: 'x' in -x");
  EXPECT_EQ(error_of({"---x"}), "bad flag syntax: ---x");
  EXPECT_EQ(error_of({"--=x"}), "bad flag syntax: --=x");
}

TEST(Flags, MissingValuesAreNamed) {
  EXPECT_EQ(error_of({"--name"}), "flag needs an argument: --name");
  EXPECT_EQ(error_of({"-ie"}), "flag needs an argument: 'e' in -e");
}

TEST(Flags, BadValuesAreNamedWithTheirFlag) {
  EXPECT_EQ(error_of({"--tty=maybe"}),
            "invalid argument \"maybe\" for \"-t, --tty\" flag: it must be true or false");
  EXPECT_EQ(error_of({"--stop-timeout=abc"}),
            "invalid argument \"abc\" for \"--stop-timeout\" flag: it must be a whole number of 0 or more");
  EXPECT_EQ(error_of({"--stop-timeout=-1"}),
            "invalid argument \"-1\" for \"--stop-timeout\" flag: it must be a whole number of 0 or more");
  EXPECT_EQ(error_of({"--cap-add=\"a"}),
            "invalid argument \"\\\"a\" for \"--cap-add\" flag: a quoted value has no closing quote");
}

TEST(Flags, WhatIsNotSupportedYetIsRefused) {
  EXPECT_EQ(error_of({"-m", "1g"}), "--memory is not supported yet");
  EXPECT_EQ(error_of({"--restart=always"}), "--restart=always is not supported yet");
  EXPECT_EQ(error_of({"--oom-kill-disable"}), "--oom-kill-disable is not supported yet");
}

TEST(Flags, AskingForWhatHappensAnywayIsFine) {
  EXPECT_EQ(error_of({"--restart=no"}), "no error");
  EXPECT_EQ(error_of({"--memory=0"}), "no error");
  EXPECT_EQ(error_of({"--oom-kill-disable=false"}), "no error");
}

TEST(Flags, AGetterForAFlagThatIsNotInTheTableIsAMistakeOfTheProgram) {
  EXPECT_THROW(parse({}).text("nmae"), Error);
}

TEST(Integer, IsReadAsGoReadsIt) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_EQ(parse_integer("+12"), 12);
  EXPECT_EQ(parse_integer("0x1F"), 31);
  EXPECT_EQ(parse_integer("0b101"), 5);
  EXPECT_EQ(parse_integer("0o17"), 15);
  EXPECT_EQ(parse_integer("017"), 15);
  EXPECT_EQ(parse_integer("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_integer("-9223372036854775808"), INT64_MIN);
  for (const char* bad : {"", "-", "1.5", "9223372036854775808", "0x", "08", "1 ", "--1", "+-1"}) {
    EXPECT_EQ(parse_integer(bad), std::nullopt) << bad;
  }
}

TEST(Csv, KeepsEmptyAndQuotedValues) {
  EXPECT_THAT(split_csv(""), IsEmpty());
  EXPECT_THAT(split_csv("a,,b"), ElementsAre("a", "", "b"));
  EXPECT_THAT(split_csv("a,"), ElementsAre("a", ""));
  EXPECT_THAT(split_csv(R"("a ""quoted"" word",b)"), ElementsAre("a \"quoted\" word", "b"));
  EXPECT_THROW(split_csv("\"a\"b"), UsageError);
  EXPECT_THROW(split_csv("a\"b"), UsageError);
}

TEST(Table, IsRefusedWhenANameOrALetterIsThereTwice) {
  constexpr auto same_name = std::to_array<Flag>({toggle("a", 0, "x"), toggle("a", 'a', "x")});
  constexpr auto same_letter = std::to_array<Flag>({toggle("a", 'a', "x"), toggle("b", 'a', "x")});
  static_assert(!is_well_formed(same_name));
  static_assert(!is_well_formed(same_letter));
}

}  // namespace
}  // namespace knarr::cli
