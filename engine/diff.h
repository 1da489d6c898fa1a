// SPDX-License-Identifier: Apache-2.0
// `diff`: what has changed in a container or an image.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "storage/image/image.h"
#include "storage/tree_changes.h"

namespace knarr::engine {

// A container, or an image.
struct DiffEnd {
  std::string container_id;  // full; empty: the image
  std::optional<storage::Image> image;
};

// Against `before`, or else a container against its image and an image against itself without the topmost
// layer.
std::vector<storage::TreeChange> diff(const Engine& engine, const DiffEnd& now,
                                      const std::optional<DiffEnd>& before);

}  // namespace knarr::engine
