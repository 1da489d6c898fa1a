// SPDX-License-Identifier: Apache-2.0
// The engine's network namespace: where the bridges are. A rootless engine has one of its own, a rootful one
// uses the host's.
#pragma once

#include <string>

#include "netns/namespace.h"
#include "netns/nft/table.h"

namespace knarr::netns {

// In a namespace of the engine's own: lo, forwarding, the table, the way back of transparent sockets. bridges
// are those that are there already (repair). Returns what the kernel lacks of the table.
Firewall apply_engine_netns(Namespace& engine, const std::string& way_out, std::span<const Bridge> bridges);

// In the host's: forwarding and the table, nothing else is changed. ipv6: some network has it; a host that is
// made to forward IPv6 would stop to hear routers, so each interface that does is told to go on.
Firewall apply_host_netns(Namespace& host, std::span<const Bridge> bridges, bool ipv6);

}  // namespace knarr::netns
