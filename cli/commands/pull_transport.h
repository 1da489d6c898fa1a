// SPDX-License-Identifier: Apache-2.0
// `pull` of what is in no registry: files, directories, the store of podman.
#pragma once

#include <vector>

#include "engine/engine.h"
#include "storage/image/platform.h"
#include "storage/layer/layer.h"
#include "storage/transport.h"

namespace knarr::cli {

// Inside R.
std::vector<storage::Image> pull_by_transport(const engine::Engine& engine,
                                              const storage::TransportName& name,
                                              const storage::Platform& platform, storage::Settling settling);

}  // namespace knarr::cli
