// SPDX-License-Identifier: Apache-2.0
// A container's network namespace and its interfaces on bridges.
#pragma once

#include "netns/links.h"
#include "netns/namespace.h"
#include "netns/network_plan.h"

namespace knarr::netns {

// Opens a container's network namespace and gives it what does not depend on networks: lo, and the defaults
// that its interfaces will have. Works again on one that has it.
Namespace open_container_namespace(int netns_fd);

// Makes the veth pair, or mends what is there; the bridge must be there (apply_bridge). What the container
// has added of addresses on this interface goes, its own routes stay. Throws SysError, or Conflict when the
// container has another interface with this name.
void apply_link(Namespace& engine, Namespace& container, const Link& link);

// The interface is off its bridge, down and without its name when this returns. It is still there: the
// kernel takes 7 to 40 ms to delete it, which collect_links does. Missing is fine.
void detach_link(Namespace& engine, Namespace& container, const std::string& name);

// Deletes what detach_link has left in the engine's namespace. Slow; for a process that nobody waits for.
void collect_links(Namespace& engine);

}  // namespace knarr::netns
