// SPDX-License-Identifier: Apache-2.0
// What the pruning verbs take away.
#pragma once

#include <string>
#include <vector>

#include "cli/commands/container_list.h"
#include "cli/commands/filter.h"
#include "engine/engine.h"

namespace knarr::cli {

constexpr std::string_view prune_filters = "label label! until";

// Containers that do not run and match all filters.
std::vector<ListedContainer> unused_containers(const engine::Engine& engine, const Filters& filters);
// Images without a name, or all that no container uses; of these the ones that match all filters.
std::vector<storage::Image> unused_images(const engine::Engine& engine, const Filters& filters, bool all);
// Volumes that no container uses, the anonymous ones or all; of these the ones that match.
std::vector<storage::Volume> unused_volumes(const engine::Engine& engine,
                                            const std::vector<std::string>& filters, bool all);

}  // namespace knarr::cli
