// SPDX-License-Identifier: Apache-2.0
#include "engine/container_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace knarr::engine {
namespace {

using ::testing::MatchesRegex;

TEST(RandomContainerId, Is64HexDigitsAndNeverTheSame) {
  const std::string id = random_container_id();
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_NE(id, random_container_id());
}

TEST(ContainerName, IsAnAdjectiveAndASurname) {
  for (std::uint64_t random = 0; random < 100000; random += 7) {
    ASSERT_THAT(container_name(random, 1), MatchesRegex("[a-z]+_[a-z]+")) << random;
  }
}

TEST(ContainerName, HasMoreThanTwentyThousandPlainForms) {
  std::set<std::string> names;
  for (std::uint64_t random = 0; random < 200000; ++random) names.insert(container_name(random, 1));
  EXPECT_GT(names.size(), 20000u);
}

TEST(ContainerName, GetsANumberWhenPlainOnesAreTaken) {
  EXPECT_THAT(container_name(123456789, 5), MatchesRegex("[a-z]+_[a-z]+_[0-9]+"));
}

TEST(RandomContainerName, Varies) {
  std::set<std::string> names;
  for (int i = 0; i < 50; ++i) names.insert(random_container_name(1));
  EXPECT_GT(names.size(), 40u);
}

}  // namespace
}  // namespace knarr::engine
