// SPDX-License-Identifier: Apache-2.0
#include "engine/request/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

const std::string default_path_entry = "PATH=" + std::string(default_path);

std::vector<std::string> environment_of(const CreateRequest& request,
                                        std::vector<std::string> image_env = {}) {
  storage::ImageConfig image;
  image.env = std::move(image_env);
  return plan_environment(request, image);
}

TEST(PlanEnvironment, HasAPathAndAMarkByDefault) {
  EXPECT_THAT(environment_of(plain_request()), ElementsAre(default_path_entry, "container=knarr"));
}

TEST(PlanEnvironment, NamesATerminalForATerminal) {
  CreateRequest request = plain_request();
  request.terminal = true;
  EXPECT_THAT(environment_of(request), Contains("TERM=xterm"));
  EXPECT_THAT(environment_of(request, {"TERM=linux"}), Contains("TERM=linux"));
}

TEST(PlanEnvironment, UserBeatsFileBeatsImageBeatsDefault) {
  CreateRequest request = plain_request();
  request.env = {"C=user"};
  request.env_files = {{"f", "B=file\nC=file\n"}};
  EXPECT_THAT(environment_of(request, {"PATH=/image", "A=image", "B=image", "C=image"}),
              ElementsAre("PATH=/image", "container=knarr", "A=image", "B=file", "C=user"));
}

TEST(PlanEnvironment, BareNamesTakeTheCallersValue) {
  CreateRequest request = plain_request();
  request.env = {"SECRET", "NOT_THERE", "EMPTY"};
  EXPECT_THAT(environment_of(request), AllOf(Contains("SECRET=s3cret"), Contains("EMPTY=")));
  EXPECT_THAT(environment_of(request), Not(Contains(StartsWith("NOT_THERE"))));
}

TEST(PlanEnvironment, AStarTakesAllOfThePrefix) {
  CreateRequest request = plain_request();
  request.env = {"SECR*"};
  EXPECT_THAT(environment_of(request), AllOf(Contains("SECRET=s3cret"), Contains("SECRET_TOO=t")));
  EXPECT_THAT(environment_of(request), Not(Contains(StartsWith("HOME="))));
}

TEST(PlanEnvironment, AnImageNeverGetsTheCallersValues) {
  const auto environment = environment_of(plain_request(), {"*", "SECRET", "SECR*", "", "=", "=x", "*=*"});
  EXPECT_THAT(environment, ElementsAre(default_path_entry, "container=knarr", "*=*"));
}

TEST(PlanEnvironment, ProxiesPassUnlessForbiddenOrSet) {
  CreateRequest request = plain_request();
  request.host_env = {"http_proxy=http://p:1", "NO_PROXY=x", "OTHER=1"};
  EXPECT_THAT(environment_of(request), AllOf(Contains("http_proxy=http://p:1"), Contains("NO_PROXY=x"),
                                             Not(Contains(StartsWith("OTHER")))));
  EXPECT_THAT(environment_of(request, {"http_proxy=image"}), Contains("http_proxy=image"));
  request.http_proxy = false;
  EXPECT_THAT(environment_of(request), ElementsAre(default_path_entry, "container=knarr"));
}

TEST(PlanEnvironment, EnvHostIsBelowTheImage) {
  CreateRequest request = plain_request();
  request.env_host = true;
  EXPECT_THAT(environment_of(request, {"HOME=/image"}),
              AllOf(Contains("HOME=/image"), Contains("SECRET=s3cret")));
}

TEST(PlanEnvironment, UnsetTakesDefaultsAwayButNotTheUsersOwn) {
  CreateRequest request = plain_request();
  request.env = {"A=mine"};
  request.unset_env = {"PATH", "A", "container"};
  EXPECT_THAT(environment_of(request, {"A=image", "B=image"}), UnorderedElementsAre("A=mine", "B=image"));
  request.unset_env_all = true;
  EXPECT_THAT(environment_of(request, {"A=image", "B=image"}), ElementsAre("A=mine"));
}

TEST(PlanEnvironment, MergeSeesTheImage) {
  CreateRequest request = plain_request();
  request.env_merge = {"PATH=$PATH:/more", "NEW=${X}-${Y:-none}"};
  EXPECT_THAT(environment_of(request, {"PATH=/image", "X=x"}),
              ElementsAre("PATH=/image:/more", "container=knarr", "X=x", "NEW=x-none"));
}

