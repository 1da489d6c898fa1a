// SPDX-License-Identifier: Apache-2.0
// `export`: a container's files as a tar. Linked by knarr-store only: it has the archives.
#pragma once

#include <string>

#include "engine/engine.h"

namespace knarr::engine {

// To a file, or "-": standard output. Moves this process into R. What is mounted in the container, volumes
// above all, is not in it; owners are those the container sees.
void export_container(const Engine& engine, const std::string& id, const std::string& path);

}  // namespace knarr::engine
