// SPDX-License-Identifier: Apache-2.0
#include "rootless/id_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace knarr::rootless {

void PrintTo(const IdExtent& extent, std::ostream* out) {
  *out << extent.inside << ' ' << extent.outside << ' ' << extent.count;
}
void PrintTo(const SubIdRange& range, std::ostream* out) {
  *out << range.start << ':' << range.count;
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const IdMap usual_r{{0, 1000, 1}, {1, 100000, 65536}};

// ---- subuid(5) ----

TEST(ParseSubid, TakesTheLinesOfTheNameAndOfTheNumberInFileOrder) {
  EXPECT_THAT(parse_subid("other:100000:65536\n"
                          "me:200000:65536\n"
                          "1000:300000:10\n"
                          "me:400000:20\n",
                          "me", 1000),
              ElementsAre(SubIdRange{200000, 65536}, SubIdRange{300000, 10}, SubIdRange{400000, 20}));
}

TEST(ParseSubid, ANameThatOnlyBeginsTheSameIsSomebodyElse) {
  EXPECT_THAT(parse_subid("me2:1:1\nm:1:1\n10001:1:1\nME:1:1\n me:1:1\n", "me", 1000), IsEmpty());
}

TEST(ParseSubid, NeedsNoLineBreakAtTheEnd) {
  EXPECT_THAT(parse_subid("me:5:6", "me", 1000), ElementsAre(SubIdRange{5, 6}));
}

TEST(ParseSubid, SkipsMalformedLines) {
  for (const char* line :
       {"me", "me:", "me::", "me:1", "me:1:", "me::1", "me:a:1", "me:1:b", "me:1:1:1", "me:1:1x", "me:-1:5",
        "me:1 :5", "me:1:5 ", "me:0x:5", "me:08:5", ":1:1", "#me:1:1", "\n\n"}) {
    EXPECT_THAT(parse_subid(line, "me", 1000), IsEmpty()) << line;
  }
}

TEST(ParseSubid, ReadsNumbersInTheBasesOfNewuidmap) {
  EXPECT_THAT(parse_subid("me:0x10000:010\n", "me", 1000), ElementsAre(SubIdRange{65536, 8}));
}

TEST(ParseSubid, SkipsEmptyAndOverflowingRanges) {
  EXPECT_THAT(parse_subid("me:100000:0\n"
                          "me:4294967295:1\n"
                          "me:4294967294:2\n"
                          "me:1:4294967295\n"
                          "me:4294967296:1\n"
                          "me:1:99999999999999999999\n",
                          "me", 1000),
              IsEmpty());
  EXPECT_THAT(parse_subid("me:4294967294:1\n", "me", 1000), ElementsAre(SubIdRange{4294967294, 1}));
}

TEST(ParseSubid, AnEmptyNameOwnsNothing) {
  EXPECT_THAT(parse_subid(":100000:65536\n", "", 1000), IsEmpty());
}

TEST(ParseSubidLines, KnowsWhereTheyStand) {
  const auto lines = parse_subid_lines("# comment\nother:1:1\nme:100000:65536\n", "me", 1000);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].number, 3);
  EXPECT_EQ(lines[0].text, "me:100000:65536");
}

// ---- R ----

TEST(PlanRMap, IsTheUserAndThenTheRanges) {
  EXPECT_EQ(plan_r_map(1000, {{100000, 65536}}), usual_r);
  EXPECT_THAT(plan_r_map(1000, {{100000, 10}, {300000, 5}}),
              ElementsAre(IdExtent{0, 1000, 1}, IdExtent{1, 100000, 10}, IdExtent{11, 300000, 5}));
}

TEST(PlanRMap, WithoutRangesIsTheUserAlone) {
  EXPECT_THAT(plan_r_map(1000, {}), ElementsAre(IdExtent{0, 1000, 1}));
}