TEST(ExpandWord, ExpandsAsAShellDoes) {
  Environment environment;
  environment.set("A", "a");
  environment.set("E", "");
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"plain", "plain"},
                                                       {"$A", "a"},
                                                       {"${A}b", "ab"},
                                                       {"$Ab", ""},
                                                       {"$A-b", "a-b"},
                                                       {"$", "$"},
                                                       {"$$A", "$a"},
                                                       {"\\$A", "$A"},
                                                       {"'$A'", "$A"},
                                                       {"\"$A\"", "a"},
                                                       {"\"\\x\"", "\\x"},
                                                       {"\\x", "x"},
                                                       {"x\\", "x\\"},
                                                       {"${E:-d}", "d"},
                                                       {"${A:-d}", "a"},
                                                       {"${A:+s}", "s"},
                                                       {"${E:+s}", ""},
                                                       {"${N:-${A}}", "a"},
                                                       {"}", "}"},
                                                       {"${N:-a b}", "a b"}};
  for (const auto& [word, expected] : cases) EXPECT_EQ(expand_word(word, environment), expected) << word;
}

TEST(ExpandWord, RefusesWhatIsNotClosed) {
  for (const char* word : {"${", "${A", "${}", "${A:-", "${A:?x}", "'", "\"", "${A b}"}) {
    EXPECT_THROW(expand_word(word, {}), InvalidArgument) << word;
  }
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "${A:-";
  EXPECT_THROW(expand_word(deep, {}), InvalidArgument);
}

TEST(ParseEnvFile, TakesLinesAsTheyAre) {
  EXPECT_THAT(parse_env_file({"f", "\xef\xbb\xbf# comment\n\n  A=1 2 \r\n\tB='q'\nC\nD=#x"}),
              ElementsAre("A=1 2 ", "B='q'", "C", "D=#x"));
}

TEST(ParseEnvFile, NamesFileAndLineOfAMistake) {
  const auto parse = [](const char* content) {
    return error_text<InvalidArgument>([&] { parse_env_file({"my.env", content}); });
  };
  EXPECT_THAT(parse("A=1\n=x\n"), AllOf(HasSubstr("my.env"), HasSubstr("'=x'")));
  EXPECT_THAT(parse("A B=1"), HasSubstr("contains whitespaces"));
}

TEST(PlanEnvironment, RefusesAnEmptyName) {
  CreateRequest request = plain_request();
  request.env = {"=x"};
  EXPECT_THAT(error_text<InvalidArgument>([&] { environment_of(request); }),
              HasSubstr("\"=x\" for \"--env\""));
}

TEST(PlanLabels, UserBeatsFileBeatsImage) {
  CreateRequest request = plain_request();
  storage::ImageConfig image;
  image.labels = {{"a", "image"}, {"b", "image"}, {"c", "image"}};
  request.label_files = {{"f", "# x\nb=file\nc=file\nbare\n"}};
  request.labels = {"c=user", "d", "e=x=y"};
  EXPECT_THAT(plan_labels(request, image),
              UnorderedElementsAre(Pair("a", "image"), Pair("b", "file"), Pair("bare", ""), Pair("c", "user"),
                                   Pair("d", ""), Pair("e", "x=y")));
}

TEST(PlanLabels, AnImageMayNotSteerTheEngine) {
  storage::ImageConfig image;
  image.labels = {
      {"io.knarr.x", "1"}, {"io.containers.autoupdate", "registry"}, {"PODMAN_SYSTEMD_UNIT", "u"}};
  EXPECT_TRUE(plan_labels(plain_request(), image).empty());
  CreateRequest request = plain_request();
  request.labels = {"PODMAN_SYSTEMD_UNIT=mine"};
  EXPECT_THAT(plan_labels(request, image), ElementsAre(Pair("PODMAN_SYSTEMD_UNIT", "mine")));
}

TEST(PlanAnnotations, NeedAValue) {
  CreateRequest request = plain_request();
  request.annotations = {"a=b=c", "d="};
  EXPECT_THAT(plan_annotations(request), ElementsAre(Pair("a", "b=c"), Pair("d", "")));
  request.annotations = {"bare"};
  EXPECT_THROW(plan_annotations(request), InvalidArgument);
}

}  // namespace
}  // namespace knarr::engine
