// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "rootless/sys/file.h"

namespace knarr::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto ps_flags = std::to_array<Flag>({
    toggle("all", 'a', "Show all"),
    text_flag("sort", 0, "KEY", "Sort").one_of("created id"),
    text_flag("restart", 0, "POLICY", "Restart").one_of("no always").not_yet("no"),
    text_flag("env-file", 'e', "FILE", "File").completed_by(Completion::files),
    toggle("ghost", 0, "Hidden").unlisted(),
});
constexpr Verb ps_verb = {
    .paths = {"ps", "container ls"}, .summary = "List", .flags = ps_flags, .max_arguments = 0};
constexpr auto run_flags = std::to_array<Flag>({
    toggle("tty", 't', "Terminal"),
    text_flag("name", 'n', "NAME", "Name"),
});
constexpr Verb run_verb = {.paths = {"run"},
                           .summary = "Run",
                           .flags = run_flags,
                           .interspersed = false,
                           .completion = Completion::image_then_files};
constexpr Verb rm_verb = {.paths = {"rm"}, .summary = "Remove", .completion = Completion::containers};
constexpr Verb secret_verb = {.paths = {"__complete"}, .summary = "x", .hidden = true};
constexpr const Verb* verbs[] = {&ps_verb, &run_verb, &rm_verb, &secret_verb};
constexpr VerbGroup groups[] = {{"container", "Manage containers"}};
constexpr auto global_flags = std::to_array<Flag>({
    text_flag("root", 0, "DIR", "Store").completed_by(Completion::directories),
});
constexpr auto root_flags = std::to_array<Flag>({toggle("version", 'v', "Version")});
constexpr Program program = {
    .verbs = verbs, .groups = groups, .flags = global_flags, .root_flags = root_flags};

CompletionAnswer complete(const std::vector<std::string>& words) {
  return plan_completion(program, words);
}

std::vector<std::string> texts(const std::vector<std::string>& words) {
  std::vector<std::string> list;
  for (const Candidate& candidate : complete(words).candidates) list.push_back(candidate.text);
  return list;
}

TEST(Completion, OffersVerbsAndGroups) {
  EXPECT_THAT(texts({""}), ElementsAre("container", "help", "ps", "rm", "run"));
  EXPECT_THAT(texts({"r"}), ElementsAre("rm", "run"));
  EXPECT_THAT(texts({"container", ""}), ElementsAre("ls"));
  EXPECT_THAT(texts({"help", "p"}), ElementsAre("ps"));
}

TEST(Completion, DescribesWhatItOffers) {
  EXPECT_EQ(complete({"ps"}).candidates.front().description, "List");
}

TEST(Completion, OffersFlagsThatWork) {
  EXPECT_THAT(texts({"ps", "-"}), ElementsAre("--all", "--env-file", "--help", "--sort"));
  EXPECT_THAT(texts({"--"}), ElementsAre("--help", "--root", "--version"));
}

TEST(Completion, OffersAFlagsValues) {
  EXPECT_THAT(texts({"ps", "--sort", ""}), ElementsAre("created", "id"));
  EXPECT_THAT(texts({"ps", "--sort", "c"}), ElementsAre("created"));
  EXPECT_THAT(texts({"ps", "--sort=i"}), ElementsAre("id"));
  EXPECT_EQ(complete({"ps", "--sort=i"}).lead, "--sort=");
  EXPECT_THAT(texts({"ps", "--restart", ""}), ElementsAre("no"));
}

TEST(Completion, AsksForFilesWhereAFlagTakesThem) {
  EXPECT_EQ(complete({"ps", "--env-file", "x"}).more, Completion::files);
  EXPECT_EQ(complete({"ps", "-ae", "x"}).more, Completion::files);
  EXPECT_EQ(complete({"ps", "--env-file=x"}).more, Completion::files);
  EXPECT_EQ(complete({"--root", "x"}).more, Completion::directories);
}

TEST(Completion, SkipsTheProgramsFlagsAndTheirValues) {
  EXPECT_THAT(texts({"--root", "/x", "r"}), ElementsAre("rm", "run"));
  EXPECT_THAT(texts({"--root=/x", "r"}), ElementsAre("rm", "run"));
}

TEST(Completion, SaysWhichStoreTheLineIsAbout) {
  EXPECT_EQ(complete({"--root", "/x", "rm", ""}).settings.root, "/x");
  EXPECT_EQ(complete({"rm", "--root=/y", ""}).settings.root, "/y");
}

TEST(Completion, AsksForObjects) {
  EXPECT_EQ(complete({"rm", ""}).more, Completion::containers);
  EXPECT_EQ(complete({"rm", "web", ""}).more, Completion::containers);
  EXPECT_EQ(complete({"run", "-t", ""}).more, Completion::images);
  EXPECT_EQ(complete({"run", "--name", "x", "image", ""}).more, Completion::files);
}

TEST(Completion, OffersNoFlagsOnceTheCommandHasBegun) {
  EXPECT_THAT(texts({"run", "image", "-"}), IsEmpty());
  EXPECT_THAT(texts({"rm", "--", "-"}), IsEmpty());
  EXPECT_THAT(texts({"run", "-"}), Contains("--tty"));
}

TEST(Completion, KnowsWhenThereIsNothingMore) {
  EXPECT_EQ(complete({"ps", ""}).more, Completion::none);
  EXPECT_THAT(texts({"bogus", ""}), IsEmpty());
  EXPECT_THAT(plan_completion(program, {}).candidates, IsEmpty());
}

// The scripts are committed for packages; after a change run `knarr completion SHELL > completions/...`.
struct Script {
  const char* shell;
  const char* file;
};
class CommittedScript : public ::testing::TestWithParam<Script> {};
TEST_P(CommittedScript, IsWhatTheProgramPrints) {
  const std::string path = std::string(KNARR_SOURCE_DIR "/completions/") + GetParam().file;
  const sys::UniqueFd file = sys::open_at(AT_FDCWD, path, O_RDONLY);
  EXPECT_EQ(sys::read_all(file.get(), path), render_completion_script(GetParam().shell, "knarr"));
}
INSTANTIATE_TEST_SUITE_P(Shells, CommittedScript,
                         ::testing::Values(Script{"bash", "knarr.bash"}, Script{"zsh", "_knarr"},
                                           Script{"fish", "knarr.fish"}),
                         [](const auto& test) { return test.param.shell; });

TEST(Script, IsForTheNameTheProgramWasCalledBy) {
  EXPECT_THAT(render_completion_script("bash", "pod-man"),
              ::testing::HasSubstr("complete -F _pod_man pod-man\n"));
  EXPECT_EQ(render_completion_script("tcsh", "knarr"), "");
}

}  // namespace
}  // namespace knarr::cli
