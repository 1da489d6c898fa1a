// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/parallel_run.h"

#include <gtest/gtest.h>

#include <barrier>
#include <vector>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

TEST(ParallelRun, EveryJobRunsOnce) {
  for (const std::size_t workers : {1, 3, 100}) {
    std::vector<std::atomic<int>> times(20);
    ParallelRun().run(times.size(), workers, [&](std::size_t i) { ++times[i]; });
    for (const auto& each : times) EXPECT_EQ(each, 1);
  }
}

TEST(ParallelRun, AsManyAtATimeAsThereAreWorkers) {
  std::barrier all_there(3);
  ParallelRun().run(3, 3, [&](std::size_t) { all_there.arrive_and_wait(); });
}

TEST(ParallelRun, AfterAFailureNoneBegins) {
  int begun = 0;
  ParallelRun run;
  EXPECT_THROW(run.run(10, 1,
                       [&](std::size_t i) {
                         ++begun;
                         if (i == 2) throw Error("the third");
                       }),
               Error);
  EXPECT_EQ(begun, 3);
  EXPECT_TRUE(run.has_failed());
}

}  // namespace
}  // namespace knarr::storage
