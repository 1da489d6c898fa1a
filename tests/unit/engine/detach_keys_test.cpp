// SPDX-License-Identifier: Apache-2.0
#include "engine/detach_keys.h"

#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::engine {
namespace {

TEST(ParseDetachKeys, ReadsControlKeysAndCharacters) {
  EXPECT_EQ(parse_detach_keys("ctrl-p,ctrl-q"), "\x10\x11");
  EXPECT_EQ(parse_detach_keys("ctrl-a,x,Z"), "\x01xZ");
  EXPECT_EQ(parse_detach_keys("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_"),
            std::string("\0\x1b\x1c\x1d\x1e\x1f", 6));
}

TEST(ParseDetachKeys, EmptyDisables) {
  EXPECT_EQ(parse_detach_keys(""), "");
}

TEST(ParseDetachKeys, RefusesWhatIsNoKeyAndNamesIt) {
  for (const char* text : {"ctrl-1", "ctrl-", "ctrl-P", "ab", "ctrl-p,", ",ctrl-p", "ctrl-p,,ctrl-q"}) {
    EXPECT_THROW(parse_detach_keys(text), InvalidArgument) << text;
  }
  try {
    parse_detach_keys("ctrl-p,meta-q");
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_STREQ(error.what(), "invalid detach keys \"ctrl-p,meta-q\": no key is called \"meta-q\"");
  }
}

struct Scanned {
  std::string out;
  bool detached = false;
};

Scanned scan_all(const std::string& sequence, const std::vector<std::string>& pieces) {
  DetachScanner scanner(sequence);
  Scanned result;
  for (const std::string& piece : pieces) {
    if ((result.detached = scanner.scan(piece, result.out))) break;
  }
  return result;
}

TEST(DetachScanner, FindsTheSequenceAndDropsIt) {
  const Scanned result = scan_all("\x10\x11", {"ls\n\x10\x11more"});
  EXPECT_TRUE(result.detached);
  EXPECT_EQ(result.out, "ls\n");
}

TEST(DetachScanner, FindsTheSequenceAcrossReads) {
  EXPECT_TRUE(scan_all("\x10\x11", {"a\x10", "\x11"}).detached);
}

TEST(DetachScanner, GivesBackWhatOnlyLookedLikeTheSequence) {
  const Scanned result = scan_all("\x10\x11", {"\x10", "x\x10\x10y"});
  EXPECT_FALSE(result.detached);
  EXPECT_EQ(result.out, "\x10x\x10\x10y");
}

TEST(DetachScanner, FindsASequenceThatOverlapsItsOwnBeginning) {
  const Scanned result = scan_all("aab", {"aaab"});
  EXPECT_TRUE(result.detached);
  EXPECT_EQ(result.out, "a");
}

TEST(DetachScanner, PassesEverythingWhenDisabled) {
  const Scanned result = scan_all("", {"\x10\x11"});
  EXPECT_FALSE(result.detached);
  EXPECT_EQ(result.out, "\x10\x11");
}

}  // namespace
}  // namespace knarr::engine