TEST(PlanRMap, LeavesOutWhatIsMappedAlready) {
  // The same grant by name and by number.
  EXPECT_EQ(plan_r_map(1000, {{100000, 65536}, {100000, 65536}}), usual_r);
  // A range around the user's own id falls into two.
  EXPECT_THAT(plan_r_map(1000, {{999, 3}}),
              ElementsAre(IdExtent{0, 1000, 1}, IdExtent{1, 999, 1}, IdExtent{2, 1001, 1}));
  EXPECT_THAT(plan_r_map(1000, {{100, 10}, {105, 10}}),
              ElementsAre(IdExtent{0, 1000, 1}, IdExtent{1, 100, 10}, IdExtent{11, 110, 5}));
}

TEST(PlanRMap, StaysWithinWhatTheKernelTakes) {
  std::vector<SubIdRange> many;
  for (std::uint32_t i = 0; i < 1000; ++i) many.push_back({100000 + i * 10, 5});
  const IdMap map = plan_r_map(1000, many);
  EXPECT_LT(render_id_map(map).size(), 4096u);
  EXPECT_LE(map.size(), 340u);
  EXPECT_GT(map.size(), 150u);
}

TEST(PlanRMap, NeverReachesTheLastId) {
  const IdMap map = plan_r_map(5, {{0, 4294967295}});
  EXPECT_EQ(count_ids(map), 4294967295u);
  for (const IdExtent& extent : map) EXPECT_LE(std::uint64_t{extent.inside} + extent.count, 0xffffffffu);
}

// Any file and any user: a map the kernel takes, with no id in it twice.
TEST(PlanRMap, OfAnyFileIsAMapTheKernelTakes) {
  std::mt19937 random(20240229);
  const std::string_view alphabet = "01239:me\n#x ";
  for (int round = 0; round < 20'000; ++round) {
    std::string file;
    while (random() % 40 != 0)
      file += random() % 6 == 0 ? "\nme:" : std::string(1, alphabet[random() % alphabet.size()]);
    const IdMap map = plan_r_map(2, parse_subid(file, "me", 2));
    ASSERT_EQ(map.front(), (IdExtent{0, 2, 1}));
    std::uint64_t next = 0;
    for (std::size_t i = 0; i < map.size(); ++i) {
      ASSERT_EQ(map[i].inside, next) << file;
      next += map[i].count;
      ASSERT_GT(map[i].count, 0u) << file;
      for (std::size_t j = 0; j < i; ++j) {
        const bool apart = map[i].outside + std::uint64_t{map[i].count} <= map[j].outside ||
                           map[j].outside + std::uint64_t{map[j].count} <= map[i].outside;
        ASSERT_TRUE(apart) << file;
      }
    }
  }
}

// ---- nested maps ----

TEST(PlanNestedIdentity, IsCutWhereTheOuterMapIs) {
  EXPECT_THAT(plan_nested_identity(usual_r), ElementsAre(IdExtent{0, 0, 1}, IdExtent{1, 1, 65536}));
}

TEST(PlanNestedIdentity, OfAnIdentityIsTheSame) {
  const IdMap full{{0, 0, 4294967295}};
  EXPECT_EQ(plan_nested_identity(full), full);
}

TEST(PlanKeepId, PutsTheUserInTheMiddleOfTheOthers) {
  EXPECT_THAT(plan_keep_id(usual_r, 1000),
              ElementsAre(IdExtent{0, 1, 1000}, IdExtent{1000, 0, 1}, IdExtent{1001, 1001, 64536}));
}

TEST(PlanKeepId, OfRootIsTheIdentity) {
  EXPECT_THAT(plan_keep_id(usual_r, 0), ElementsAre(IdExtent{0, 0, 1}, IdExtent{1, 1, 65536}));
}

TEST(PlanKeepId, BeyondTheRangesLeavesAGap) {
  EXPECT_THAT(plan_keep_id(usual_r, 100000), ElementsAre(IdExtent{0, 1, 65536}, IdExtent{100000, 0, 1}));
}

