// SPDX-License-Identifier: Apache-2.0
#include "rootless/user.h"

#include <gtest/gtest.h>

namespace knarr::rootless {
namespace {

constexpr std::string_view file =
    "root:x:0:0:root:/root:/bin/bash\n"
    "broken\n"
    "nohome:x:7:8\n"
    "me:x:1000:1001:Me, Myself:/home/me:/bin/sh\n"
    "alias:x:1000:5:second of the same number:/elsewhere:/bin/sh\n"
    "short:x:1002:1003:no shell:/home/short";

TEST(ParsePasswd, FindsTheFirstEntryOfTheNumber) {
  EXPECT_EQ(parse_passwd(file, 1000), (User{"me", 1001, "/home/me"}));
  EXPECT_EQ(parse_passwd(file, 0), (User{"root", 0, "/root"}));
}

TEST(ParsePasswd, NeedsNoShellAndNoLastLineBreak) {
  EXPECT_EQ(parse_passwd(file, 1002), (User{"short", 1003, "/home/short"}));
}

TEST(ParsePasswd, SkipsMalformedEntries) {
  EXPECT_EQ(parse_passwd(file, 7), std::nullopt);
  EXPECT_EQ(parse_passwd("x:y:0z:0:a:b:c\n:x:0:0:a:b:c\na:x:-0:0:a:b:c\na:x:0::a:b:c", 0), std::nullopt);
}

TEST(ParsePasswd, AMissingNumberIsNobody) {
  EXPECT_EQ(parse_passwd(file, 100), std::nullopt);
  EXPECT_EQ(parse_passwd("", 0), std::nullopt);
}

TEST(FindUser, KnowsRoot) {
  ASSERT_TRUE(find_user(0));
  EXPECT_EQ(find_user(0)->name, "root");
}

}  // namespace
}  // namespace knarr::rootless
