// SPDX-License-Identifier: Apache-2.0
// What lies under a container: the layers of its image and its own upper directory.
#pragma once

#include "engine/container.h"
#include "engine/engine.h"
#include "storage/overlay/driver.h"

namespace knarr::engine {

// Throws NotFound when the image or one of its layers is gone.
storage::RootfsPlan plan_rootfs(const Engine& engine, const ContainerConfig& config);

}  // namespace knarr::engine
