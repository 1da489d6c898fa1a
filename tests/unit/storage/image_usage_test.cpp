// SPDX-License-Identifier: Apache-2.0
#include "storage/image/image_usage.h"

#include <gtest/gtest.h>

namespace knarr::storage {
namespace {

Digest layer(char digit) {
  return {"sha256", std::string(64, digit)};
}

Image image(char digit, const std::vector<std::pair<char, std::uint64_t>>& layers) {
  Image made;
  made.id = std::string(64, digit);
  for (const auto& [name, bytes] : layers) {
    made.layers.push_back(layer(name));
    made.layer_sizes.push_back(bytes);
    made.size += bytes;
  }
  return made;
}

TEST(MeasureImages, ASharedLayerCountsOnce) {
  const ImagesUsage usage =
      measure_images({image('a', {{'1', 100}, {'2', 10}}), image('b', {{'1', 100}, {'3', 5}})}, {});
  EXPECT_EQ(usage.bytes, 115u);
  EXPECT_EQ(usage.images[0].shared, 100u);
  EXPECT_EQ(usage.images[0].unique, 10u);
  EXPECT_EQ(usage.images[1].shared, 100u);
  EXPECT_EQ(usage.images[1].unique, 5u);
}

TEST(MeasureImages, ALayerTwiceInAnImageCountsOnceAndIsNotShared) {
  const ImagesUsage usage = measure_images({image('a', {{'1', 7}, {'2', 10}, {'1', 7}})}, {});
  EXPECT_EQ(usage.bytes, 17u);
  EXPECT_EQ(usage.images[0].shared, 0u);
  EXPECT_EQ(usage.images[0].unique, 17u);
}

TEST(MeasureImages, ReclaimableIsWhatNoUsedImageHas) {
  const Image used = image('a', {{'1', 100}, {'2', 10}});
  const ImagesUsage usage = measure_images({used, image('b', {{'1', 100}, {'3', 5}})}, {used.id});
  EXPECT_EQ(usage.reclaimable, 5u);
}

TEST(MeasureImages, NothingTakesNothing) {
  const ImagesUsage usage = measure_images({}, {});
  EXPECT_EQ(usage.bytes, 0u);
  EXPECT_EQ(usage.reclaimable, 0u);
}

}  // namespace
}  // namespace knarr::storage
