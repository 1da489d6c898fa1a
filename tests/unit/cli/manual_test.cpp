// SPDX-License-Identifier: Apache-2.0
#include "cli/manual.h"

#include <gmock/gmock.h>

#include <set>

#include "cli/program_table.h"

namespace knarr::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr auto rm_flags = std::to_array<Flag>({
    toggle("force", 'f', "Force it"),
    array_flag("filter", 0, "NAME=VALUE", "Only those"),
    text_flag("later", 0, "WHAT", "For later").not_yet(),
    text_flag("mode", 0, "MODE", "How").one_of("fast slow").with_default("fast"),
    toggle("secret", 0, "Hidden").unlisted(),
});
constexpr Verb rm_verb = {.paths = {"rm", "container rm"},
                          .usage = "[options] CONTAINER...",
                          .summary = "Remove containers",
                          .description = ".dots first\nand a second line.",
                          .examples = "rm -f web",
                          .flags = rm_flags};
constexpr Verb hidden_verb = {.paths = {"__complete"}, .summary = "x", .hidden = true};
constexpr const Verb* verbs[] = {&rm_verb, &hidden_verb};
constexpr Program program = {.verbs = verbs};

std::string page(const std::string& name) {
  for (const ManualPage& found : render_manual(program, "1.2")) {
    if (found.name == name) return found.text;
  }
  return "no page " + name;
}

TEST(Manual, HasAPageForTheProgramAndForEachName) {
  EXPECT_THAT(render_manual(program, "1.2"), SizeIs(3));
  EXPECT_THAT(page("knarr"), HasSubstr(".BR knarr-rm (1)\nRemove containers."));
  EXPECT_EQ(page("knarr-container-rm"), ".so man1/knarr-rm.1\n");
}

TEST(Manual, NamesVersionUsageOptionsAndExamples) {
  const std::string text = page("knarr-rm");
  EXPECT_THAT(text, StartsWith(".TH KNARR-RM 1 \"\" \"knarr 1.2\""));
  EXPECT_THAT(text, HasSubstr("\\fBknarr container rm\\fR \\fI[options] CONTAINER...\\fR"));
  EXPECT_THAT(text, HasSubstr("\\fB\\-f\\fR, \\fB\\-\\-force\\fR\nForce it."));
  EXPECT_THAT(text,
              HasSubstr("\\fB\\-\\-filter\\fR \\fINAME=VALUE\\fR\nOnly those.\nMay be given several times."));
  EXPECT_THAT(text, HasSubstr("How.\nDefault: fast.\nOne of: fast, slow."));
  EXPECT_THAT(text, HasSubstr("$ knarr rm \\-f web"));
}

TEST(Manual, SaysWhatIsNotSupportedYetAndHidesWhatIsHidden) {
  EXPECT_THAT(page("knarr-rm"), HasSubstr(".SH NOT SUPPORTED YET\n\\fB\\-\\-later\\fR"));
  EXPECT_THAT(page("knarr-rm"), Not(HasSubstr("secret")));
}

TEST(Manual, TextIsNeverTakenForARequest) {
  EXPECT_EQ(escape_roff(".so x"), "\\&.so x");
  EXPECT_EQ(escape_roff("a\n'b"), "a\n\\&'b");
  EXPECT_EQ(escape_roff("a\\b-c"), "a\\eb\\-c");
  EXPECT_THAT(page("knarr-rm"), HasSubstr(".PP\n\\&.dots first\n.PP\nand a second line."));
}

TEST(Manual, OfTheProgramNamesEveryPageOnce) {
  std::set<std::string> names;
  for (const ManualPage& found : render_manual(knarr_program, "1")) {
    EXPECT_TRUE(names.insert(found.name).second) << found.name;
  }
  EXPECT_TRUE(names.contains("knarr-run"));
}

}  // namespace
}  // namespace knarr::cli
