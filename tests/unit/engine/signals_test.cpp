// SPDX-License-Identifier: Apache-2.0
#include "engine/signals.h"

#include <gtest/gtest.h>

#include <csignal>

namespace knarr::engine {
namespace {

TEST(ParseSignal, TakesNamesWithAndWithoutPrefixInAnyCase) {
  for (const char* text : {"SIGTERM", "TERM", "term", "sigterm", "15"})
    EXPECT_EQ(parse_signal(text), SIGTERM) << text;
}

TEST(ParseSignal, CountsRealTimeSignalsFromBothEnds) {
  EXPECT_EQ(parse_signal("SIGRTMIN"), SIGRTMIN);
  EXPECT_EQ(parse_signal("RTMIN+3"), SIGRTMIN + 3);
  EXPECT_EQ(parse_signal("SIGRTMAX-1"), SIGRTMAX - 1);
  EXPECT_EQ(parse_signal("SIGRTMIN+99"), std::nullopt);
  EXPECT_EQ(parse_signal("SIGRTMIN-1"), std::nullopt);
}

TEST(ParseSignal, RefusesWhatIsNone) {
  for (const char* text : {"", "SIG", "SIGFOO", "-1", "65", "15x", " 15"})
    EXPECT_EQ(parse_signal(text), std::nullopt) << text;
}

TEST(SignalName, IsWhatParseSignalTakes) {
  for (int signal = 1; signal < 32; ++signal) EXPECT_EQ(parse_signal(signal_name(signal)), signal);
}

}  // namespace
}  // namespace knarr::engine
