// SPDX-License-Identifier: Apache-2.0
// Deleting what was removed. Removal itself is a rename and done; the bytes go later, by a process in R, at
// low priority and without anybody waiting.
#pragma once

#include "engine/engine.h"

namespace knarr::engine {

// Forks a child that nobody waits for; does nothing when the trash is empty.
void empty_trash_in_background(const Engine& engine);

}  // namespace knarr::engine
