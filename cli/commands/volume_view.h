// SPDX-License-Identifier: Apache-2.0
// Volumes as users see them, and who uses them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/template/value.h"
#include "engine/engine.h"

namespace knarr::cli {

templates::Value inspect_volume(const storage::Volume& volume);

// The ids of the containers that mount each volume, by volume name. Reads the configuration of every
// container that mounts anything.
std::map<std::string, std::vector<std::string>> containers_by_volume(const engine::Engine& engine);

// Warns about each that is damaged.
std::vector<storage::Volume> list_healthy_volumes(const engine::Engine& engine);
// A container whose configuration is damaged: nobody knows which volumes it uses.
std::optional<std::string> find_unreadable_container(const engine::Engine& engine);

// dangling driver label label! name opt scope since until; throws InvalidArgument.
std::vector<storage::Volume> filter_volumes(const engine::Engine& engine,
                                            std::vector<storage::Volume> volumes,
                                            const std::vector<std::string>& texts);

// Throws Conflict that names the containers; with `force` these are removed first.
void remove_volume(const engine::Engine& engine, const std::string& name, bool force,
                   std::optional<int> timeout_seconds);

}  // namespace knarr::cli
