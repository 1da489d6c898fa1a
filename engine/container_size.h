// SPDX-License-Identifier: Apache-2.0
// How much room a container takes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace knarr::engine {

struct ContainerSize {
  std::uint64_t written = 0;  // what differs from the image: podman's SizeRw
  std::uint64_t image = 0;    // the files of the image's layers: podman's SizeRootFs
};

// By full id; those that are removed meanwhile are missing. Measured in one child inside R.
std::map<std::string, ContainerSize> measure_containers(const Engine& engine,
                                                        const std::vector<std::string>& ids);

}  // namespace knarr::engine
