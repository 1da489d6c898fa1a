// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace knarr::engine {

// The bytes of files and trees by their paths below the store's root, in the order given; 0 for what is gone.
// Measured in one child inside R, where files of subordinate ids can be seen.
std::vector<std::uint64_t> measure_in_store(const Engine& engine, const std::vector<std::string>& paths);

}  // namespace knarr::engine
