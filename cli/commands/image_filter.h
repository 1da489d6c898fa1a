// SPDX-License-Identifier: Apache-2.0
// --filter for images; values of one name are alternatives, of `label` they must all match.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"

namespace knarr::cli {

// Throws InvalidArgument for what cannot be understood.
std::vector<storage::Image> filter_images(const engine::Engine& engine, std::vector<storage::Image> images,
                                          const std::vector<std::string>& texts);

// Shell wildcards against the full name, its last part, with and without the tag.
bool matches_reference(const storage::Image& image, const std::string& pattern);

}  // namespace knarr::cli
