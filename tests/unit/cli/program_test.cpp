// SPDX-License-Identifier: Apache-2.0
// From argv to a verb: dispatch, help, suggestions, exit statuses.
#include <gmock/gmock.h>

#include "cli/help.h"
#include "cli/verb.h"

namespace knarr::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Call {
  std::string command, root, name;
  std::vector<std::string> arguments;
  bool forced = false;
};
Call last_call;

int record_call(const Invocation& invocation, const Arguments& arguments) {
  last_call = {.command = invocation.command,
               .root = invocation.settings.root,
               .name = arguments.text("name"),
               .arguments = arguments.positional(),
               .forced = arguments.boolean("force")};
  invocation.out.line("called");
  return 0;
}

class OutOfLuck : public Error {
 public:
  using Error::Error;
};

int fail(const Invocation& invocation, const Arguments& arguments) {
  invocation.out.line("before");
  if (!arguments.positional().empty()) throw OutOfLuck("starting container \"web\": no luck");
  Error error("mounting overlay at /: operation not permitted");
  error.set_hint("install fuse-overlayfs");
  throw error;
}

constexpr auto rm_flags = std::to_array<Flag>({
    toggle("force", 'f', "Force it"),
    text_flag("name", 0, "NAME", "A name").with_default("x"),
    text_flag("later", 0, "WHAT", "For later").not_yet(),
    toggle("secret", 0, "Hidden").unlisted(),
});
constexpr Verb rm_verb = {.paths = {"rm", "container rm", "container remove"},
                          .usage = "[options] CONTAINER...",
                          .summary = "Remove containers",
                          .description = "All of them.",
                          .examples = "rm web",
                          .flags = rm_flags,
                          .min_arguments = 1,
                          .max_arguments = 3,
                          .run = record_call};
constexpr Verb run_verb = {.paths = {"run"}, .summary = "Run", .interspersed = false, .run = fail};
constexpr Verb rename_verb = {
    .paths = {"rename"}, .summary = "Rename", .min_arguments = 2, .max_arguments = 2, .run = record_call};
constexpr Verb ls_verb = {
    .paths = {"container ls"}, .summary = "List", .max_arguments = 0, .run = record_call};
constexpr Verb load_verb = {.paths = {"load"}, .summary = "Load", .topic = Topic::images};
constexpr Verb hidden_verb = {.paths = {"__complete"}, .summary = "x", .hidden = true, .run = record_call};
constexpr const Verb* verbs[] = {&rm_verb, &run_verb, &rename_verb, &ls_verb, &load_verb, &hidden_verb};
constexpr VerbGroup groups[] = {{"container", "Manage containers"}};
constexpr auto global_flags = std::to_array<Flag>({
    text_flag("root", 0, "DIR", "Store"),
    text_flag("runroot", 0, "DIR", "Run files"),
    text_flag("storage-driver", 0, "DRIVER", "Driver"),
    text_flag("network-config-dir", 0, "DIR", "Networks"),
    text_flag("log-level", 0, "LEVEL", "Level").with_default("warn"),
    toggle("debug", 'D', "Debug").unlisted(),
});
constexpr auto root_flags = std::to_array<Flag>({toggle("version", 'v', "Version")});

std::vector<std::string> handed_over;
void hand_over(std::string_view helper, const std::vector<std::string>& argv) {
  handed_over = argv;
  handed_over.insert(handed_over.begin(), std::string(helper));
  throw Error("running knarr-store: no such file or directory");
}

int exit_status(const Error& error) {
  return dynamic_cast<const OutOfLuck*>(&error) != nullptr ? 127 : 125;
}

constexpr Program program = {.verbs = verbs,
                             .groups = groups,
                             .flags = global_flags,
                             .root_flags = root_flags,
                             .hand_over = hand_over,
                             .exit_status = exit_status};

struct Result {
  int status;
  std::string out, errors;
};

Result run(std::vector<const char*> words, const char* name = "/usr/bin/knarr") {
  last_call = {};
  words.insert(words.begin(), name);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const int status = run_program(program, static_cast<int>(words.size()), words.data());
  std::string out = ::testing::internal::GetCapturedStdout();
  return {status, std::move(out), ::testing::internal::GetCapturedStderr()};
}

