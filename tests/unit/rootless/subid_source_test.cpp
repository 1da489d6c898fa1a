// SPDX-License-Identifier: Apache-2.0
#include "rootless/subid_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knarr::rootless {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ParseSubidSource, IsTheFilesUnlessALineNamesAnother) {
  EXPECT_EQ(parse_subid_source(""), "files");
  EXPECT_EQ(parse_subid_source("passwd: files sss\ngroup: files\n"), "files");
  EXPECT_EQ(parse_subid_source("subid: files\n"), "files");
  EXPECT_EQ(parse_subid_source("# subid: sss\nsubid:\n"), "files");
  EXPECT_EQ(parse_subid_source("subids: sss\nxsubid: sss\n"), "files");
}

TEST(ParseSubidSource, TakesTheFirstSource) {
  EXPECT_EQ(parse_subid_source("passwd: files\n  subid:\t sss files # from the directory"), "sss");
  EXPECT_EQ(parse_subid_source("subid:sss\nsubid: files\n"), "sss");
}

TEST(ParseGetsubids, ReadsARangeOfEachLine) {
  EXPECT_THAT(parse_getsubids("0: alice 100000 65536\n1: alice 300000 1\n"),
              ElementsAre(SubIdRange{100000, 65536}, SubIdRange{300000, 1}));
}

TEST(ParseGetsubids, SkipsWhatIsNoRange) {
  EXPECT_THAT(parse_getsubids("Error fetching ranges\n0: alice 1\n0: alice x 1\n0: alice 1 0\n"
                              "0: alice 4294967295 2\n0: alice 1 2 3\n\n"),
              IsEmpty());
}

}  // namespace
}  // namespace knarr::rootless
