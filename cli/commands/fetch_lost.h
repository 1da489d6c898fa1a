// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "cli/commands/check_report.h"
#include "engine/engine.h"

namespace knarr::cli {

// Has knarr-registry bring back what was found missing or was taken away, and nothing else, for images that
// have a name of a registry. What came counts as repaired; why something did not, knarr-registry has printed.
void fetch_lost(const engine::Engine& engine, std::vector<CheckedFinding>& findings);

}  // namespace knarr::cli
