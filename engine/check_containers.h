// SPDX-License-Identifier: Apache-2.0
// Whether the containers' records are whole, fit their names, and refer to what exists. As with
// storage/check/check.h, hold the exclusive gc lock to be sure. A container that another command is at work
// on is left out.
#pragma once

#include <vector>

#include "engine/engine.h"
#include "storage/check/finding.h"

namespace knarr::engine {

std::vector<storage::Finding> check_containers(const Engine& engine);

}  // namespace knarr::engine
