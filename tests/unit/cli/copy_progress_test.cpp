// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/copy_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using storage::LayerProgress;
using storage::LayerState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

LayerLine layer(LayerState state, std::uint64_t copied, std::uint64_t size) {
  LayerLine line;
  line.progress.digest = {"sha256", "0123456789abcdef"};
  line.progress.state = state;
  line.progress.copied = copied;
  line.progress.size = size;
  line.since_begin = seconds(2);
  return line;
}

TEST(CopyBars, BytesRateAndTotal) {
  const auto lines = render_bars({layer(LayerState::copying, 5'000'000, 10'000'000)}, seconds(1), {});
  EXPECT_THAT(lines,
              ElementsAre("0123456789ab [====================>                   ] 5 MB / 10 MB  2.5 MB/s",
                          "total        [====================>                   ] 5 MB / 10 MB  5 MB/s"));
}

TEST(CopyBars, EachStateHasItsWord) {
  const auto lines = render_bars({layer(LayerState::waiting, 0, 1000), layer(LayerState::exists, 0, 1000),
                                  layer(LayerState::unpacking, 1000, 1000),
                                  layer(LayerState::done, 1000, 1000), layer(LayerState::mounted, 0, 1000)},
                                 seconds(1), {});
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_THAT(lines[0], HasSubstr("waiting"));
  EXPECT_THAT(lines[1], HasSubstr("exists"));
  EXPECT_THAT(lines[2], HasSubstr("unpacking"));
  EXPECT_THAT(lines[3], HasSubstr("done"));
  EXPECT_THAT(lines[4], HasSubstr("mounted"));
  EXPECT_THAT(lines[5], HasSubstr("2 kB / 3 kB"));
}

TEST(CopyBars, NoLineIsWiderThanTheScreen) {
  for (std::size_t columns = 1; columns < 120; ++columns) {
    const auto lines = render_bars({layer(LayerState::copying, 1, 3), layer(LayerState::unpacking, 3, 3)},
                                   seconds(1), {.columns = columns, .rows = 24});
    for (const std::string& line : lines) EXPECT_LT(line.size(), std::max<std::size_t>(columns, 20));
  }
}

TEST(CopyBars, WhereThereIsNoRoomOnlyWhatMoves) {
  std::vector<LayerLine> layers(100, layer(LayerState::waiting, 0, 10));
  layers[50] = layer(LayerState::copying, 1, 10);
  const auto lines = render_bars(layers, seconds(1), {.columns = 80, .rows = 10});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1], StartsWith("total"));
}

TEST(CopyBars, NothingToFetchHasNoTotal) {
  EXPECT_EQ(render_bars({layer(LayerState::exists, 0, 10)}, seconds(1), {}).size(), 1u);
  EXPECT_EQ(render_bars({layer(LayerState::copying, 0, 0)}, milliseconds(0), {}).size(), 1u);
}

TEST(CopyLines, OnlyWhatIsOver) {
  EXPECT_EQ(render_plain(layer(LayerState::done, 10, 10).progress), "Copying blob 0123456789ab done (10 B)");
  EXPECT_EQ(render_plain(layer(LayerState::exists, 0, 10).progress),
            "Copying blob 0123456789ab skipped: already exists");
  EXPECT_EQ(render_plain(layer(LayerState::mounted, 0, 10).progress),
            "Copying blob 0123456789ab mounted from another repository");
  EXPECT_EQ(render_plain(layer(LayerState::copying, 5, 10).progress), "");
}

}  // namespace
}  // namespace knarr::cli
