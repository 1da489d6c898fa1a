// SPDX-License-Identifier: Apache-2.0
// How much room images take, counted so that the parts add up: a layer several images share takes its room
// once.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "storage/image/image.h"

namespace knarr::storage {

struct ImageUsage {
  std::uint64_t shared = 0;  // of layers that other images have, too
  std::uint64_t unique = 0;  // what its removal would free
};

struct ImagesUsage {
  std::vector<ImageUsage> images;  // in the order given
  std::uint64_t bytes = 0;         // of all layers
  std::uint64_t reclaimable = 0;   // of those that no used image has
};

// `used` are the ids of images that containers were made from. Sizes are those of the images' records.
ImagesUsage measure_images(const std::vector<Image>& images, const std::set<std::string>& used);

}  // namespace knarr::storage
