// SPDX-License-Identifier: Apache-2.0
#include "engine/auto_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::engine {
namespace {

using rootless::IdMap;

const IdMap r_map = {{0, 1000, 1}, {1, 100000, 65536}};

TEST(PlanAutoMap, GivesTheLowestIdsButTheUsersOwn) {
  EXPECT_EQ(plan_auto_map(500, {}, r_map, {}), (IdMap{{0, 1, 500}}));
}

TEST(PlanAutoMap, LeavesOutWhatOthersHave) {
  EXPECT_EQ(plan_auto_map(100, {}, r_map, {{0, 1, 500}}), (IdMap{{0, 501, 100}}));
}

TEST(PlanAutoMap, UsesTheGapsThatOthersLeft) {
  EXPECT_EQ(plan_auto_map(100, {}, r_map, {{0, 51, 500}, {0, 600, 10}}),
            (IdMap{{0, 1, 50}, {50, 551, 49}, {99, 610, 1}}));
}

TEST(PlanAutoMap, KeepsEachExtentWithinOneOfTheOuterMap) {
  const IdMap outer = {{0, 1000, 1}, {1, 100000, 10}, {11, 300000, 100}};
  EXPECT_EQ(plan_auto_map(20, {}, outer, {}), (IdMap{{0, 1, 10}, {10, 11, 10}}));
}

TEST(PlanAutoMap, PutsTheUsersMappingsFirstAndTheRestAround) {
  // podman: auto:size=2000,uidmapping=0:1:10
  EXPECT_EQ(plan_auto_map(2000, {{0, 1, 10}}, r_map, {{0, 1, 500}}), (IdMap{{0, 1, 10}, {10, 501, 1990}}));
  EXPECT_EQ(plan_auto_map(10, {{5, 1, 1}}, r_map, {}), (IdMap{{0, 2, 5}, {5, 1, 1}, {6, 7, 4}}));
}

TEST(PlanAutoMap, SaysWhenThereAreNotEnough) {
  EXPECT_EQ(rootless::count_ids(plan_auto_map(65536, {}, r_map, {})), 65536u);
  EXPECT_THROW(plan_auto_map(65537, {}, r_map, {}), Conflict);
  EXPECT_THROW(plan_auto_map(65536, {}, r_map, {{0, 7, 1}}), Conflict);
}

TEST(PlanAutoMap, RefusesMappingsThatMakeNoSense) {
  EXPECT_THROW(plan_auto_map(10, {{5, 1, 6}}, r_map, {}), InvalidArgument);
  EXPECT_THROW(plan_auto_map(10, {{0, 1, 2}, {1, 9, 1}}, r_map, {}), InvalidArgument);
  EXPECT_THROW(plan_auto_map(10, {{0, 1, 2}, {5, 2, 1}}, r_map, {}), InvalidArgument);
}

}  // namespace
}  // namespace knarr::engine
