// SPDX-License-Identifier: Apache-2.0
// A container's named and anonymous volumes.
#pragma once

#include "engine/container.h"
#include "engine/engine.h"
#include "storage/overlay/driver.h"

namespace knarr::engine {

// Makes the volumes that do not exist yet. Called before the container's record is written.
void ensure_volumes(const Engine& engine, const ContainerConfig& config);

// Fills empty volumes that were never mounted with what the image has at their place (copy-up), in a child
// inside R with a mount namespace of its own. Nothing to do, and nothing done, for all others.
void prepare_volumes(const Engine& engine, const ContainerConfig& config, const storage::RootfsPlan& root);

// Changes the owners of what is mounted with the option U to the container's user, in such a child, too.
// Never what the machine itself lives of ("/etc", "/usr", ...).
void give_volumes(const Engine& engine, const ContainerConfig& config, const storage::RootfsPlan& root);

// The configuration with volumes that have options (`volume create -o`) as the mounts they stand for.
ContainerConfig resolve_volumes(const Engine& engine, ContainerConfig config);

// Throws Conflict when a volume of type tmpfs is in use by another running container: each mounts one of its
// own, and theirs would not be the same.
void require_own_tmpfs(const Engine& engine, const ContainerConfig& config);

// Those that belong to this container alone: the engine named them.
std::vector<std::string> anonymous_volumes(const ContainerConfig& config);
void remove_anonymous_volumes(const Engine& engine, const ContainerConfig& config);

}  // namespace knarr::engine
