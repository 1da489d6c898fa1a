// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <memory>

#include "engine/launch/trace_words.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> told(const init::Trace& trace, const InitPlanWords& words = {}) {
  std::vector<std::string> lines;
  tell_trace(trace, words, [&](const std::string& line) { lines.push_back(line); });
  return lines;
}

TEST(Trace, TellsEachStepWithItsTimeSinceTheBeginAndSinceTheStepBeforeOfItsProcess) {
  init::Trace trace;
  trace.count = 3;
  trace.marks[0] = {1'000'000'000, "command", "began", -1};
  trace.marks[1] = {1'000'500'000, "monitor", "entered the user namespace", -1};
  trace.marks[2] = {1'002'104'000, "command", "planned", -1};
  EXPECT_THAT(told(trace), ElementsAre("    0.000 ms  +0.000  command: began",
                                       "    0.500 ms  +0.000  monitor: entered the user namespace",
                                       "    2.104 ms  +2.104  command: planned"));
}

TEST(Trace, SortsByTimeWhoeverCameFirstToTheTable) {
  init::Trace trace;
  trace.count = 2;
  trace.marks[0] = {2'000'000, "init", "later", -1};
  trace.marks[1] = {1'000'000, "command", "earlier", -1};
  EXPECT_THAT(told(trace), ElementsAre(HasSubstr("earlier"), HasSubstr("later")));
}

TEST(Trace, NamesOperationsAsErrorsDo) {
  init::Trace trace;
  trace.count = 1;
  trace.marks[0] = {1, "init", "set up files", 1};
  const InitPlanWords words{.operations = {"mounting proc at /proc", "mounting tmpfs at /dev"}};
  EXPECT_THAT(told(trace, words), ElementsAre(HasSubstr("init: mounting tmpfs at /dev")));
}

TEST(Trace, LeavesOutAMarkThatAKilledProcessHasNotFilled) {
  init::Trace trace;
  trace.count = 1;
  EXPECT_THAT(told(trace), IsEmpty());
}

TEST(Trace, CountsWhatHadNoRoom) {
  const auto trace = std::make_unique<init::Trace>();
  for (std::uint32_t i = 0; i < init::Trace::capacity + 5; ++i) init::mark(trace.get(), "init", "step");
  const std::vector<std::string> lines = told(*trace);
  EXPECT_THAT(lines, SizeIs(init::Trace::capacity + 1));
  EXPECT_EQ(lines.back(), "5 more steps had no room in the trace");
}

TEST(Trace, IsNotWrittenWhenNobodyAsksForIt) {
  init::mark(nullptr, "init", "step");
}

}  // namespace
}  // namespace knarr::engine
