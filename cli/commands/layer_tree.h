// SPDX-License-Identifier: Apache-2.0
// The layers of images as `image tree` shows them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/image/image.h"

namespace knarr::cli {

struct LayerNode {
  std::string id;  // hex of the diffID
  std::uint64_t size = 0;
  std::vector<std::string> top_of;  // the names of the images that end here
  std::vector<LayerNode> above;
};

// Each layer of the image, lowest first, none inside another one: there are as many as there are.
std::vector<LayerNode> layers_of(const storage::Image& image, const std::vector<storage::Image>& all);
// The topmost layer of the image and all that other images have over it.
std::vector<LayerNode> layers_built_on(const storage::Image& image, const std::vector<storage::Image>& all);

std::string render_layer_tree(const std::vector<LayerNode>& nodes);

}  // namespace knarr::cli