TEST(Dispatch, CallsTheVerbWithItsArguments) {
  const Result result = run({"rm", "-f", "web", "--name", "n", "db"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "called\n");
  EXPECT_TRUE(last_call.forced);
  EXPECT_EQ(last_call.name, "n");
  EXPECT_THAT(last_call.arguments, ElementsAre("web", "db"));
}

TEST(Dispatch, FindsAVerbInItsGroupAndByItsOtherNames) {
  run({"container", "remove", "web"});
  EXPECT_EQ(last_call.command, "knarr container remove");
}

TEST(Dispatch, TakesTheProgramsFlagsAtEveryLevelAndTheLastOneWins) {
  run({"--root", "/a", "container", "--root=/b", "rm", "web"});
  EXPECT_EQ(last_call.root, "/b");
  run({"--root", "/a", "rm", "--root", "/c", "web"});
  EXPECT_EQ(last_call.root, "/c");
}

TEST(Dispatch, NamesTheProgramAsItWasCalled) {
  EXPECT_EQ(run({"rm", "--foo"}, "/usr/local/bin/podman").errors,
            "Error: unknown flag: --foo\nSee 'podman rm --help'\n");
}

TEST(Dispatch, HandsOverWhatTheOtherProgramHas) {
  const Result result = run({"load"});
  EXPECT_THAT(handed_over, ElementsAre("knarr-store", "/usr/bin/knarr", "load"));
  EXPECT_EQ(result.status, 125);
}

TEST(Dispatch, ShowsTheHelpOfTheOtherProgramsVerbsItself) {
  handed_over.clear();
  EXPECT_THAT(run({"load", "--help"}).out, StartsWith("Load\n"));
  EXPECT_THAT(handed_over, IsEmpty());
}

TEST(UsageErrors, PointToTheVerbsHelp) {
  const Result result = run({"rm", "--foo"});
  EXPECT_EQ(result.status, 125);
  EXPECT_EQ(result.errors, "Error: unknown flag: --foo\nSee 'knarr rm --help'\n");
}

TEST(UsageErrors, CountArguments) {
  EXPECT_THAT(run({"rm"}).errors, StartsWith("Error: requires at least 1 arg(s), only received 0\n"));
  EXPECT_THAT(run({"rm", "a", "b", "c", "d"}).errors,
              StartsWith("Error: accepts at most 3 arg(s), received 4\n"));
  EXPECT_THAT(run({"rename", "a"}).errors, StartsWith("Error: accepts 2 arg(s), received 1\n"));
  EXPECT_THAT(run({"container", "ls", "a"}).errors,
              StartsWith("Error: `knarr container ls` takes no arguments\n"));
}

TEST(UnknownVerb, IsAnsweredWithSimilarOnes) {
  const Result result = run({"rnu"});
  EXPECT_EQ(result.status, 125);
  EXPECT_EQ(result.errors,
            "Error: unrecognized command `knarr rnu`\n\nDid you mean this?\n\trm\n\trun\n\n"
            "Try 'knarr --help' for more information\n");
}

TEST(UnknownVerb, InAGroupPointsToTheGroup) {
  EXPECT_EQ(run({"container", "zzzzzz"}).errors,
            "Error: unrecognized command `knarr container zzzzzz`\n"
            "Try 'knarr container --help' for more information\n");
}

TEST(Suggestions, AreTwoEditsAwayOrBeginTheSame) {
  EXPECT_THAT(suggest_verbs(program, "", "ren"), ElementsAre("rename", "rm", "run"));
  EXPECT_THAT(suggest_verbs(program, "", "CONT"), ElementsAre("container"));
  EXPECT_THAT(suggest_verbs(program, "", "__complete"), IsEmpty());
}

TEST(NoVerb, ShowsTheHelpAndFails) {
  const Result result = run({});
  EXPECT_EQ(result.status, 125);
  EXPECT_THAT(result.out, HasSubstr("Usage:\n  knarr [options] COMMAND\n"));
  EXPECT_EQ(result.errors, "Error: missing command 'knarr COMMAND'\n");
  EXPECT_EQ(run({"container"}).errors, "Error: missing command 'knarr container COMMAND'\n");
}

TEST(Help, IsShownForHelpAndForTheFlag) {
  const std::string expected = run({"rm", "--help"}).out;
  EXPECT_EQ(run({"help", "rm"}).out, expected);
  EXPECT_EQ(run({"rm", "-h"}).out, expected);
  EXPECT_EQ(run({"rm", "web", "--help"}).out, expected);
  EXPECT_EQ(run({"help", "container", "rm"}).out, run({"container", "rm", "--help"}).out);
  EXPECT_EQ(run({"--help"}).out, run({"help"}).out);
  EXPECT_EQ(run({"--help"}).status, 0);
}

TEST(Help, ListsFlagsButNotHiddenOnesAndSaysWhatIsMissing) {
  EXPECT_EQ(render_verb_help("knarr", "knarr rm", rm_verb),
            "Remove containers\n"
            "\n"
            "All of them.\n"
            "\n"
            "Usage:\n"
            "  knarr rm [options] CONTAINER...\n"
            "\n"
            "Examples:\n"
            "  knarr rm web\n"
            "\n"
            "Options:\n"
            "  -f, --force      Force it\n"
            "      --name NAME  A name (default x)\n"
            "\n"
            "Not supported yet:\n"
            "  --later\n");
}

TEST(Help, OfTheProgramIsGroupedByTopic) {
  const std::string help = render_program_help(program, "knarr");
  EXPECT_THAT(help,
              HasSubstr("\nContainers:\n  rename  Rename\n  rm      Remove containers\n  run     Run\n"));
  EXPECT_THAT(help, HasSubstr("\nImages:\n  load  Load\n"));
  EXPECT_THAT(help, ::testing::Not(HasSubstr("__complete")));
}

TEST(Version, IsOfTheProgramOnly) {
  EXPECT_EQ(run({"--version"}).out, "knarr version " KNARR_VERSION "\n");
  EXPECT_EQ(run({"-v"}, "docker").out, "docker version " KNARR_VERSION "\n");
  EXPECT_THAT(run({"rm", "-v"}).errors, StartsWith("Error: unknown shorthand flag: 'v' in -v\n"));
}

TEST(Failure, IsPrintedWithItsHintBehindTheOutput) {
  const Result result = run({"run"});
  EXPECT_EQ(result.status, 125);
  EXPECT_EQ(result.out, "before\n");
  EXPECT_EQ(result.errors,
            "Error: mounting overlay at /: operation not permitted\nhint: install fuse-overlayfs\n");
}

TEST(Failure, MayHaveAnExitStatusOfItsOwn) {
  EXPECT_EQ(run({"run", "x"}).status, 127);
}

TEST(LogLevel, ThatIsUnknownEndsWithOne) {
  const Result result = run({"--log-level=bogus", "rm", "web"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.errors,
              StartsWith("Error: log level \"bogus\" is not supported, choose from: trace, debug"));
}

TEST(Unsupported, IsNoUsageError) {
  const Result result = run({"rm", "--later", "x", "web"});
  EXPECT_EQ(result.status, 125);
  EXPECT_EQ(result.errors, "Error: --later is not supported yet\n");
}

}  // namespace
}  // namespace knarr::cli
