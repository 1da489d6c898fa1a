// SPDX-License-Identifier: Apache-2.0
// Who owns what a container makes, seen from R.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "engine/container.h"
#include "engine/engine.h"
#include "rootless/id_map.h"

namespace knarr::engine {

// The ids of a container, inside → R: those of its own user namespace, or of the container whose namespace it
// shares. A namespace given by path counts as one with the ids of R.
rootless::IdMaps container_maps(const Engine& engine, const ContainerConfig& config);

// From ids of R to those the container sees: nobody's for what is not in its map.
std::function<std::uint32_t(std::uint32_t)> seen_through(const rootless::IdMap& map);

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
};

// The container's user (--user, or the image's) by the container's own /etc/passwd and /etc/group below
// root_fd, as ids of R. Throws InvalidArgument for a name nobody has there, and for an id that is not mapped.
Owner container_owner(const Engine& engine, const ContainerConfig& config, int root_fd);

}  // namespace knarr::engine
