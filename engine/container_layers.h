// SPDX-License-Identifier: Apache-2.0
// The layers that containers and images are made of, without mounting anything: so they can be read while the
// container runs, and what is mounted in it does not get into the way.
#pragma once

#include <set>
#include <string>

#include "engine/container.h"
#include "engine/engine.h"
#include "storage/tree_changes.h"

namespace knarr::engine {

// Its writable layer and those of its image. Owners are those the container sees.
storage::TreeStack container_layers(const Engine& engine, const ContainerConfig& config);
// With the places of mounts that no image has.
storage::TreeStack visible_layers(const Engine& engine, const ContainerConfig& config);
// Throws Conflict when it is gone: what was read of its layers since container_layers() may lack files.
void require_container(const Engine& engine, const ContainerConfig& config);
// Throws NotFound when the image or a layer is gone.
storage::TreeStack image_layers(const Engine& engine, const std::string& image_id, const std::string& store);

// Where the engine mounts what every container has, or puts files of its own: no change of the container's.
std::set<std::string> engine_places(const ContainerConfig& config);

}  // namespace knarr::engine