TEST(PlanKeepId, JustAfterTheRangesLeavesNone) {
  EXPECT_THAT(plan_keep_id(usual_r, 65536), ElementsAre(IdExtent{0, 1, 65536}, IdExtent{65536, 0, 1}));
}

TEST(PlanKeepId, WithOneIdIsThatId) {
  EXPECT_THAT(plan_keep_id({{0, 1000, 1}}, 1000), ElementsAre(IdExtent{1000, 0, 1}));
}

TEST(PlanKeepId, IsCutWhereTheOuterMapIs) {
  const IdMap outer{{0, 1000, 1}, {1, 100000, 10}, {11, 200000, 10}};
  EXPECT_THAT(plan_keep_id(outer, 5),
              ElementsAre(IdExtent{0, 1, 5}, IdExtent{5, 0, 1}, IdExtent{6, 6, 5}, IdExtent{11, 11, 10}));
}

TEST(PlanKeepId, ClosesGapsOfTheOuterMap) {
  const IdMap outer{{0, 0, 1}, {1000, 1000, 3}};
  EXPECT_THAT(plan_keep_id(outer, 2),
              ElementsAre(IdExtent{0, 1000, 2}, IdExtent{2, 0, 1}, IdExtent{3, 1002, 1}));
}

TEST(PlanKeepId, KeepsEveryIdOnceForAnyOuterMap) {
  const IdMap outer{{0, 0, 100}, {200, 300, 50}};
  for (const std::uint32_t id : {0u, 1u, 99u, 100u, 149u, 150u, 151u, 4000000000u}) {
    const IdMap map = plan_keep_id(outer, id);
    EXPECT_EQ(count_ids(map), count_ids(outer)) << id;
    EXPECT_EQ(map_to_outside(map, id), 0u) << id;
    // Each extent within one extent of the outer map, as the kernel demands.
    for (const IdExtent& extent : map) {
      const auto first = map_to_outside(outer, extent.outside);
      const auto last = map_to_outside(outer, extent.outside + extent.count - 1);
      ASSERT_TRUE(first && last) << id;
      EXPECT_EQ(*last - *first, extent.count - 1) << id;
    }
  }
}

// ---- small change ----

TEST(CountIds, AddsUpBeyond32Bits) {
  EXPECT_EQ(count_ids({}), 0u);
  EXPECT_EQ(count_ids({{0, 0, 4294967295}, {0, 0, 4294967295}}), 8589934590u);
}

TEST(MapToOutside, FollowsTheExtentOrNothing) {
  EXPECT_EQ(map_to_outside(usual_r, 0), 1000u);
  EXPECT_EQ(map_to_outside(usual_r, 1), 100000u);
  EXPECT_EQ(map_to_outside(usual_r, 65536), 165535u);
  EXPECT_EQ(map_to_outside(usual_r, 65537), std::nullopt);
  EXPECT_EQ(map_to_outside({{0, 0, 4294967295}}, 4294967295), std::nullopt);
}

TEST(RenderIdMap, IsTheFormOfProc) {
  EXPECT_EQ(render_id_map(usual_r), "0 1000 1\n1 100000 65536\n");
  EXPECT_EQ(render_id_map({}), "");
}

TEST(ParseIdMap, ReadsWhatTheKernelPrints) {
  EXPECT_EQ(parse_id_map("         0       1000          1\n         1     100000      65536\n"), usual_r);
  EXPECT_EQ(parse_id_map("         0          0 4294967295\n"), (IdMap{{0, 0, 4294967295}}));
  EXPECT_EQ(parse_id_map(""), IdMap{});
  EXPECT_EQ(parse_id_map(render_id_map(usual_r)), usual_r);
}

TEST(ParseIdMap, RefusesAnythingElse) {
  for (const char* text :
       {"0 0\n", "0 0 1 2\n", "a 0 1\n", "0 -1 1\n", "0 0 4294967296\n", "\n", "0 0 1x\n"}) {
    EXPECT_EQ(parse_id_map(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace knarr::rootless
