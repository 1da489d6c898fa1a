// SPDX-License-Identifier: Apache-2.0
// A network's bridge in the engine's network namespace.
#pragma once

#include "netns/links.h"
#include "netns/namespace.h"
#include "netns/network_plan.h"

namespace knarr::netns {

// Makes the bridge, or mends what is there: MTU, addresses, up. Safe beside others that do the same. The
// bridge's own MAC address follows from its name, so that one made again is the same to its containers.
// Of a bridge that somebody else made only what is missing is added. Throws SysError, or Conflict when the
// name is another interface's. Returns the bridge's index.
int apply_bridge(Namespace& engine, const Bridge& bridge);

// Deletes it; missing is fine, one of somebody else's is left. Slow, see delete_link.
void remove_bridge(Namespace& engine, const std::string& name);

// The names of the bridges that have a port.
std::vector<std::string> list_used_bridges(netlink::Socket& route);

// What the kernel calls the bridge with this name: locally administered (IEEE 802).
MacAddress bridge_mac(std::string_view name);

}  // namespace knarr::netns
