// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine.h"

namespace knarr::engine {

// Ends and removes all containers, then deletes all that is in the store's root and in the run root, and the
// two directories themselves where they are no mount points. Deletes nothing when a container does not end.
// The engine cannot be used afterwards.
void reset(const Engine& engine);

}  // namespace knarr::engine
